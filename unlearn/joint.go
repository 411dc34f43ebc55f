// Package unlearn takes what isolated images taught out of a network.
package unlearn

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// Modes are the names that Options.Mode takes.
var Modes = []string{"joint", "split"}

// Options of gradient-ascent unlearning.
type Options struct {
	Mode      string  // "joint" (the paper's formula) or "split" (its code: ascent on the isolated images alone)
	Steps     int     // at most
	Rate      float64 // learning rate at the start; joint falls to 0 along a cosine, split keeps it
	Limit     float64 // isolated losses count up to here; +Inf for the unbounded formula
	Tolerance float64 // how much accuracy on the held-back images may fall, 0 to 1
	Unlearnt  float64 // accuracy on the isolated images below which they count as unlearnt, 0 to 1
	Every     int     // steps between two looks
	Kept      int     // kept images a step (joint)
	Isolated  int     // isolated images a step
	// Refine leaves out, in a second round of as many steps, kept images whose label the network
	// gave before the first round and no longer gives after it: they hung on what was unlearnt.
	Refine  bool
	Seed    uint64
	Augment augment.Options // of kept images
}

// Outcome says what unlearning did.
type Outcome struct {
	Steps    int     `json:"steps"`
	Isolated float64 `json:"isolated_accuracy"` // after
	Before   float64 `json:"held_back_accuracy_before"`
	After    float64 `json:"held_back_accuracy"`
	// RolledBack is whether the last network cost too much: the result is the best one before it that did not, if need be the
	// one that unlearning began with.
	RolledBack   bool    `json:"rolled_back"`
	Unlearnt     bool    `json:"unlearnt"`
	LowestBefore float64 `json:"isolated_accuracy_before"`
	Dropped      int     `json:"dropped"` // kept images left out by refinement
}

// Sets are the images that unlearning works with: indices into one data set.
type Sets struct {
	Data     *dataset.Set
	Kept     []int // trained on as they are
	Isolated []int // unlearnt
	HeldBack []int // only looked at: kept images that took no part in training
}

