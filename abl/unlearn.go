package abl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// Modes returns the ways to unlearn: joint is the paper's formula, split its published code, ascent on the isolated images alone.
func Modes() []string { return []string{"joint", "split"} }

// Images a step of unlearning.
const stepKept, stepIsolated = 128, 64

// An image's label counts as unlearnt when no more than this share of the isolated images still gets it.
const unlearntBelow = 0.05

// Outcome says what unlearning did.
type Outcome struct {
	Steps    int     `json:"steps"`
	Isolated float64 `json:"isolated_accuracy"` // after
	Before   float64 `json:"held_back_accuracy_before"`
	After    float64 `json:"held_back_accuracy"`
	// RolledBack is whether the last network cost too much: the result is the best one before it that did not, if need be the
	// one that unlearning began with. Why says what else it was than a cost in accuracy, if it was.
	RolledBack   bool    `json:"rolled_back"`
	Why          string  `json:"rolled_back_because,omitempty"`
	Unlearnt     bool    `json:"unlearnt"`
	LowestBefore float64 `json:"isolated_accuracy_before"`
	Dropped      int     `json:"dropped"` // kept images left out by refinement; 0 where nothing came of it
	Images       int     `json:"images"`  // shown to be kept (joint) or to be unlearnt (split), in all steps
}

// errEnough ends a round.
var errEnough = errors.New("unlearnt, or rolled back")

// Because says why unlearning was rolled back.
func (o *Outcome) Because() string {
	return cmp.Or(o.Why, "it cost more accuracy on held-out images than the tolerance allows")
}

// back rolls back; why says what else it was than a cost in accuracy.
func (u *unlearning) back(why string) { u.out.RolledBack, u.out.Why = true, why }

const diverged = "it diverged: the network no longer computed with numbers; a lower learning rate may do it"

// Unlearn takes what the isolated images taught out of a network, whose state it changes. It looks at the network every few
// steps: it stops when the isolated images are unlearnt, and returns to the best network seen when accuracy on the
// held-back images has fallen by more than the tolerance. Of the options the unlearning's, the seed and the augmentation
// count. watch may be nil.
func Unlearn(ctx context.Context, b backends.Backend, n *model.Network, state model.State, set *dataset.Set, parts *isolate.Parts, o Options, watch func(train.Progress)) (*Outcome, error) {
	if !slices.Contains(Modes(), o.Unlearn) {
		return nil, fmt.Errorf("unlearning mode %q; there are joint and split", o.Unlearn)
	}
	if err := o.checkUnlearning(); err != nil {
		return nil, err
	}
	if len(parts.Isolated) == 0 || len(parts.HeldBack) == 0 {
		return nil, fmt.Errorf("unlearning needs isolated and held-back images, got %d and %d", len(parts.Isolated), len(parts.HeldBack))
	}
	if err := set.CheckFor("the images", n.Classes, n.Height, n.Width, parts.Kept, parts.Isolated, parts.HeldBack); err != nil {
		return nil, err
	}
	if err := set.Several("images that are no suspects", slices.Concat(parts.Kept, parts.HeldBack)); err != nil {
		return nil, fmt.Errorf("%w: the network would forget all others, and nothing would tell; give images of all classes that it knows", err)
	}
	u := &unlearning{o: o, set: set, kept: parts.Kept, isolated: parts.Isolated, steps: o.stepsOf(parts), current: state.Clone(), best: state.Clone(), watch: watch}
	u.stepKept, u.stepIsolated = o.images(len(parts.Kept), len(parts.Isolated))
	u.refine = o.Refine && u.stepKept > 0
	if o.Augment {
		u.augment = augment.Standard(min(n.Height, n.Width), o.Flip)
	}
	var err error
	if u.learner, err = train.NewClassifier(b, n, u.current, u.stepKept+u.stepIsolated, train.DefaultSGD(), train.Unlearn(o.limit(n))); err != nil {
		return nil, err
	}
	if u.eval, err = evaluate.New(b, n); err != nil {
		return nil, err
	}
	u.judgedBy(parts.HeldBack)
	if err := u.run(ctx); err != nil {
		return nil, err
	}
	for i := range state {
		copy(state[i].Data, u.best[i].Data)
	}
	u.out.Unlearnt = u.out.Isolated <= unlearntBelow
	return &u.out, nil
}

// limit is the loss that isolated images are pushed to: that of a uniform guess, ln(classes), unless one is given; a negative
// one means none.
func (o Options) limit(n *model.Network) float64 {
	switch {
	case o.UnlearnLimit == 0:
		return math.Log(float64(n.Classes))
	case o.UnlearnLimit < 0:
		return math.Inf(1)
	}
	return o.UnlearnLimit
}

// images returns how many of so many kept and isolated images a step shows.
func (o Options) images(kept, isolated int) (ofKept, ofIsolated int) {
	if o.Unlearn == "split" {
		kept = 0
	}
	return min(stepKept, kept), min(stepIsolated, isolated)
}

