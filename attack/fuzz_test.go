package attack

import (
	"encoding/binary"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
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

// arraysOf is a file of arrays of float32, all of them 0, with the shapes that a header's JSON has.
func arraysOf(head string, bytes int) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...), make([]byte, bytes)...)
}

// claims are arrays that claim more than they hold.
var claims = []string{
	`{"fc.weight":{"dtype":"F32","shape":[0,1099511627776],"data_offsets":[0,0]}}`,
	`{"fc.weight":{"dtype":"F32","shape":[1099511627776,0],"data_offsets":[0,0]},"fc.bias":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`,
}

// savedAttack writes the files of an attack on images of 16×16.
func savedAttack(t testing.TB, config string, arrays []byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, raw := range map[string][]byte{configFile: []byte(config), tensorsFile: arrays} {
		testfile.Write(t, filepath.Join(dir, name), raw)
	}
	return dir
}

// configOf is what Save writes of an attack on such images.
func configOf(t testing.TB, name string) string {
	t.Helper()
	c, err := Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := marshalFlat(named{name}, c.Common, c.Own, made{[]string{"a", "b"}, 16, 16, ""})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func blank() *dataset.Set {
	return &dataset.Set{Height: 16, Width: 16, Classes: []string{"a", "b"}, Pixels: make([]uint8, 2*16*16*3), Labels: []int32{0, 1}}
}

// Arrays of no numbers, or of other shapes, are no attack's.
func TestArraysThatClaimMore(t *testing.T) {
	for _, name := range Builtin().Names() {
		config := configOf(t, name)
		for _, head := range append(claims, `{}`) {
			a, err := Open(savedAttack(t, config, arraysOf(head, 0)), blank(), Env{})
			if err != nil {
				if !strings.Contains(err.Error(), "attack.") {
					t.Errorf("%s: %v", name, err)
				}
			} else if _, learns := a.trigger.(Learner); learns {
				t.Errorf("%s was made of %s", name, head)
			}
		}
	}
}

// FuzzSaved gives the files of an attack that was made before. What is read can be written.
func FuzzSaved(f *testing.F) {
	for _, name := range []string{"badnets", "cl", "trojan", "wanet"} {
		for _, head := range claims {
			f.Add(configOf(f, name), arraysOf(head, 0))
		}
	}
	f.Add(configOf(f, "trojan"), arraysOf(`{"pattern":{"dtype":"F32","shape":[768],"data_offsets":[0,3072]},"mask":{"dtype":"F32","shape":[256],"data_offsets":[3072,4096]}}`, 4096))
	f.Fuzz(func(t *testing.T, config string, arrays []byte) {
		a, err := Open(savedAttack(t, config, arrays), blank(), Env{})
		if err != nil {
			return
		}
		if err := a.Save(t.TempDir(), []string{"a", "b"}); err != nil {
			t.Error(err)
		}
	})
}
