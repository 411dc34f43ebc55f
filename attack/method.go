package attack

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/settings"
)

// Method is an attack as a table lists it.
type Method struct {
	Name       string
	About      string
	Paper      string
	CleanLabel bool // poisons images of the target class and leaves their labels
	Fixed      bool // the seed has no part in the trigger of test images
	// Rate and Cover are the defaults; a rate of 0 stands for 10 %, or 8 % of the whole set for clean-label attacks.
	Rate, Cover float64
	Recipe      int // counts up when what it learns from the same settings changes; see Env.Cache
	// Unlearnt clears the common settings that what is learnt does not depend on, beside the rate; nil: none.
	Unlearnt func(c *Common)
	// Settings returns the attack's own settings with their defaults.
	Settings func() Settings
}

// Defaults returns the attack with its default settings: target 0, and those of its paper where it gives any.
func (m Method) Defaults() Config {
	c := Config{Method: m, Common: Common{Rate: m.Rate, Cover: m.Cover}, Own: m.Settings()}
	if c.Rate == 0 {
		c.Rate = 0.1
		if m.CleanLabel {
			c.Rate = 0.08
		}
	}
	return c
}

// Methods is a table of attacks. A program that has attacks of its own appends them to Builtin's.
type Methods []Method

// Builtin returns the attacks of this package.
func Builtin() Methods {
	return Methods{
		badNets, trojan, blend, dynamic, sig, cleanLabel, featureCollision, dfst, latent, composite,
		waNet, taCT, adaptiveBlend, adaptivePatch, bpp, lowFrequency, issba, refool, refoolClean, custom,
	}
}

// Names lists the attacks.
func (m Methods) Names() []string {
	n := make([]string, len(m))
	for i, of := range m {
		n[i] = of.Name
	}
	return n
}

// Named returns the attack of this name.
func (m Methods) Named(name string) (Method, error) {
	i := slices.IndexFunc(m, func(m Method) bool { return m.Name == name })
	if i < 0 {
		return Method{}, fmt.Errorf("no attack %q; there are %s", name, strings.Join(m.Names(), ", "))
	}
	return m[i], nil
}

// Parse reads an attack with settings, NAME or NAME:key=value,key=value. The keys are those of Config's JSON form; what is
// not given has the attack's defaults; a cover follows the rate.
func (m Methods) Parse(spec string) (Config, error) {
	name, list, _ := strings.Cut(spec, ":")
	of, err := m.Named(name)
	if err != nil {
		return Config{}, err
	}
	c := of.Defaults()
	if err := settings.Set(list, &c.Common, c.Own); err != nil {
		return c, fmt.Errorf("attack %s: %w", name, err)
	}
	if Gives(spec, "target") && !c.aims() {
		return c, fmt.Errorf("attack %s: all_to_all and random_labels have no target", name)
	}
	if Gives(spec, "rate") && !Gives(spec, "cover") {
		c.Follow()
	}
	return c, nil
}

// choosing are settings of which some mean nothing with some values of others.
type choosing interface{ unused(c Common) []string }

// Unused reports a setting that the attack's text says, and that its others leave without a meaning.
func (c Config) Unused(spec string) error {
	if of, ok := c.Own.(choosing); ok {
		for _, key := range of.unused(c.Common) {
			if Gives(spec, key) {
				return fmt.Errorf("attack %s: %s means nothing with its other settings: %s", c.Method.Name, key, c.Settings())
			}
		}
	}
	return nil
}

// mostFollowed is the rate above which there are no more covering images.
const mostFollowed = 0.1

// Follow makes the cover follow the rate: as many covering images for each planted one as by default, up to those of a rate of 10 %.
func (c *Config) Follow() {
	d := c.Method.Defaults()
	c.Cover = d.Cover * min(c.Rate, mostFollowed) / d.Rate
}

// fromFile are settings that may name a picture, or a folder of pictures.
type fromFile interface{ file() string }

// File returns the picture, or the folder of pictures, that the settings name; empty if they name none.
func (c Config) File() string {
	if f, ok := c.Own.(fromFile); ok {
		return f.file()
	}
	return ""
}

// Gives reports whether an attack's text, NAME:key=value,…, says a setting itself.
func Gives(spec, setting string) bool {
	_, list, _ := strings.Cut(spec, ":")
	return slices.ContainsFunc(strings.Split(list, ","), func(item string) bool { return settings.Key(item) == setting })
}

// Apart gives attacks that are planted together, and would draw the same trigger, seeds of their own. Those that would have the same one
// with any seed are refused.
func Apart(all []Config) error {
	kind := func(c Config) string { return strings.TrimPrefix(c.Method.Name, "adaptive-") } // Adaptive-Blend's pattern is Blend's
	for k := range all {
		for _, before := range all[:k] {
			if before.Method.Name == all[k].Method.Name && all[k].fixed() && reflect.DeepEqual(before.Own, all[k].Own) {
				return fmt.Errorf("attack %s: two of them have the same trigger, pixel for pixel; give one other settings of its own, beside the target", before.Method.Name)
			}
			if kind(before) == kind(all[k]) && before.Seed == all[k].Seed {
				all[k].Seed += uint64(k) << 32
				break
			}
		}
	}
	return nil
}

// fixed reports whether the trigger is the same with any seed.
func (c Config) fixed() bool {
	b, ok := c.Own.(*Blend)
	return c.Method.Fixed || ok && b.Image != ""
}

// Defaults returns one of Builtin's attacks with its default settings; see Method.Defaults. It panics if there is none of
// this name.
func Defaults(name string) Config {
	m, err := Builtin().Named(name)
	if err != nil {
		panic(err)
	}
	return m.Defaults()
}

// Parse reads one of Builtin's attacks with settings; see Methods.Parse.
func Parse(spec string) (Config, error) { return Builtin().Parse(spec) }