// stepsOf returns how many steps at most a round of unlearning takes.
func (o Options) stepsOf(p *isolate.Parts) int {
	kept, isolated := o.images(len(p.Kept), len(p.Isolated))
	if o.UnlearnEpochs <= 0 {
		return o.UnlearnSteps
	}
	of, step := len(p.Kept), kept
	if o.Unlearn == "split" {
		of, step = len(p.Isolated), isolated
	}
	return int(math.Ceil(o.UnlearnEpochs * float64(of) / float64(max(1, step))))
}

// unlearning is one in progress.
type unlearning struct {
	o              Options
	set            *dataset.Set
	kept, isolated []int
	stepKept       int // images a step
	stepIsolated   int
	steps          int // of a round
	refine         bool
	augment        augment.Options // of kept images
	watch          func(train.Progress)

	learner       *train.Learner
	eval          *evaluate.Evaluator
	iso, held     *dataset.Set
	current, best model.State // best is the best network within the tolerance
	dropped       int         // kept images left out by refinement
	balance       []float32   // weight of each class once images were left out
	out           Outcome
}

// judgedBy makes the sets that unlearning is judged by.
func (u *unlearning) judgedBy(heldBack []int) {
	u.iso = u.set.View(u.isolated)
	u.held = u.set.View(judges(u.set, heldBack, u.iso.Counts()))
}

// run does one round, or two. The second leaves out kept images whose label the network gave before the first and no longer
// gives after it: they hung on what was unlearnt.
func (u *unlearning) run(ctx context.Context) error {
	var err error
	if u.out.LowestBefore, u.out.Before, err = u.look(ctx); err != nil {
		return err
	}
	u.out.Isolated, u.out.After = u.out.LowestBefore, u.out.Before
	iso := newCycle(u.o.Seed, "unlearn isolated", len(u.isolated))
	if !u.refine {
		return u.round(ctx, 0, u.steps, newCycle(u.o.Seed, "unlearn kept", len(u.kept)), iso)
	}
	known, err := u.labelled(ctx)
	if err != nil {
		return err
	}
	if err := u.round(ctx, 0, u.steps, newCycle(u.o.Seed, "unlearn kept", len(u.kept)), iso); err != nil || u.out.RolledBack {
		return err
	}
	if err := u.drop(ctx, known); err != nil || u.out.RolledBack {
		return err
	}
	return u.round(ctx, u.steps, 2*u.steps, newCycle(u.o.Seed, "unlearn refined", len(u.kept)), iso)
}

