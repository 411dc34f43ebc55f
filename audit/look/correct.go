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
// network that can't see triggers and the plain one, which was trained without what was found before it and is asked with the pattern
// of these images taken off, both say: their probabilities are multiplied. Where both are sure that an image shows the label that it
// came with, and the looks are not sure of it, it is no longer a suspect: some honest images are hard to tell for a network that can't
// see details. That holds only where the plain network does not give the suspects their label: else it has learnt the trigger from
// images that were not found.
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
	if !slices.Contains(wrong, true) {
		return nil
	}
	plain, err := c.Plain(ctx)
	if err != nil {
		return err
	}
	labels := slices.Repeat([]float32{-1}, c.Data.Len())
	corrected, cleared := 0, 0
	believed := plain != nil && c.given(plain, wrong) <= obeyed
	for y, images := range c.Of(func(i int) bool { return wrong[c.Data.Labels[i]] && c.Found()[i] > Flagged }) {
		if len(images) == 0 {
			continue
		}
		content, err := c.ContentOf(ctx, y) // of all images, and so for one label after the other
		if err != nil {
			return err
		}
		lifted, err := c.lifted(ctx, plain, y, images)
		if err != nil {
			return err
		}
		for k, i := range images {
			z := c.shown(content, plain, i)
			if p := math.Exp(stat.LogSoftmax(z, 1)[y]); believed && p >= sure && c.Found()[i] < Sure {
				c.Found()[i] = float32(1 - p)
				cleared++
				continue
			}
			z = joined(content.P[i], lifted[k])
			z[y] = math.Inf(-1)
			if label := floats.MaxIdx(z); math.Exp(stat.LogSoftmax(z, 1)[label]) >= shows {
				labels[i] = float32(label)
				corrected++
			}
		}
	}
	c.saved.Cleared = cleared
	c.run.Arrays[correctedKey] = labels
	c.Note("%d of the images that were found surely show another class; %d surely show their label, and are kept", corrected, cleared)
	return c.keep()
}

// shown returns the logarithms of the classes' probabilities for an image, but for a constant.
func (c *Case) shown(content *Content, plain *Plain, i int) []float64 {
	classes := len(c.Data.Classes)
	if plain == nil {
		return joined(content.P[i], nil)
	}
	return joined(content.P[i], plain.Logits[i*classes:(i+1)*classes])
}

// joined multiplies the probabilities of two networks, as logarithms but for a constant; the second one's may be missing.
func joined(p []float64, logits []float32) []float64 {
	z := make([]float64, len(p))
	for k := range z {
		z[k] = math.Log(max(p[k], contentLeast))
		if logits != nil {
			z[k] += float64(logits[k])
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
	set := c.Data.View(images)
	if len(p.with) >= StampFewest {
		set = evaluate.Redrawn(set, p.stamp.Inverse().Apply)
	}
	return out, plain.ask(ctx, set, func(k int, z []float32) { out[k] = slices.Clone(z) })
}

// given is the mean probability that the plain network gives the labels of what was found under some labels.
func (c *Case) given(plain *Plain, under []bool) float64 {
	classes := len(c.Data.Classes)
	sum, n := 0.0, 0
	z := make([]float64, classes)
	for i, y := range c.Data.Labels {
		if !under[y] || c.Found()[i] <= Flagged {
			continue
		}
		for k, v := range plain.Logits[i*classes : (i+1)*classes] {
			z[k] = float64(v)
		}
		sum += math.Exp(stat.LogSoftmax(z, 1)[y])
		n++
	}
	return sum / float64(max(1, n))
}

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