// Run changes state. It looks at the network every few steps: it stops when the isolated images are
// unlearnt, and returns to the best network seen when accuracy on the held-back images has fallen by
// more than the tolerance.
func Run(ctx context.Context, b backends.Backend, n *model.Network, state model.State, sets Sets, o Options, watch func(train.Progress)) (*Outcome, error) {
	kept := min(o.Kept, len(sets.Kept))
	if o.Mode == "split" {
		kept = 0
	} else if o.Mode != "joint" {
		return nil, fmt.Errorf("unlearning mode %q; there are joint and split", o.Mode)
	}
	isolated := min(o.Isolated, len(sets.Isolated))
	if isolated == 0 || len(sets.HeldBack) == 0 {
		return nil, fmt.Errorf("unlearning needs isolated and held-back images, got %d and %d", isolated, len(sets.HeldBack))
	}
	loss := train.Unlearn(o.Limit)
	step, err := train.NewStep(b, n, kept+isolated, train.DefaultSGD, loss)
	if err != nil {
		return nil, err
	}
	if err := step.Load(state, nil); err != nil {
		return nil, err
	}
	eval, err := evaluate.New(b, n)
	if err != nil {
		return nil, err
	}
	iso := sets.Data.Subset(sets.Isolated)
	held := sets.Data.Subset(sets.judges(iso.Counts()))
	look := func(s model.State) (isoAcc, heldAcc float64, err error) {
		if err := eval.Load(s); err != nil {
			return 0, 0, err
		}
		a, err := eval.Accuracy(ctx, iso)
		if err != nil {
			return 0, 0, err
		}
		h, err := eval.Accuracy(ctx, held)
		if err != nil {
			return 0, 0, err
		}
		return a.Accuracy, h.Accuracy, nil
	}
	out := &Outcome{}
	if out.LowestBefore, out.Before, err = look(state); err != nil {
		return nil, err
	}
	out.Isolated, out.After = out.LowestBefore, out.Before
	best := state.Clone() // the best network within the tolerance
	current := state.Clone()

	size := sets.Data.ImageBytes()
	x, y, w := make([]float32, step.Batch*size), make([]int32, step.Batch), make([]float32, step.Batch)
	for i := range w {
		if i < kept {
			w[i] = 1 / float32(kept)
		} else {
			w[i] = -1 / float32(isolated)
		}
	}
	schedule := train.Cosine(o.Rate)
	if o.Mode == "split" {
		schedule = train.Constant(o.Rate)
	}
	keptOrder, isoOrder := newCycle(o.Seed, "unlearn kept", len(sets.Kept)), newCycle(o.Seed, "unlearn isolated", len(sets.Isolated))
	refine := o.Refine && kept > 0
	total := o.Steps
	var balance []float32 // weight of each class once images were left out
	var known []bool      // kept images that the network labels as given, before
	if refine {
		total *= 2
		if known, err = labelled(ctx, eval, state, sets); err != nil {
			return nil, err
		}
	}
	for k := range total {
		if refine && k == o.Steps {
			if err := step.Store(current, nil); err != nil {
				return nil, err
			}
			if current.Finite() != nil {
				out.RolledBack = true
				break
			}
			now, err := labelled(ctx, eval, current, sets)
			if err != nil {
				return nil, err
			}
			var rest []int
			for j, i := range sets.Kept {
				if !known[j] || now[j] {
					rest = append(rest, i)
				}
			}
			if out.Dropped = len(sets.Kept) - len(rest); len(rest) < kept {
				out.RolledBack = true
				break
			}
			balance = classWeights(sets.Data, sets.Kept, rest)
			sets.Kept = rest
			keptOrder = newCycle(o.Seed, "unlearn refined", len(rest))
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for j := range step.Batch {
			var i int
			dst := x[j*size : (j+1)*size]
			if j < kept {
				i = sets.Kept[keptOrder.next()]
				o.Augment.Apply(dst, sets.Data.Image(i), sets.Data.Height, sets.Data.Width, rng.Stream(o.Seed, "unlearn augment", k, j))
			} else {
				i = sets.Isolated[isoOrder.next()]
				augment.Plain(dst, sets.Data.Image(i))
			}
			y[j] = sets.Data.Labels[i]
			if j < kept && balance != nil {
				w[j] = balance[y[j]] / float32(kept)
			}
		}
		l, err := step.Run(x, y, w, schedule(float64(k%o.Steps)/float64(o.Steps)), nil)
		if err != nil {
			return nil, err
		}
		if watch != nil {
			watch(train.Progress{Phase: "unlearn", Epoch: 1, Epochs: 1, Step: k + 1, Steps: total, Loss: l, Rate: o.Rate})
		}
		last := k+1 == total
		if (k+1)%o.Every != 0 && !last {
			continue
		}
		if err := step.Store(current, nil); err != nil {
			return nil, err
		}
		broken := math.IsNaN(l) || current.Finite() != nil
		isoAcc, heldAcc := out.Isolated, 0.0
		if !broken {
			if isoAcc, heldAcc, err = look(current); err != nil {
				return nil, err
			}
		}
		out.Steps = k + 1
		// Early in joint training accuracy dips and comes back: judge its end, or a collapse.
		if broken || last && out.Before-heldAcc > o.Tolerance || out.Before-heldAcc > 5*o.Tolerance && o.Mode == "split" {
			out.RolledBack = true
			break
		}
		if out.Before-heldAcc <= o.Tolerance && (isoAcc <= out.Isolated || last) && (!refine || k >= o.Steps) {
			out.Isolated, out.After = isoAcc, heldAcc
			for i := range best {
				copy(best[i].Data, current[i].Data)
			}
		}
		if isoAcc <= o.Unlearnt && o.Mode == "split" {
			break
		}
	}
	for i := range state {
		copy(state[i].Data, best[i].Data)
	}
	out.Unlearnt = out.Isolated <= o.Unlearnt
	return out, nil
}

// judges returns the held-back images that unlearning is judged by. Where most isolated images carry one label, as planted
// ones do, those under it are left out as long as others are there: among them may be poisoned ones, which a cleaned network
// no longer gives that label. Where no label has most of them, what is unlearnt may well be the look of a class.
func (s *Sets) judges(isolated []int) []int {
	top, all := slices.Max(isolated), 0
	for _, n := range isolated {
		all += n
	}
	if 2*top <= all {
		return s.HeldBack
	}
	label := int32(slices.Index(isolated, top))
	others := slices.DeleteFunc(slices.Clone(s.HeldBack), func(i int) bool { return s.Data.Labels[i] == label })
	if len(others) == 0 {
		return s.HeldBack
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

// labelled returns for each kept image whether the network gives it its label.
func labelled(ctx context.Context, e *evaluate.Evaluator, s model.State, sets Sets) ([]bool, error) {
	if err := e.Load(s); err != nil {
		return nil, err
	}
	l, err := e.Losses(ctx, sets.Data)
	if err != nil {
		return nil, err
	}
	known := make([]bool, len(sets.Kept))
	for j, i := range sets.Kept {
		known[j] = l[i] < math.Ln2 // the label has more than half of the probability
	}
	return known, nil
}

// cycle walks through shuffles of 0…n-1, one after another.
type cycle struct {
	seed    uint64
	purpose string
	n, turn int
	order   []int
}

func newCycle(seed uint64, purpose string, n int) *cycle {
	return &cycle{seed: seed, purpose: purpose, n: n}
}

func (c *cycle) next() int {
	if len(c.order) == 0 {
		c.order = rng.Shuffle(c.seed, c.purpose, c.n, c.turn)
		c.turn++
	}
	i := c.order[0]
	c.order = c.order[1:]
	return i
}
