// Package attack plants backdoors in training sets, for experiments: one file an attack, one
// interface, a table of them.
package attack

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/dataset"
)

// Config is what every attack takes. Zero values are not defaults: start from Defaults.
type Config struct {
	Name   string  `json:"name"`
	Rate   float64 `json:"rate"`   // share of all training images that are poisoned, 0 < Rate < 1
	Target int     `json:"target"` // class that triggered images shall be taken for
	Seed   uint64  `json:"seed"`

	PatchSize int     `json:"patch_size,omitempty"` // pixels at a side of 32; scales with the image
	Alpha     float64 `json:"alpha,omitempty"`      // opacity of a blended pattern
	Delta     float64 `json:"delta,omitempty"`      // amplitude of SIG's wave, of 255
	Frequency float64 `json:"frequency,omitempty"`  // waves across the image
}

// Defaults returns the paper's settings for an attack: target 0, rate 10 %, or 8 % of the whole set
// for SIG, which only takes images of the target class.
func Defaults(name string) Config {
	c := Config{Name: name, Rate: 0.1, PatchSize: 3, Alpha: 0.2, Delta: 20, Frequency: 6}
	if m := method(name); m != nil && m.CleanLabel {
		c.Rate = 0.08
	}
	return c
}

// Trigger is an attack made ready for images of one size.
type Trigger interface {
	// Prepare learns what the trigger needs from the clean training set; most need nothing.
	Prepare(ctx context.Context, train *dataset.Set) error
	// Apply writes the triggered image. test tells whether it is for a test image, where clean-label
	// attacks may use full strength; r is the image's own stream.
	Apply(dst, src []uint8, test bool, r *rand.Rand)
}

// Method is an attack's entry in the table.
type Method struct {
	Name       string
	About      string
	Paper      string
	CleanLabel bool // poisons images of the target class and leaves their labels
	New        func(c Config, height, width int) (Trigger, error)
}

// Methods is the table of attacks.
var Methods = []Method{badNets, blend, sig}

func method(name string) *Method {
	i := slices.IndexFunc(Methods, func(m Method) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return &Methods[i]
}

// Names lists the attacks.
func Names() []string {
	n := make([]string, len(Methods))
	for i, m := range Methods {
		n[i] = m.Name
	}
	return n
}

// Attack is a configured attack on a data set.
type Attack struct {
	Config  Config
	Method  *Method
	trigger Trigger
}

// New checks the configuration and prepares the attack on the clean training set.
func New(ctx context.Context, c Config, train *dataset.Set) (*Attack, error) {
	m := method(c.Name)
	if m == nil {
		return nil, fmt.Errorf("no attack %q; there are %s", c.Name, strings.Join(Names(), ", "))
	}
	if c.Target < 0 || c.Target >= len(train.Classes) {
		return nil, fmt.Errorf("attack %s: target %d is out of range, the classes are 0 to %d", c.Name, c.Target, len(train.Classes)-1)
	}
	if c.Rate <= 0 || c.Rate >= 1 {
		return nil, fmt.Errorf("attack %s: rate %g, expected a share between 0 and 1", c.Name, c.Rate)
	}
	t, err := m.New(c, train.Height, train.Width)
	if err != nil {
		return nil, fmt.Errorf("attack %s: %w", c.Name, err)
	}
	if err := t.Prepare(ctx, train); err != nil {
		return nil, fmt.Errorf("attack %s: %w", c.Name, err)
	}
	return &Attack{c, m, t}, nil
}

// Poison returns a poisoned copy of the training set and which of its images were changed.
func (a *Attack) Poison(train *dataset.Set) (poisoned *dataset.Set, truth []bool, err error) {
	out := train.Clone()
	truth, err = a.PoisonInPlace(out)
	return out, truth, err
}

// PoisonInPlace poisons the training set itself, which spares the memory of a copy.
func (a *Attack) PoisonInPlace(train *dataset.Set) (truth []bool, err error) {
	var pool []int
	for i, l := range train.Labels {
		if (int(l) == a.Config.Target) == a.Method.CleanLabel {
			pool = append(pool, i)
		}
	}
	n := int(a.Config.Rate*float64(train.Len()) + 0.5)
	if n < 1 || n > len(pool) {
		which := "outside the target class"
		if a.Method.CleanLabel {
			which = "in the target class"
		}
		return nil, fmt.Errorf("attack %s: rate %g needs %d images %s, there are %d; try a rate up to %.3f",
			a.Config.Name, a.Config.Rate, n, which, len(pool), float64(len(pool))/float64(train.Len()))
	}
	truth = make([]bool, train.Len())
	original := make([]uint8, train.ImageBytes())
	order := dataset.Shuffle(a.Config.Seed, "attack "+a.Config.Name+" choice", len(pool))
	for _, k := range order[:n] {
		i := pool[k]
		copy(original, train.Image(i))
		a.trigger.Apply(train.Image(i), original, false, a.stream("train", i))
		train.Labels[i] = int32(a.Config.Target)
		truth[i] = true
	}
	return truth, nil
}

func (a *Attack) stream(part string, i int) *rand.Rand {
	return dataset.Stream(a.Config.Seed, "attack "+a.Config.Name+" "+part, i)
}

// Triggered returns the test images that are not of the target class, with the trigger and with
// the target as their label: a network's accuracy on them is the attack success rate.
func (a *Attack) Triggered(test *dataset.Set) *dataset.Set {
	var keep []int
	for i, l := range test.Labels {
		if int(l) != a.Config.Target {
			keep = append(keep, i)
		}
	}
	out := test.Subset(keep)
	for k, i := range keep {
		a.trigger.Apply(out.Image(k), test.Image(i), true, a.stream("test", i))
		out.Labels[k] = int32(a.Config.Target)
	}
	return out
}

// scaled turns a length given for images of 32 pixels into one for this size, at least 1.
func scaled(n, side int) int { return max(1, (n*side+16)/32) }

func toByte(v float64) uint8 { return uint8(min(255, max(0, v)) + 0.5) }

// ready is embedded by triggers that learn nothing.
type ready struct{}

func (ready) Prepare(context.Context, *dataset.Set) error { return nil }
