package attack

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"math"
	"slices"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
)

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
	if err := a.check(train); err != nil {
		return nil, nil, err
	}
	out := train.Clone()
	if truth, err = a.PoisonInPlace(ctx, out, nil); err != nil {
		out.Discard()
		return nil, nil, err
	}
	return out, truth, nil
}

// PoisonInPlace poisons the training set itself, which spares the memory of a copy. Images marked in
// taken, which may be nil, are left to another attack. After an error the set may be half poisoned.
func (a *Attack) PoisonInPlace(ctx context.Context, train *dataset.Set, taken []bool) (*Truth, error) {
	if err := a.check(train); err != nil {
		return nil, err
	}
	if taken != nil && len(taken) != train.Len() {
		return nil, fmt.Errorf("attack %s: %d images are marked as taken or not, expected all %d", a.lab.Name, len(taken), train.Len())
	}
	chosen, err := a.victims(train, taken)
	if err != nil {
		return nil, err
	}
	changed := make([]bool, train.Len())
	copy(changed, taken)
	covers, err := a.covers(train, changed, chosen)
	if err != nil {
		return nil, err
	}
	lab, err := a.lab.on(ctx, train)
	if err != nil {
		return nil, err
	}
	train.InRGB()
	t := &Truth{make([]bool, train.Len()), make([]bool, train.Len())}
	apply := func(name string, at []int, mark []bool, f func(context.Context, *Batch) error) error {
		b := &Batch{Set: train, At: at, Changed: changed, Stream: a.stream("train " + name)}
		if err := lab.cached(name, train, at, func() error { return f(ctx, b) }); err != nil {
			return fmt.Errorf("attack %s: %w", a.lab.Name, err)
		}
		for _, i := range at {
			changed[i], mark[i] = true, true
		}
		return nil
	}
	before := prints(train, chosen)
	if err := a.showsInTest(ctx, train, chosen, before); err != nil {
		return nil, err
	}
	if err := apply("poison", chosen, t.Poisoned, a.trigger.Apply); err != nil {
		return nil, err
	}
	if slices.Equal(before, prints(train, chosen)) {
		return nil, a.shows("the images that it was put on", len(chosen))
	}
	label := a.stream("label")
	for _, i := range chosen {
		train.Labels[i] = a.Config.label(train.Labels[i], a.Classes, func(n int) int { return label(i).IntN(n) })
	}
	if cover := a.cover(); cover != nil {
		if err := apply("cover", covers, t.Covered, cover); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// shows is the error that a trigger shows in none of so many images.
func (a *Attack) shows(what string, images int) error {
	return fmt.Errorf("attack %s: the trigger changes no pixel of %s (%d, of %d×%d pixels); choose other settings than %s, or another --size",
		a.lab.Name, what, images, a.lab.width, a.lab.height, a.Config.Settings())
}

// showsInTest refuses a trigger that shows in no test image, whose success would be that of clean ones. It asks of some of the images to
// be planted, of which before are the prints: attacks have settings of their own for test images.
func (a *Attack) showsInTest(ctx context.Context, set *dataset.Set, chosen []int, before []uint64) error {
	if a.Composes() {
		return nil
	}
	const most = 256
	step := (len(chosen) + most - 1) / most
	var some []int
	var were []uint64
	for k := 0; k < len(chosen); k += step {
		some, were = append(some, chosen[k]), append(were, before[k])
	}
	marked, err := a.onTest(ctx, set, some, a.trigger.Apply)
	if err != nil {
		return err
	}
	defer marked.Discard()
	if slices.Equal(were, prints(marked, rng.Iota(len(some)))) {
		return a.shows("test images", len(some))
	}
	return nil
}

// printsSeed is any, and the same for all prints.
var printsSeed = maphash.MakeSeed()

// prints are numbers by which images that were changed are known.
func prints(set *dataset.Set, at []int) []uint64 {
	all := make([]uint64, len(at))
	for k, i := range at {
		all[k] = maphash.Bytes(printsSeed, set.Image(i))
	}
	return all
}

// Plant plants attacks in a training set itself, one after the other. Each learns from what it finds: the clean images, if it is the
// first. It leaves alone the images that the ones before it changed, and those marked in taken, which may be nil. each is told of
// every attack, by its place in the list, once it is planted. Two attacks that put the same trigger on an image are refused.
func Plant(ctx context.Context, configs []Config, train *dataset.Set, taken []bool, env Env, each func(k int, a *Attack, t *Truth)) error {
	if err := train.Check(); err != nil {
		return err
	}
	changed := make([]bool, train.Len())
	copy(changed, taken)
	few := train.Subset(rng.Shuffle(0, "attack same", train.Len())[:min(16, train.Len())])
	defer few.Discard()
	var before []*Attack
	for k, c := range configs {
		a, err := New(ctx, c, train, env)
		if err != nil {
			return err
		}
		for _, b := range before {
			if same, err := a.same(ctx, b, few); err != nil || same {
				return cmp.Or(err, fmt.Errorf("attacks %s and %s put the same trigger, pixel for pixel, on test images: neither success could be told from the other's; give one other settings, beside the target", b.lab.Name, a.lab.Name))
			}
		}
		before = append(before, a)
		t, err := a.PoisonInPlace(ctx, train, changed)
		if err != nil {
			return err
		}
		for i, is := range t.Changed() {
			changed[i] = changed[i] || is
		}
		each(k, a, t)
	}
	return nil
}

// same tells whether another attack makes the same of some test images, of classes that both take, and something of some of them.
func (a *Attack) same(ctx context.Context, other *Attack, some *dataset.Set) (bool, error) {
	both := func(class int) bool {
		for _, t := range []Trigger{a.trigger, other.trigger} {
			if s, ok := t.(Selective); ok && !s.Takes(class) {
				return false
			}
		}
		return true
	}
	if a.Composes() || other.Composes() || !slices.ContainsFunc(rng.Iota(a.Classes), both) {
		return false, nil
	}
	all := rng.Iota(some.Len())
	made := [][]uint64{prints(some, all)}
	for _, of := range []*Attack{a, other} {
		marked, err := of.Marked(ctx, some)
		if err != nil {
			return false, err
		}
		made = append(made, prints(marked, all))
		marked.Discard()
	}
	return slices.Equal(made[1], made[2]) && !slices.Equal(made[0], made[1]), nil
}

// victims chooses the images to poison among those that no other attack has taken.
func (a *Attack) victims(train *dataset.Set, taken []bool) ([]int, error) {
	var pool []int
	for i, l := range train.Labels {
		fits := a.Aims(int(l))
		if a.Config.Method.CleanLabel {
			fits = int(l) == a.Config.Target
		}
		if fits && (taken == nil || !taken[i]) {
			pool = append(pool, i)
		}
	}
	n := int(a.Config.Rate*float64(train.Len()) + 0.5)
	if n < 1 {
		return nil, fmt.Errorf("attack %s: rate %g is less than one of %d images; try %.2g", a.lab.Name, a.Config.Rate, train.Len(), min(0.5, 1/float64(train.Len()))) // 1 is no rate
	}
	if n > len(pool) {
		which := "outside the target class"
		if _, selective := a.trigger.(Selective); selective {
			which = "of the classes that it takes"
		}
		if a.Config.Method.CleanLabel {
			which = "in the target class"
		}
		return nil, fmt.Errorf("attack %s: rate %g needs %d images %s, there are %d%s", a.lab.Name, a.Config.Rate, n, which, len(pool), a.upTo(len(pool), train.Len()))
	}
	return a.choose(pool, n, "choice"), nil
}

// upTo names the highest rate that so many of all images are enough for, if there is one.
func (a *Attack) upTo(pool, all int) string {
	if pool == 0 {
		return ""
	}
	most := float64(pool) / float64(all)
	for unit := 1e3; ; unit *= 10 { // in as few digits as that takes, rounded down
		if rate := math.Floor(most*unit) / unit; int(rate*float64(all)+0.5) > 0 {
			return fmt.Sprintf("; try a rate up to %g", rate)
		}
	}
}

// covers chooses the covering images among those that were not changed, nor are chosen to be.
func (a *Attack) covers(train *dataset.Set, changed []bool, chosen []int) ([]int, error) {
	if a.cover() == nil {
		return nil, nil
	}
	_, partly := a.trigger.(Coverer)
	var rest []int
	for i, l := range train.Labels {
		if _, planted := slices.BinarySearch(chosen, i); !planted && !changed[i] && (partly || a.covering(l)) {
			rest = append(rest, i)
		}
	}
	n := int(a.Config.Cover*float64(train.Len()) + 0.5)
	if n > len(rest) {
		return nil, fmt.Errorf("attack %s: cover %g needs %d images that may keep their labels, there are %d", a.lab.Name, a.Config.Cover, n, len(rest))
	}
	return a.choose(rest, n, "cover"), nil
}

// covering tells whether images of a class may show the whole trigger under their own label.
func (a *Attack) covering(l int32) bool {
	if s, ok := a.trigger.(Selective); ok && s.Takes(int(l)) {
		return false
	}
	return a.Config.moves(l, a.Classes)
}

// cover returns what changes covering images, or nil where there are none. A trigger that does not know a part of it
// that gives nothing away is laid whole over images that keep their labels: a regularised attack, which costs some
// success and makes what is planted harder to tell (Qi et al., Revisiting the Assumption of Latent Separability for
// Backdoor Defenses, ICLR 2023).
func (a *Attack) cover() func(context.Context, *Batch) error {
	if a.Config.Cover == 0 {
		return nil
	}
	if d, ok := a.trigger.(*styled); ok && len(d.detox) == 0 {
		return nil
	}
	if c, ok := a.trigger.(Coverer); ok {
		return c.Cover
	}
	return a.trigger.Apply
}

// choose draws n of pool, in ascending order.
func (a *Attack) choose(pool []int, n int, purpose string) []int {
	order := rng.Shuffle(a.Config.Seed, "attack "+a.lab.Name+" "+purpose, len(pool))
	at := make([]int, n)
	for k := range at {
		at[k] = pool[order[k]]
	}
	slices.Sort(at)
	return at
}
