package attack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Parse reads an attack with settings, NAME or NAME:key=value,key=value. The keys are those of
// Config's JSON form; what is not given has the attack's defaults.
func Parse(spec string) (Config, error) {
	name, settings, _ := strings.Cut(spec, ":")
	if method(name) == nil {
		return Config{}, fmt.Errorf("no attack %q; there are %s", name, strings.Join(Names(), ", "))
	}
	c := Defaults(name)
	if settings == "" {
		return c, nil
	}
	fields := map[string]any{}
	for _, s := range strings.Split(settings, ",") {
		key, value, ok := strings.Cut(s, "=")
		key = strings.ReplaceAll(strings.TrimSpace(key), "-", "_")
		if !ok || !slices.Contains(keys, key) {
			return c, fmt.Errorf("attack %s: setting %q, expected key=value with one of %s", name, s, strings.Join(keys, ", "))
		}
		fields[key] = json.RawMessage(value)
		if slices.Contains(textKeys, key) {
			fields[key] = value
		}
	}
	raw, err := json.Marshal(fields)
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		err = d.Decode(&c)
	}
	if err != nil {
		return c, fmt.Errorf("attack %s: settings %q: expected numbers, true or false: %w", name, settings, err)
	}
	return c, nil
}

// keys are the settings of Config that Parse takes, textKeys those that are no numbers.
var keys, textKeys = func() (all, text []string) {
	full := Config{
		AllToAll: true, Cover: 1, PatchSize: 1, Alpha: 1, Delta: 1, DeltaTest: 1, Frequency: 1, Mask: "x", Epsilon: 1, Steps: 1,
		Style: "x", ClassA: 1, ClassB: 1, Mix: "x", Image: "x", Attacker: "x", Network: "x", Epochs: 1, NoFlip: true,
	}
	raw, err := json.Marshal(full)
	if err != nil {
		panic(err) // plain values only
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		panic(err)
	}
	delete(m, "name")
	for _, k := range slices.Sorted(maps.Keys(m)) {
		all = append(all, k)
		if _, ok := m[k].(string); ok {
			text = append(text, k)
		}
	}
	return all, text
}()

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
