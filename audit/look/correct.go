package look

import (
	"context"
	"math"
	"slices"

	"github.com/unpoison/unpoison/audit/stat"
)

// sure is the probability above which an image is put under the label that it shows.
var sure = Limit("right", "sure")

// correctedKey is the name of corrected labels in a run's checkpoint.
const correctedKey = "corrected"

// Correct looks for the label that each image shows which was found under a label where labels contradict what images show. The
// network that can't see triggers and the plain one, which was trained without what was found before it, both say: their
// probabilities are multiplied. The label that the image came with is left out.
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
	shown := make([]*Content, len(wrong))
	for label := range wrong {
		var err error
		if shown[label], err = c.ContentOf(ctx, label); err != nil {
			return err
		}
	}
	plain, err := c.Plain(ctx)
	if err != nil {
		return err
	}
	labels := make([]float32, c.Data.Len())
	n := 0
	for i, y := range c.Data.Labels {
		labels[i] = -1
		if !wrong[y] || c.Found()[i] <= Flagged {
			continue
		}
		if label, p := c.shown(shown[y], plain, i); p >= sure {
			labels[i] = float32(label)
			n++
		}
	}
	c.run.Arrays[correctedKey] = labels
	c.Note("%d of the images that were found surely show another class", n)
	return nil
}

// shown returns the class that an image shows, but for its label, and its probability.
func (c *Case) shown(content *Content, plain *Plain, i int) (label int, p float64) {
	classes := len(c.Data.Classes)
	z := make([]float64, classes)
	for k := range z {
		z[k] = math.Log(max(content.P[i][k], contentLeast))
		if plain != nil {
			z[k] += float64(plain.Logits[i*classes+k])
		}
	}
	z[c.Data.Labels[i]] = math.Inf(-1)
	for k, l := range stat.LogSoftmax(z, 1) {
		if e := math.Exp(l); e > p {
			label, p = k, e
		}
	}
	return label, p
}

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
