// Package attack plants backdoors in training sets, for experiments. Each attack is a file and an entry
// in a table; all of them are a Trigger.
package attack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/rng"
)

// Trigger is an attack made ready for images of one size.
type Trigger interface {
	// Apply writes the trigger into the images of b, in place.
	Apply(ctx context.Context, b *Batch) error
}

// Batch is images that a trigger changes in place.
type Batch struct {
	Set *dataset.Set
	At  []int // their indices in Set
	// Test tells test images, where clean-label attacks use full strength, from training images.
	Test bool
	// Changed marks images of Set that were changed already; nil for none.
	Changed []bool
	// Stream returns image i's own random stream.
	Stream func(i int) *rand.Rand
}

// Coverer is a trigger that also changes images whose labels stay as they are, so that the part of
// it that they show gives nothing away: another image's pattern, a mix within a class.
type Coverer interface {
	Cover(ctx context.Context, b *Batch) error
}

// Composer is a trigger whose test images are not test images with something added.
type Composer interface {
	// Compose returns triggered test images, whose labels the caller sets.
	Compose(test *dataset.Set, seed uint64) (*dataset.Set, error)
}

// pixels is a trigger that changes each image by itself: dst receives what becomes of src.
type pixels func(dst, src []uint8, test bool, r *rand.Rand)

// Apply implements Trigger.
func (f pixels) Apply(ctx context.Context, b *Batch) error {
	original := make([]uint8, b.Set.ImageBytes())
	for _, i := range b.At {
		copy(original, b.Set.Image(i))
		f(b.Set.Image(i), original, b.Test, b.Stream(i))
	}
	return ctx.Err()
}

// Method is an attack's entry in the table.
type Method struct {
	Name       string
	About      string
	Paper      string
	CleanLabel bool // poisons images of the target class and leaves their labels
	Recipe     int  // counts up when what it learns from the same settings changes; see Env.Cache
	// Unlearnt clears the settings that what is learnt does not depend on, beside the rate; nil: none.
	Unlearnt func(c *Config)
	New      func(c Config, set *dataset.Set) (Trigger, error)
	Defaults func(c *Config) // nil: the common ones
}

// Methods is the table of attacks.
var Methods = []Method{badNets, trojan, blend, dynamic, sig, cleanLabel, featureCollision, dfst, latent, composite, custom}

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
	Classes int
	trigger Trigger
	lab     *Lab
}

// New checks the configuration and prepares the attack on the clean training set, which may take a
// training; what was learnt is found again in env's cache.
func New(ctx context.Context, c Config, train *dataset.Set, env Env) (*Attack, error) {
	a, err := open(c, train, env)
	if err != nil {
		return nil, err
	}
	if err := a.learn(ctx, train); err != nil {
		return nil, fmt.Errorf("attack %s: %w", c.Name, err)
	}
	return a, nil
}

func open(c Config, set *dataset.Set, env Env) (*Attack, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	m := method(c.Name)
	if c.Target >= len(set.Classes) {
		return nil, fmt.Errorf("attack %s: target %d is out of range, the classes are 0 to %d", c.Name, c.Target, len(set.Classes)-1)
	}
	t, err := m.New(c, set)
	if err != nil {
		return nil, fmt.Errorf("attack %s: %w", c.Name, err)
	}
	_, partly := t.(Coverer)
	if _, plain := t.(pixels); c.Cover > 0 && m.CleanLabel && !partly && !plain {
		return nil, fmt.Errorf("attack %s takes no covering images: it shows its trigger in test images alone", c.Name)
	}
	lab, err := newLab(c, env, set)
	if err != nil {
		return nil, err
	}
	return &Attack{Config: c, Method: m, Classes: len(set.Classes), trigger: t, lab: lab}, nil
}

// Truth tells which images of a training set an attack changed.
type Truth struct {
	Poisoned []bool // these carry the backdoor
	Covered  []bool // changed too, but with their own labels and no backdoor
}

// Changed returns the images that are either.
func (t *Truth) Changed() []bool {
	all := make([]bool, len(t.Poisoned))
	for i := range all {
		all[i] = t.Poisoned[i] || t.Covered[i]
	}
	return all
}

// Poison returns a poisoned copy of the training set.
func (a *Attack) Poison(ctx context.Context, train *dataset.Set) (poisoned *dataset.Set, truth *Truth, err error) {
	out := train.Clone()
	truth, err = a.PoisonInPlace(ctx, out, nil)
	return out, truth, err
}

