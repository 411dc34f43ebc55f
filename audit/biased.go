package audit

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/defense"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// An image is flagged above this probability; sure ones teach the next round.
const flagged, sure, unlikely = 0.5, 0.95, 0.3

// A round takes this many steps at least, fewer in tests: few images would else teach it nothing.
var roundSteps = 300

const biasedBatch = 64

// most is how many positives a round learns from.
const most = 2000

// detector looks for triggers among the images of some labels.
type detector struct {
	r      *train.Run
	o      abl.Options
	a      Options
	order  []int // the images without a pattern, most suspicious first
	scores []float32
	biased pupil
}

// isolated are the images that isolation sets aside, but for those with a pattern.
func (d *detector) isolated() []int { return d.order[:isolate.Count(d.o.Isolation, len(d.order))] }

// find looks into every label that many isolated images carry. It reports what was seen of each and puts the images'
// probability of being poisoned into found. After a label it saves, since each takes minutes.
func (d *detector) find(ctx context.Context, found []float32) error {
	set := d.r.Data
	if d.a.Rounds == 0 {
		return nil
	}
	isolated := d.isolated()
	count := make([]int, len(set.Classes))
	for _, i := range isolated {
		count[set.Labels[i]]++
	}
	first := 0
	for _, t := range decode(d.r.Arrays["targets"], set.Classes) {
		if t.By == defense.ByBiased { // looked into before an interruption
			first = t.Index + 1
		}
	}
	for c := first; c < len(count); c++ {
		if float64(count[c]) < d.a.Share*float64(len(isolated)) {
			continue
		}
		t, p, err := d.look(ctx, c, isolated)
		if err != nil {
			return err
		}
		d.r.Note("%s: %s, %d of %d images flagged, %d of %d under other labels, %d in between, rounds agree to %.3f",
			set.Classes[c], t.Says, t.Flagged, t.Images, t.Leak, t.Others, t.Between, t.Agreement)
		if t.Says == defense.Poisoned {
			for _, i := range d.under(c) {
				found[i] = p[i]
			}
		}
		d.report(t)
		if err := d.r.Save(); err != nil {
			return err
		}
	}
	return nil
}

