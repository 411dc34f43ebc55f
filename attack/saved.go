package attack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/limited"
	"github.com/unpoison/unpoison/internal/base/names"
	"github.com/unpoison/unpoison/internal/base/printable"
	"github.com/unpoison/unpoison/internal/base/version"
)

// The files of a prepared attack.
const (
	configFile  = "attack.json"
	tensorsFile = "attack.safetensors"
	// The attacker's own classifier, a model like any other, where images were perturbed against one.
	attackerFile = "attacker.safetensors"
)

// made says in attack.json, beside the settings, what images the attack was made for.
type made struct {
	Classes []string `json:"classes"`
	Height  int      `json:"height"`
	Width   int      `json:"width"`
	Picture string   `json:"picture,omitempty"` // digest of the picture's file, where the trigger is one
}

// pictureOf returns the digest of the picture's file that settings name; empty if they name none, or if what was learnt from it is kept.
func (c Config) pictureOf(learns bool) (string, error) {
	if learns {
		return "", nil
	}
	return c.Pictures()
}

// Pictures returns the digest of the picture that the settings name, or of those in the folder that they name; empty if they name none.
func (c Config) Pictures() (string, error) {
	path := c.File()
	if path == "" {
		return "", nil
	}
	st, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !st.IsDir() {
		raw, err := limited.ReadFile(path, mostPicture)
		sum := sha256.Sum256(raw)
		return "sha256:" + hex.EncodeToString(sum[:]), err
	}
	files, err := pictureFiles(path)
	if err != nil {
		return "", err
	}
	all := sha256.New()
	for _, f := range files {
		raw, err := limited.ReadFile(f, mostPicture)
		if err != nil {
			return "", err
		}
		sum := sha256.Sum256(raw)
		all.Write(sum[:])
	}
	return "sha256:" + hex.EncodeToString(all.Sum(nil)), nil
}

// mostPicture is how many bytes the file of a picture may have.
const mostPicture = 256 << 20

// fits gives a set the attack's classes, and reports whether its own are among them.
func (m *made) fits(set *dataset.Set) bool {
	return len(m.Classes) == 0 || slices.Equal(m.Classes, set.Classes) || set.OrderClasses(m.Classes) ||
		set.OrderClasses(names.ByIndex(set.Classes, m.Classes))
}

// Save writes what the attack is and has learnt to a folder.
func (a *Attack) Save(dir string, classes []string) error {
	l, learns := a.trigger.(Learner)
	picture, err := a.Config.pictureOf(learns)
	if err != nil {
		return err
	}
	raw, err := marshalFlat(named{a.lab.Name}, a.Config.Common, a.Config.Own, made{classes, a.lab.height, a.lab.width, picture})
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := json.Indent(&text, raw, "", "  "); err != nil {
		return err
	}
	text.WriteByte('\n')
	if learns {
		if err := checkpoint.WriteArrays(filepath.Join(dir, tensorsFile), l.Learned(), nil); err != nil {
			return err
		}
	}
	if n, ok := a.trigger.(perturbing); ok {
		net, state := n.network()
		info := checkpoint.Info{Arch: net.Arch, Classes: classes, Height: a.lab.height, Width: a.lab.width, Version: version.Number}
		if err := checkpoint.Save(filepath.Join(dir, attackerFile), state, info); err != nil {
			return err
		}
	}
	return atomicfile.WriteBytes(filepath.Join(dir, configFile), text.Bytes())
}

// ReadCommon reads the common settings of an attack that Save wrote, whatever attack it is.
func ReadCommon(dir string) (Common, error) {
	var c Common
	path := filepath.Join(dir, configFile)
	raw, err := limited.ReadFile(path, 64<<20)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Open reads one of Builtin's attacks that Save wrote; see Methods.Open.
func Open(dir string, set *dataset.Set, env Env) (*Attack, error) {
	return Builtin().Open(dir, set, env)
}

// Open reads an attack that Save wrote, to be applied to images of set's size and classes. The set's classes are put in the order
// that the attack knows, by which it aims; where only one of the two has names and the other numbers, they are matched by index.
func (m Methods) Open(dir string, set *dataset.Set, env Env) (*Attack, error) {
	path := filepath.Join(dir, configFile)
	raw, err := limited.ReadFile(path, 64<<20)
	if err != nil {
		return nil, err
	}
	var s made
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	config, err := m.Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if s.Height != set.Height || s.Width != set.Width {
		return nil, fmt.Errorf("%s was made for images of %d×%d, these are %d×%d; --size %d resizes them", path, s.Height, s.Width, set.Height, set.Width, s.Height)
	}
	if !s.fits(set) {
		return nil, fmt.Errorf("%s was made for %d classes, and the images have others: %s", path, len(s.Classes), printable.Strangers(set.Classes, s.Classes))
	}
	if s.Picture != "" {
		if got, err := config.pictureOf(false); err != nil {
			return nil, fmt.Errorf("%s: the trigger's picture: %w", path, err)
		} else if got != s.Picture {
			return nil, fmt.Errorf("%s: the trigger's picture is another one now; put back the one that was planted", path)
		}
	}
	a, err := open(config, set, env)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	l, ok := a.trigger.(Learner)
	if !ok {
		return a, nil
	}
	path = filepath.Join(dir, tensorsFile)
	arrays, _, err := checkpoint.ReadArrays(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: what the attack learnt is missing: %w", dir, err)
	}
	if err != nil {
		return nil, err
	}
	if err := l.Restore(a.lab, arrays); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}
