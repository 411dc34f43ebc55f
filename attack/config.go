package attack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/settings"
)

// Common is what every attack takes. Zero values are not defaults.
type Common struct {
	Rate   float64 `json:"rate" range:"(0,1)"`  // share of all training images that are poisoned
	Target int     `json:"target" range:"[0,)"` // class that triggered images shall be taken for
	Seed   uint64  `json:"seed"`
	// AllToAll sends every class to the next one instead of all to Target.
	AllToAll bool `json:"all_to_all,omitempty"`
	// Cover is the share of all training images that are changed with their labels kept: by what a Coverer has for that,
	// by the trigger itself of the others.
	Cover float64 `json:"cover,omitempty" range:"[0,1)"`
	// Targets is how many classes share the images out, from Target on: class c goes to the (c mod Targets)th of them. 0 and 1
	// are Target alone.
	Targets int `json:"targets,omitempty" range:"[0,)"`
	// RandomLabels gives each planted image another class by chance: the attack is untargeted.
	RandomLabels bool `json:"random_labels,omitempty"`
}

// Settings are those of one attack alone: a pointer to a struct whose fields have names for JSON, for NAME:key=value
// and, where numbers have limits, tags as range:"[0,1)".
type Settings interface {
	// Trigger makes the attack ready for images of set's size and classes. It must not depend on set's images: what is
	// learnt from those is a Learner's.
	Trigger(c Common, set *dataset.Set) (Trigger, error)
}

// Config is an attack with all its settings. Its JSON form is one flat object. Start from Method.Defaults or Parse.
type Config struct {
	Method Method
	Common
	Own Settings
}

// Surrogate is how an attacker trains networks of its own. Settings of attacks that do so embed it.
type Surrogate struct {
	Network string `json:"network,omitempty"`                    // its architecture
	Epochs  int    `json:"epochs,omitempty" range:"[0,1000000]"` // of its training
	NoFlip  bool   `json:"no_flip,omitempty"`                    // its images are never swapped left and right
}

func (s *Surrogate) surrogate() *Surrogate { return s }

// Surrogate returns the settings of the attacker's own networks, to be changed; nil if it trains none.
func (c Config) Surrogate() *Surrogate {
	if s, ok := c.Own.(interface{ surrogate() *Surrogate }); ok {
		return s.surrogate()
	}
	return nil
}

// Check reports what is wrong with the settings, as far as that can be told without data.
func (c Config) Check() error {
	if c.Own == nil {
		return errors.New("an attack without settings; start from a method's defaults")
	}
	err := settings.Check(c.Common)
	if err == nil {
		err = settings.Check(c.Own)
	}
	if err == nil {
		err = c.checkLabels(c.Method.CleanLabel)
	}
	if err != nil {
		return fmt.Errorf("attack %s: %w", c.Method.Name, err)
	}
	return nil
}

// Spec is the text of which Parse makes the attack: its name, and the settings that are not its defaults.
func (c Config) Spec() string {
	if c.Own == nil {
		return c.Method.Name // of results of long ago nothing more is known
	}
	usual := c.Method.Defaults()
	if usual.Rate != c.Rate {
		usual.Rate = c.Rate
		usual.Follow()
		usual.Rate = c.Method.Defaults().Rate
	}
	was, is := usual.values(), c.values()
	var items []string
	for _, key := range settings.Names(&c.Common, c.Own) {
		if is[key] != was[key] {
			items = append(items, key+"="+is[key])
		}
	}
	if len(items) == 0 {
		return c.Method.Name
	}
	return c.Method.Name + ":" + strings.Join(items, ",")
}

// values are the settings as lists have them, by their names.
func (c Config) values() map[string]string {
	all := map[string]string{}
	for _, part := range []any{c.Common, c.Own} {
		for _, key := range settings.Names(part) {
			raw, err := json.Marshal(settings.Value(part, key))
			if text := ""; err == nil && json.Unmarshal(raw, &text) == nil {
				all[key] = text
			} else {
				all[key] = string(raw)
			}
		}
	}
	return all
}

// Settings returns an attack's settings as Parse takes them, but for the seed.
func (c Config) Settings() string {
	raw, err := json.Marshal(c)
	if err != nil {
		return c.Method.Name
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		return c.Method.Name
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

// named is the first key of a Config's JSON form.
type named struct {
	Name string `json:"name"`
}

// MarshalJSON implements json.Marshaler: name, common settings and the attack's own are one object.
func (c Config) MarshalJSON() ([]byte, error) {
	return marshalFlat(named{c.Method.Name}, c.Common, c.Own)
}

// UnmarshalJSON implements json.Unmarshaler for the attacks of Builtin; see Methods.Decode for others. Without a name it reads
// the common settings alone, as they are written of a Config that is no attack's.
func (c *Config) UnmarshalJSON(raw []byte) error {
	var n named
	if err := json.Unmarshal(raw, &n); err != nil || n.Name == "" {
		return errors.Join(err, json.Unmarshal(raw, &c.Common))
	}
	var err error
	*c, err = Builtin().Decode(raw)
	return err
}

// Decode reads a Config's JSON form. What is not given is zero, whatever the defaults.
func (m Methods) Decode(raw []byte) (Config, error) {
	var n named
	if err := json.Unmarshal(raw, &n); err != nil {
		return Config{}, err
	}
	of, err := m.Named(n.Name)
	if err != nil {
		return Config{}, err
	}
	c := Config{Method: of, Own: reflect.New(reflect.TypeOf(of.Settings()).Elem()).Interface().(Settings)}
	if err := json.Unmarshal(raw, &c.Common); err != nil {
		return c, err
	}
	return c, json.Unmarshal(raw, c.Own)
}

// marshalFlat joins the fields of structs in one JSON object.
func marshalFlat(parts ...any) ([]byte, error) {
	var all [][]byte
	for _, p := range parts {
		if p == nil {
			continue
		}
		raw, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		if len(raw) > len("{}") {
			all = append(all, raw[1:len(raw)-1])
		}
	}
	return slices.Concat([]byte("{"), bytes.Join(all, []byte(",")), []byte("}")), nil
}

// ownNetwork is how attackers' networks are trained unless said.
func ownNetwork() Surrogate { return Surrogate{Network: "wrn-16-1", Epochs: 10} }