// look trains biased networks on the suspects of a label, in rounds. It stops early where the first sees its suspects in other
// labels too.
func (d *detector) look(ctx context.Context, class int, isolated []int) (defense.Target, []float32, error) {
	images := d.under(class)
	positives := indicesOf(isolated, func(i int) bool { return int(d.r.Data.Labels[i]) == class })
	latest := images[len(images)-min(len(positives), len(images)/4):] // learnt last: the least likely to carry a trigger
	t := d.target(class, defense.ByBiased, images)
	p, err := d.rounds(ctx, &t, d.a.Rounds, images, positives, latest, func(p []float32, n int) []int {
		low := indicesOf(images, func(i int) bool { return p[i] < unlikely })
		slices.SortStableFunc(low, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
		low = low[:(len(low)+1)/2]                                                                      // the surest
		slices.SortStableFunc(low, func(a, b int) int { return cmp.Compare(d.scores[b], d.scores[a]) }) // and the last learnt
		return low[:min(len(low)/2, n)]
	})
	t.Says = says(&t)
	return t, p, err
}

// under returns the images of a label, most suspicious first.
func (d *detector) under(class int) []int {
	return indicesOf(d.order, func(i int) bool { return int(d.r.Data.Labels[i]) == class })
}

// target describes a label of which nothing was seen yet.
func (d *detector) target(class int, by string, images []int) defense.Target {
	return defense.Target{Class: d.r.Data.Classes[class], Index: class, By: by, Images: len(images), Others: len(d.order) - len(images)}
}

// rounds trains biased networks on suspects among a label's images, until two flag the same: what one is sure of teaches the
// next. They are told from other labels' images, and from some of their own: honest at first, those that own returns in later
// rounds, at most so many. It returns every image's probability of being like the suspects.
func (d *detector) rounds(ctx context.Context, t *defense.Target, rounds int, images, suspects, honest []int, own func(p []float32, n int) []int) ([]float32, error) {
	class := t.Index
	negatives := slices.Concat(d.others(class, 0, 2*len(suspects)), honest)
	var before, p []float32
	for round := range rounds {
		var err error
		if p, err = d.train(ctx, class, round, suspects, negatives); err != nil {
			return nil, err
		}
		t.Rounds = round + 1
		tally(t, images, p)
		t.Leak = 0
		for _, i := range d.order {
			if int(d.r.Data.Labels[i]) != class && p[i] > flagged {
				t.Leak++
			}
		}
		t.Agreement = agreement(before, p, images)
		if round == 0 && hopeless(t) || t.Agreement > 0.999 {
			break
		}
		before = p
		suspects = d.draw("biased positives", indicesOf(images, func(i int) bool { return p[i] > sure }), most, class, round)
		if len(suspects) == 0 {
			break
		}
		negatives = slices.Concat(d.others(class, round+1, 2*len(suspects)), own(p, len(suspects)))
	}
	return p, nil
}

// others draws n images of other labels, the most suspicious quarter left out.
func (d *detector) others(class, round, n int) []int {
	pool := indicesOf(d.order[len(d.order)/4:], func(i int) bool { return int(d.r.Data.Labels[i]) != class })
	return d.draw("biased negatives", pool, n, class, round)
}

// draw returns n images of some, or all if there are fewer, by the seed.
func (d *detector) draw(purpose string, images []int, n int, numbers ...int) []int {
	order := rng.Shuffle(d.o.Seed, purpose, len(images), numbers...)
	out := make([]int, min(n, len(images)))
	for k := range out {
		out[k] = images[order[k]]
	}
	return out
}

// pupil is what all biased networks have in common: XLA compiles longer than a round trains.
type pupil struct {
	network *model.Network
	step    *train.Step
	eval    *evaluate.Evaluator
}

// compile readies the pupil for batches of a size, unless it is.
func (n *pupil) compile(d *detector, batch int) (err error) {
	if n.network == nil {
		if n.network, err = model.New(d.a.Network, 2, d.r.Data.Height, d.r.Data.Width); err != nil {
			return err
		}
		if n.eval, err = evaluate.New(d.r.Backend, n.network); err != nil {
			return err
		}
	}
	if n.step == nil || n.step.Batch != batch {
		n.step, err = train.NewStep(d.r.Backend, n.network, batch, train.DefaultSGD, train.Mean)
	}
	return err
}

// train returns every image's probability of being like the positives.
func (d *detector) train(ctx context.Context, class, round int, positives, negatives []int) ([]float32, error) {
	set := d.r.Data
	lesson := set.Subset(slices.Concat(positives, negatives))
	lesson.Classes = []string{"other", "suspect"}
	for k := range lesson.Labels {
		lesson.Labels[k] = 0
		if k < len(positives) {
			lesson.Labels[k] = 1
		}
	}
	n := &d.biased
	if err := n.compile(d, min(biasedBatch, lesson.Len())); err != nil {
		return nil, err
	}
	seed := d.o.Seed ^ uint64(class*100+round+1)<<32
	b := &train.Run{Backend: d.r.Backend, Network: n.network, Data: lesson, Seed: seed, Watch: d.progress("detect")}
	if _, err := b.Start(false); err != nil {
		return nil, err
	}
	epochs := max(d.a.Epochs, roundSteps*biasedBatch/lesson.Len())
	phase := &train.Phase{Name: "biased", Data: lesson, Indices: isolate.Iota(lesson.Len()), Epochs: epochs, Schedule: train.OneCycle(0.1, 0.2), Seed: seed}
	if err := b.TrainWith(ctx, phase, n.step, nil); err != nil {
		return nil, err
	}
	if err := n.eval.Load(b.State); err != nil {
		return nil, err
	}
	// The loss of the label "suspect" is the logarithm of its probability.
	asked := *set
	asked.Classes, asked.Labels = lesson.Classes, slices.Repeat([]int32{1}, set.Len())
	losses, err := n.eval.Losses(ctx, &asked)
	if err != nil {
		return nil, err
	}
	for i, l := range losses {
		losses[i] = float32(math.Exp(-float64(l)))
	}
	return losses, nil
}

// progress passes on how far the training of another network has come, as part of a stage; nil for nobody.
func (d *detector) progress(stage string) func(train.Event) {
	if d.r.Watch == nil {
		return nil
	}
	return func(e train.Event) {
		if e.Progress != nil {
			e.Stage = stage
			d.r.Watch(e)
		}
	}
}

// agreement is the Jaccard index of what two rounds flag; 0 if there was only one.
func agreement(before, now []float32, images []int) float64 {
	if before == nil {
		return 0
	}
	both, any := 0, 0
	for _, i := range images {
		a, b := before[i] > flagged, now[i] > flagged
		if a && b {
			both++
		}
		if a || b {
			any++
		}
	}
	return float64(both) / float64(max(1, any))
}