// round does the steps from first to last−1.
func (u *unlearning) round(ctx context.Context, first, last int, kept, iso *cycle) error {
	schedule := train.Cosine(u.o.UnlearnRate)
	if u.o.Unlearn == "split" {
		schedule = train.Constant(u.o.UnlearnRate)
	}
	total := u.steps
	if u.refine {
		total *= 2
	}
	err := train.Loop(ctx, u.set, u.stepKept+u.stepIsolated, first, last, func(k int, b *train.Batch) { u.fill(k, b, kept, iso) }, func(k int, b *train.Batch) error {
		rate := schedule(float64(k%u.steps) / float64(u.steps))
		loss, err := u.learner.Step([]float64{rate}, b.X, b.Labels, b.Weights)
		var tooLarge *train.DivergedError
		if err != nil && !errors.As(err, &tooLarge) { // a diverged one is rolled back at the next look
			return err
		}
		if u.watch != nil {
			u.watch(train.Progress{Phase: "unlearn", Epoch: 1, Epochs: 1, Step: k + 1, Steps: total, Loss: loss, Rate: rate})
		}
		return u.judge(ctx, k, total, math.IsNaN(loss))
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// fill assembles a batch: kept images with positive weights, that add up to 1, and isolated ones with negative weights.
func (u *unlearning) fill(k int, b *train.Batch, kept, iso *cycle) {
	size := u.set.ImageBytes()
	for j := range b.Images {
		dst := b.X[j*size : (j+1)*size]
		var i int
		if j < u.stepKept {
			i = u.kept[kept.next()]
			u.augment.Apply(dst, u.set.Image(i), u.set.Height, u.set.Width, rng.Stream(u.o.Seed, "unlearn augment", k, j))
			b.Weights[j] = 1 / float32(u.stepKept)
			if u.balance != nil {
				b.Weights[j] = u.balance[u.set.Labels[i]] / float32(u.stepKept)
			}
		} else {
			i = u.isolated[iso.next()]
			augment.Plain(dst, u.set.Image(i))
			b.Weights[j] = -1 / float32(u.stepIsolated)
		}
		b.Images[j], b.Labels[j] = i, u.set.Labels[i]
	}
}

// judge looks at the network after step k, if it is time to, and keeps it if it is the best so far.
func (u *unlearning) judge(ctx context.Context, k, total int, broken bool) error {
	every, split, last := 20, u.o.Unlearn == "split", k+1 == total
	if split {
		every = 1
	}
	if (k+1)%every != 0 && !last {
		return nil
	}
	if err := u.learner.Store(); err != nil {
		return err
	}
	isoAcc, heldAcc := u.out.Isolated, 0.0
	if broken = broken || u.current.Finite() != nil; !broken {
		var err error
		isoAcc, heldAcc, err = u.look(ctx)
		if broken = errors.Is(err, evaluate.ErrNotFinite); err != nil && !broken {
			return err
		}
	}
	u.out.Steps, u.out.Images = k+1, (k+1)*u.stepKept
	if split {
		u.out.Images = (k + 1) * u.stepIsolated
	}
	lost := u.out.Before - heldAcc
	// Early in joint training accuracy dips and comes back: judge its end, or a collapse.
	if broken {
		u.back(diverged)
		return errEnough
	}
	if last && lost > u.o.Tolerance || split && lost > 5*u.o.Tolerance {
		u.back("")
		return errEnough
	}
	if lost <= u.o.Tolerance && (isoAcc <= u.out.Isolated || last) && (!u.refine || k >= u.steps) {
		u.out.Isolated, u.out.After, u.out.Dropped = isoAcc, heldAcc, u.dropped
		for i := range u.best {
			copy(u.best[i].Data, u.current[i].Data)
		}
	}
	if split && isoAcc <= unlearntBelow {
		u.out.RolledBack = lost > u.o.Tolerance
		return errEnough
	}
	return nil
}

// look returns the current network's accuracy on the isolated and the held-back images.
func (u *unlearning) look(ctx context.Context) (isolated, heldBack float64, err error) {
	if err := u.eval.Load(u.current); err != nil {
		return 0, 0, err
	}
	i, err := u.eval.Measure(ctx, u.iso)
	if err != nil {
		return 0, 0, err
	}
	h, err := u.eval.Measure(ctx, u.held)
	if err != nil {
		return 0, 0, err
	}
	return i.Accuracy, h.Accuracy, nil
}

// drop leaves out the kept images that were known before and are not any more.
func (u *unlearning) drop(ctx context.Context, known []bool) error {
	if err := u.learner.Store(); err != nil {
		return err
	}
	if u.current.Finite() != nil {
		u.back(diverged)
		return nil
	}
	now, err := u.labelled(ctx)
	if err != nil {
		return err
	}
	var rest []int
	for j, i := range u.kept {
		if !known[j] || now[j] {
			rest = append(rest, i)
		}
	}
	if u.dropped = len(u.kept) - len(rest); len(rest) < u.stepKept {
		u.back(fmt.Sprintf("the first round took their label from %d of %d kept images, and no step can be made of the rest; --refine=false or a lower learning rate may do it", u.dropped, len(u.kept)))
		return nil
	}
	u.balance, u.kept = classWeights(u.set, u.kept, rest), rest
	return nil
}

// labelled returns for each kept image whether the current network gives it its label.
func (u *unlearning) labelled(ctx context.Context) ([]bool, error) {
	if err := u.eval.Load(u.current); err != nil {
		return nil, err
	}
	l, err := u.eval.Losses(ctx, u.set)
	if err != nil {
		return nil, err
	}
	known := make([]bool, len(u.kept))
	for j, i := range u.kept {
		known[j] = l[i] < math.Ln2 // the label has more than half of the probability
	}
	return known, nil
}

// judges returns the held-back images that unlearning is judged by. Where most isolated images carry one label, as planted
// ones do, those under it are left out as long as others are there: among them may be poisoned ones, which a cleaned network
// no longer gives that label. Where no label has most of them, what is unlearnt may well be the look of a class. isolated
// counts them for each label.
func judges(set *dataset.Set, heldBack, isolated []int) []int {
	top, all := slices.Max(isolated), 0
	for _, n := range isolated {
		all += n
	}
	if 2*top <= all {
		return heldBack
	}
	label := int32(slices.Index(isolated, top))
	others := slices.DeleteFunc(slices.Clone(heldBack), func(i int) bool { return set.Labels[i] == label })
	if len(others) == 0 {
		return heldBack
	}
	return others
}

// maxClassWeight bounds how much the images left of a class can stand in for those left out.
const maxClassWeight = 5

// classWeights makes up for classes that lost more images than others: a clean-label attack takes
// most of one class with it.
func classWeights(set *dataset.Set, before, after []int) []float32 {
	n, m := make([]float32, len(set.Classes)), make([]float32, len(set.Classes))
	for _, i := range before {
		n[set.Labels[i]]++
	}
	for _, i := range after {
		m[set.Labels[i]]++
	}
	for c := range n {
		n[c] = min(maxClassWeight, n[c]/max(1, m[c]))
	}
	return n
}
