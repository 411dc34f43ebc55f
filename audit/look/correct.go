package look

import (
	"context"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/evaluate"
)

var (
	sure   = Limit("right", "sure")   // probability of its own label from which a suspect that the looks are not sure of is kept
	shows  = Limit("right", "shows")  // probability of another class from which it is put under that one
	obeyed = Limit("right", "obeyed") // probability of their label that an ordinary network gives suspects, up to which it is believed
)

// correctedKey is the name of corrected labels in a run's checkpoint.
const correctedKey = "corrected"

// Correct looks for the label that each image shows which was found under a label where labels contradict what images show. The
// network that can't see triggers and the plain one, asked with the pattern of these images taken off, both say: their probabilities
// are multiplied. A plain network that was trained on most of these images has learnt their labels, and is left out.
//
// Where both are sure that an image shows the label that it came with, it gets no other one, and if the looks are not sure of it, it is
// no longer a suspect: some honest images are hard to tell for a network that can't see details. That holds only where the plain
// network does not give the suspects their label: else it has learnt the trigger from images that were not found.
func (c *Case) Correct(ctx context.Context) error {
	if !c.Settings.Content {
		return nil
	}
	wrong := make([]bool, len(c.Data.Classes))
	for _, e := range c.saved.Evidence {
		if e.Says == Poisoned && e.Label >= 0 {
			wrong[e.Label] = true
		}
	}
	for label, is := range wrong {
		if !is {
			c.forget(label)
		}
	}
	if !slices.Contains(wrong, true) {
		return nil
	}
	plain, err := c.Plain(ctx)
	if err != nil {
		return err
	}
	labels := slices.Repeat([]float32{-1}, c.Data.Len())
	corrected, cleared := 0, 0
	for y, images := range c.Of(func(i int) bool { return wrong[c.Data.Labels[i]] && c.Found()[i] > Flagged }) {
		if len(images) == 0 {
			continue
		}
		shown, err := c.shown(ctx, plain, y, images)
		if err != nil {
			return err
		}
		for k, i := range images {
			switch s := shown[k]; {
			case s.own >= sure && c.Found()[i] < Sure:
				c.Found()[i] = float32(1 - s.own)
				cleared++
			case s.own < sure && s.p >= shows:
				labels[i] = float32(s.label)
				corrected++
			}
		}
	}
	c.saved.Cleared = cleared
	c.run.Arrays[correctedKey] = labels
	for label := range wrong {
		c.forget(label)
	}
	c.Note("%d of the images that were found surely show another class; %d surely show their label, and are kept", corrected, cleared)
	return c.keep()
}

// otherwise is what a suspect shows: its own label with a probability, 0 where nothing is to be believed of that; and the likeliest
// other label, with its probability if it is not the own one.
type otherwise struct {
	own   float64
	label int
	p     float64
}

// shown tells what suspects under a label show.
func (c *Case) shown(ctx context.Context, plain *Plain, y int, images []int) ([]otherwise, error) {
	content, err := c.ContentOf(ctx, y) // of all images, and so for one label after the other
	if err != nil {
		return nil, err
	}
	if plain != nil {
		learnt := c.free()
		if len(Those(images, func(i int) bool { _, is := slices.BinarySearch(learnt, i); return is })) > len(images)/2 {
			plain = nil
		}
	}
	believed := plain != nil && plain.gives(images, y, len(c.Data.Classes)) <= obeyed
	lifted, err := c.lifted(ctx, plain, y, images)
	if err != nil {
		return nil, err
	}
	common := c.commonness()
	out := make([]otherwise, len(images))
	for k, i := range images {
		if believed {
			out[k].own = math.Exp(stat.LogSoftmax(joined(content.P.Row(i), plain.of(i, len(c.Data.Classes)), common), 1)[y])
		}
		p := content.P.Row(i)
		if len(p) == 2 { // then the other class is the likeliest other one, whatever an image shows
			p[y] = content.Own[i]
		}
		z := joined(p, lifted[k], common)
		if len(p) > 2 {
			z[y] = math.Inf(-1)
		}
		all := stat.LogSoftmax(z, 1)
		all[y] = math.Inf(-1)
		out[k].label = floats.MaxIdx(all)
		if out[k].p = math.Exp(all[out[k].label]); len(p) == 2 && !believed {
			out[k].p = 0
		}
	}
	return out, nil
}

// commonness is the logarithm of each class's share of the images that nothing was found in.
func (c *Case) commonness() []float64 {
	logs := make([]float64, len(c.Data.Classes))
	of := c.Of(func(i int) bool { return c.Found()[i] <= Flagged })
	for k := range logs {
		logs[k] = math.Log(float64(max(1, len(of[k]))) / float64(c.Data.Len()))
	}
	return logs
}

// joined multiplies the probabilities of two networks, as logarithms but for a constant; the second one's may be missing. Both know how
// common the classes are, which counts once.
func joined(p []float64, logits []float32, common []float64) []float64 {
	z := make([]float64, len(p))
	for k := range z {
		z[k] = math.Log(max(p[k], contentLeast))
		if logits != nil {
			z[k] += float64(logits[k]) - common[k]
		}
	}
	return z
}

// lifted asks the plain network of suspects under a label with their pattern taken off, which it never saw. It returns the logits of
// each; nil for all without that network, and as the images are where too few tell the pattern.
func (c *Case) lifted(ctx context.Context, plain *Plain, label int, images []int) ([][]float32, error) {
	out := make([][]float32, len(images))
	if plain == nil {
		return out, nil
	}
	p := c.pattern(label, c.Found())
	p.stamp = StampOf(c.Data, p.drawn(c, "with", p.with), p.drawn(c, "own", p.own), p.drawn(c, "others", p.others)) // they show other classes
	at := 0
	for some := range slices.Chunk(images, max(1, liftedBytes/c.Data.ImageBytes())) {
		set := c.Data.View(some)
		if len(p.with) >= StampFewest {
			set = evaluate.Redrawn(set, p.stamp.Inverse().Apply)
		}
		if err := plain.ask(ctx, set, func(k int, z []float32) { out[at+k] = slices.Clone(z) }); err != nil {
			return nil, err
		}
		at += len(some)
	}
	return out, nil
}

// liftedBytes are the pixels that a pattern is taken off at a time.
const liftedBytes = 64 << 20

// Cleared counts the images that were found, and kept since they surely show their label.
func (c *Case) Cleared() int { return c.saved.Cleared }

// Corrected returns the labels that Correct found, −1 where there is none.
func (c *Case) Corrected() []int32 {
	out := make([]int32, c.Data.Len())
	for i := range out {
		out[i] = -1
		if l := c.run.Arrays[correctedKey]; l != nil {
			out[i] = int32(l[i])
		}
	}
	return out
}
