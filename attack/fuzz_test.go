package attack

import (
	"encoding/json"
	"testing"
)

// FuzzConfig gives an attack as users write it, or as attack.json holds it. What is right comes back the same from JSON.
func FuzzConfig(f *testing.F) {
	for _, name := range Builtin().Names() {
		f.Add(name, false)
		c, err := Parse(name)
		if err != nil {
			f.Fatal(err)
		}
		raw, err := json.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw), true)
	}
	f.Add("badnets:target=3,rate=0.1,seed=7", false)
	f.Add(`{"name":"blend","rate":1e-300,"target":-1,"alpha":"x"}`, true)
	f.Fuzz(func(t *testing.T, text string, saved bool) {
		var c Config
		var err error
		if saved {
			c, err = Builtin().Decode([]byte(text))
		} else {
			c, err = Parse(text)
		}
		if err != nil || c.Check() != nil {
			return
		}
		raw, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := Builtin().Decode(raw); err != nil || d.Settings() != c.Settings() {
			t.Errorf("%s became %s: %v", c.Settings(), d.Settings(), err)
		}
	})
}