// PoisonInPlace poisons the training set itself, which spares the memory of a copy. Images marked in
// taken, which may be nil, are left to another attack.
func (a *Attack) PoisonInPlace(ctx context.Context, train *dataset.Set, taken []bool) (*Truth, error) {
	var pool []int
	for i, l := range train.Labels {
		fits := (int(l) == a.Config.Target) == a.Method.CleanLabel || a.Config.AllToAll
		if fits && (taken == nil || !taken[i]) {
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
	t := &Truth{make([]bool, train.Len()), make([]bool, train.Len())}
	changed := make([]bool, train.Len())
	copy(changed, taken)
	chosen := a.choose(pool, n, "choice")
	for _, i := range chosen {
		t.Poisoned[i] = true
	}
	apply := func(name string, at []int, f func(context.Context, *Batch) error) error {
		b := &Batch{Set: train, At: at, Changed: changed, Stream: a.stream("train " + name)}
		if err := a.lab.cached(name, train, at, func() error { return f(ctx, b) }); err != nil {
			return fmt.Errorf("attack %s: %w", a.Config.Name, err)
		}
		for _, i := range at {
			changed[i] = true
		}
		return nil
	}
	if err := apply("poison", chosen, a.trigger.Apply); err != nil {
		return nil, err
	}
	for _, i := range chosen {
		train.Labels[i] = a.label(train.Labels[i])
	}
	if cover := a.cover(); cover != nil {
		_, partly := a.trigger.(Coverer)
		var rest []int
		for i, l := range train.Labels {
			if !changed[i] && (partly || int(l) != a.Config.Target || a.Config.AllToAll) {
				rest = append(rest, i)
			}
		}
		covers := a.choose(rest, min(len(rest), int(a.Config.Cover*float64(train.Len())+0.5)), "cover")
		for _, i := range covers {
			t.Covered[i] = true
		}
		if err := apply("cover", covers, cover); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// cover returns what changes covering images, or nil where there are none. A trigger that does not know a part of it
// that gives nothing away is laid whole over images that keep their labels: a regularised attack, which costs some
// success and makes what is planted harder to tell (Qi et al., Revisiting the Assumption of Latent Separability for
// Backdoor Defenses, ICLR 2023).
func (a *Attack) cover() func(context.Context, *Batch) error {
	if a.Config.Cover == 0 {
		return nil
	}
	if c, ok := a.trigger.(Coverer); ok {
		return c.Cover
	}
	return a.trigger.Apply
}

// label is what an image of class l is taken for once it carries the trigger.
func (a *Attack) label(l int32) int32 {
	if a.Config.AllToAll {
		return (l + 1) % int32(a.Classes)
	}
	return int32(a.Config.Target)
}

// choose draws n of pool, in ascending order.
func (a *Attack) choose(pool []int, n int, purpose string) []int {
	order := rng.Shuffle(a.Config.Seed, "attack "+a.Config.Name+" "+purpose, len(pool))
	at := make([]int, n)
	for k := range at {
		at[k] = pool[order[k]]
	}
	slices.Sort(at)
	return at
}

func (a *Attack) stream(part string) func(i int) *rand.Rand {
	return func(i int) *rand.Rand { return rng.Stream(a.Config.Seed, "attack "+a.Config.Name+" "+part, i) }
}

// Triggered returns the test images that are not of the target class, with the trigger and with
// the target as their label: a network's accuracy on them is the attack success rate. With
// AllToAll these are all test images, each labelled with the next class.
func (a *Attack) Triggered(ctx context.Context, test *dataset.Set) (*dataset.Set, error) {
	if c, ok := a.trigger.(Composer); ok {
		out, err := c.Compose(test, a.Config.Seed)
		if err != nil {
			return nil, err
		}
		for k := range out.Labels {
			out.Labels[k] = int32(a.Config.Target)
		}
		return out, nil
	}
	var keep []int
	for i, l := range test.Labels {
		if int(l) != a.Config.Target || a.Config.AllToAll {
			keep = append(keep, i)
		}
	}
	out := test.Subset(keep)
	if err := a.onTest(ctx, out, a.trigger.Apply); err != nil {
		return nil, err
	}
	for k := range out.Labels {
		out.Labels[k] = a.label(out.Labels[k])
	}
	return out, nil
}

// ErrSeveralClasses is Marked's error for attacks that put images of several classes together (CBA).
var ErrSeveralClasses = errors.New("its triggered images are of several classes and have no label of their own")

// Marked returns all test images with the trigger and with their own labels: a network's accuracy on those that are not
// of the target class is its robust accuracy, that on the target's own tells whether it takes the trigger for a sign
// against the target. Where a triggered image is of several classes the error is ErrSeveralClasses.
func (a *Attack) Marked(ctx context.Context, test *dataset.Set) (*dataset.Set, error) {
	if _, ok := a.trigger.(Composer); ok {
		return nil, fmt.Errorf("attack %s: %w", a.Config.Name, ErrSeveralClasses)
	}
	out := test.Clone()
	return out, a.onTest(ctx, out, a.trigger.Apply)
}

// Covered returns the test images changed as the covering images of the training set are, with their
// own labels, or nil if the attack has none: a network's accuracy on them tells whether the backdoor
// asks for the trigger itself (Dynamic's cross-trigger accuracy).
func (a *Attack) Covered(ctx context.Context, test *dataset.Set) (*dataset.Set, error) {
	c, ok := a.trigger.(Coverer)
	if !ok || a.Config.Cover <= 0 {
		return nil, nil
	}
	out := test.Clone()
	return out, a.onTest(ctx, out, c.Cover)
}

func (a *Attack) onTest(ctx context.Context, set *dataset.Set, f func(context.Context, *Batch) error) error {
	if err := f(ctx, &Batch{Set: set, At: isolate.Iota(set.Len()), Test: true, Stream: a.stream("test")}); err != nil {
		return fmt.Errorf("attack %s: %w", a.Config.Name, err)
	}
	return nil
}

// scaled turns a length given for images of 32 pixels into one for this size, at least 1.
func scaled(n, side int) int { return max(1, (n*side+16)/32) }

func toByte(v float64) uint8 { return uint8(min(255, max(0, v)) + 0.5) }
