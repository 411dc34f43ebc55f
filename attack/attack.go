// Package attack plants backdoors in training sets, for experiments: one file an attack, each with settings of its own, one
// interface. A program adds its own by a Method value; see the example.
package attack

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/dataset"
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

// others returns a function that draws for an image another one of the set, as it was before any attack where there are
// such images. done is to be called after its last use.
func (b *Batch) others() (other func(i int) []uint8, done func()) {
	changed, untouched := make([]bool, b.Set.Len()), b.Set.Len()
	copy(changed, b.Changed)
	for _, i := range b.At {
		changed[i] = true
	}
	for _, c := range changed {
		if c {
			untouched--
		}
	}
	source, done := b.Set, func() {}
	if untouched < 2 { // all of them change: look at a copy
		source, changed = source.Clone(), make([]bool, len(changed))
		done = source.Discard
	}
	other = func(i int) []uint8 {
		r := b.Stream(i)
		for {
			if j := r.IntN(source.Len()); (j != i || source.Len() == 1) && !changed[j] {
				return source.Image(j)
			}
		}
	}
	return other, done
}

// Coverer is a trigger that also changes images whose labels stay as they are, so that the part of
// it that they show gives nothing away: another image's pattern, a mix within a class.
type Coverer interface {
	Cover(ctx context.Context, b *Batch) error
}

// Selective is a trigger that is planted in images of some classes alone. Its covering images are of the others.
type Selective interface {
	Takes(class int) bool
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

// Attack is a configured attack on a data set.
type Attack struct {
	Config  Config
	Classes int
	trigger Trigger
	lab     *Lab
}

// New checks the configuration and prepares the attack on the clean training set, which may take a
// training; what was learnt is found again in env's cache. What it then changes are images of that size and those classes.
func New(ctx context.Context, c Config, train *dataset.Set, env Env) (*Attack, error) {
	if err := train.Check(); err != nil {
		return nil, fmt.Errorf("attack %s: %w", c.Method.Name, err)
	}
	a, err := open(c, train, env)
	if err != nil {
		return nil, err
	}
	if err := a.learn(ctx, train); err != nil {
		return nil, fmt.Errorf("attack %s: %w", c.Method.Name, err)
	}
	return a, nil
}

func open(c Config, set *dataset.Set, env Env) (*Attack, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	name := c.Method.Name
	if err := c.checkClasses(len(set.Classes)); err != nil {
		return nil, fmt.Errorf("attack %s: %w", name, err)
	}
	t, err := c.Own.Trigger(c.Common, set)
	if err != nil {
		return nil, fmt.Errorf("attack %s: %w", name, err)
	}
	if _, against := t.(perturbing); c.Cover > 0 && c.Method.CleanLabel && against {
		return nil, fmt.Errorf("attack %s takes no covering images: it shows its trigger in test images alone", name)
	}
	lab, err := newLab(c, env, set)
	if err != nil {
		return nil, err
	}
	return &Attack{Config: c, Classes: len(set.Classes), trigger: t, lab: lab}, nil
}

// check refuses images that the attack was not made ready for.
func (a *Attack) check(set *dataset.Set) error {
	return set.CheckFor(fmt.Sprintf("attack %s: the images", a.lab.Name), a.Classes, a.lab.height, a.lab.width)
}

func (a *Attack) stream(part string) func(i int) *rand.Rand {
	return func(i int) *rand.Rand { return rng.Stream(a.Config.Seed, "attack "+a.lab.Name+" "+part, i) }
}

// scaled turns a length given for images of 32 pixels into one for this size, at least 1.
func scaled(n, side int) int { return max(1, (n*side+16)/32) }

func toByte(v float64) uint8 { return uint8(min(255, max(0, v)) + 0.5) }

// oneOf reports a value that is none of those that there are.
func oneOf(key, value string, there ...string) error {
	if slices.Contains(there, value) {
		return nil
	}
	return fmt.Errorf("%s %q; there are %s", key, value, strings.Join(there, " and "))
}
