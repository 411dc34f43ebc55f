package attack

import (
	"errors"
	"fmt"
	"strings"

	"github.com/unpoison/unpoison/internal/base/settings"
)

// Config is what every attack takes. Zero values are not defaults: start from Defaults.
type Config struct {
	Name   string  `json:"name"`
	Rate   float64 `json:"rate" range:"(0,1)"`  // share of all training images that are poisoned
	Target int     `json:"target" range:"[0,)"` // class that triggered images shall be taken for
	Seed   uint64  `json:"seed"`
	// AllToAll sends every class to the next one instead of all to Target.
	AllToAll bool `json:"all_to_all,omitempty"`
	// Cover is the share of all training images that are changed with their labels kept: by what Dynamic, DFST and CBA
	// have for that, by the trigger itself of the others.
	Cover float64 `json:"cover,omitempty" range:"[0,1)"`

	PatchSize int     `json:"patch_size,omitempty" range:"[0,)"`    // pixels at a side of 32; scales with the image
	Alpha     float64 `json:"alpha,omitempty" range:"[0,1]"`        // opacity of a blended pattern or watermark
	Delta     float64 `json:"delta,omitempty" range:"[0,255]"`      // amplitude of SIG's wave in training images, of 255
	DeltaTest float64 `json:"delta_test,omitempty" range:"[0,255]"` // the same in test images; 0: as in training
	Frequency float64 `json:"frequency,omitempty" range:"[0,)"`     // waves across the image
	Mask      string  `json:"mask,omitempty"`                       // Trojan: "square" or "watermark"
	Epsilon   float64 `json:"epsilon,omitempty" range:"[0,255]"`    // largest change of a pixel by CL and FC, of 255
	Steps     int     `json:"steps,omitempty" range:"[0,)"`         // of an optimisation
	Style     string  `json:"style,omitempty"`                      // DFST: "sunset" or a folder of pictures
	ClassA    int     `json:"class_a,omitempty" range:"[0,)"`       // CBA: the classes that are mixed
	ClassB    int     `json:"class_b,omitempty" range:"[0,)"`
	Mix       string  `json:"mix,omitempty"`      // CBA: "half" beside half, or "blend" with smooth edges
	Image     string  `json:"image,omitempty"`    // blend, custom: a picture of the user's own
	Attacker  string  `json:"attacker,omitempty"` // FC: "aware" or "clean", what the attacker's network has learnt
	Place     string  `json:"place,omitempty"`    // FC: what is perturbed, the whole "image" or where the "patch" goes

	Density float64 `json:"density,omitempty" range:"[0,1]"` // Dynamic: share of the image that masks may cover for nothing

	Network string `json:"network,omitempty"`             // architecture of the attacker's own networks
	Epochs  int    `json:"epochs,omitempty" range:"[0,)"` // their training
	NoFlip  bool   `json:"no_flip,omitempty"`             // their images are never swapped left and right
}

// Defaults returns the paper's settings for an attack: target 0, rate 10 %, or 8 % of the whole set
// for those that only take images of the target class.
func Defaults(name string) Config {
	c := Config{Name: name, Rate: 0.1}
	m := method(name)
	if m == nil {
		return c
	}
	if m.CleanLabel {
		c.Rate = 0.08
	}
	if m.Defaults != nil {
		m.Defaults(&c)
	}
	return c
}

// Check reports what is wrong with the settings, as far as that can be told without data.
func (c Config) Check() error {
	m := method(c.Name)
	if m == nil {
		return fmt.Errorf("no attack %q; there are %s", c.Name, strings.Join(Names(), ", "))
	}
	err := settings.Check(c)
	if err == nil && c.AllToAll && m.CleanLabel {
		err = errors.New("it keeps labels, so that it can't send every class to the next one")
	}
	if err != nil {
		return fmt.Errorf("attack %s: %w", c.Name, err)
	}
	return nil
}

func (c Config) checkAlpha() error {
	if c.Alpha <= 0 || c.Alpha > 1 {
		return fmt.Errorf("alpha %g, expected more than 0 and up to 1", c.Alpha)
	}
	return nil
}

// ownNetwork sets the attacker's training.
func ownNetwork(c *Config) { c.Network, c.Epochs = "wrn-16-1", 10 }
