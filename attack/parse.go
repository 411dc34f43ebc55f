package attack

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/unpoison/unpoison/internal/base/settings"
)

// Parse reads an attack with settings, NAME or NAME:key=value,key=value. The keys are those of
// Config's JSON form; what is not given has the attack's defaults.
func Parse(spec string) (Config, error) {
	name, list, _ := strings.Cut(spec, ":")
	if method(name) == nil {
		return Config{}, fmt.Errorf("no attack %q; there are %s", name, strings.Join(Names(), ", "))
	}
	c := Defaults(name)
	if err := settings.Set(list, &c); err != nil {
		return c, fmt.Errorf("attack %s: %w", name, err)
	}
	c.Name = name
	return c, nil
}

// Settings returns an attack's settings as Parse takes them, those first that all attacks have.
func (c Config) Settings() string {
	raw, err := json.Marshal(c)
	if err != nil {
		return c.Name
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		return c.Name
	}
	var s []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if k == "name" || k == "seed" {
			continue
		}
		v := m[k]
		if f, ok := v.(float64); ok {
			v = strconv.FormatFloat(f, 'g', -1, 64)
		}
		s = append(s, fmt.Sprintf("%s=%v", k, v))
	}
	return strings.Join(s, " ")
}
