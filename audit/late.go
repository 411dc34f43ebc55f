package audit

import (
	"context"
	"math"

	"github.com/unpoison/unpoison/defense"
	"github.com/unpoison/unpoison/evaluate"
)

// A trigger that looks different in every image, and is in few of them, is learnt late: isolation ranks its images last, where
// the hard ones are. A network that has not learnt it yet takes its images for what they show, and a label then has more of
// those than other labels have images that look like it. A biased network that starts from them finds what they have in
// common, if it is anything. Where that was planted, most of what it finds besides looks like other classes too.

// lateRounds are enough for some hundred images to be found from a few dozen.
const lateRounds = 5

// late looks into the labels that have too many images which look like other classes. logits, [images, classes], are of a
// network trained as by somebody who suspects nothing, first and second its first and second choices. It returns what was seen
// of these labels, and adds to found, each image's probability of being poisoned, what is new.
func (d *detector) late(ctx context.Context, logits []float32, first []int, second [][]float64, found []float32) ([]defense.Target, error) {
	set := d.r.Data
	classes := len(set.Classes)
	told := make([]bool, classes) // labels under which something was found already
	for i, p := range found {
		told[set.Labels[i]] = told[set.Labels[i]] || p > flagged
	}
	suspects := make([][]int, classes) // the images of each label that look like another, and
	alike := make([]int, classes)      // how many under other labels look like it
	for i, own := range set.Labels {
		if found[i] > flagged || d.marked(i) || evaluate.CrossEntropy(logits[i*classes:(i+1)*classes], int(own)) < doubted {
			continue
		}
		suspects[own] = append(suspects[own], i)
		alike[first[i]]++
	}
	var targets []defense.Target
	for c, began := range suspects {
		n, others := float64(len(began)), float64(alike[c])
		surplus := (n - others) / math.Sqrt(max(1, n+others))
		if surplus < tooMany || len(began) < fewest || told[c] {
			continue
		}
		d.r.Note("%s: %d images look like other classes, %d under other labels like it: a biased network starts from them", set.Classes[c], len(began), alike[c])
		t, p, err := d.lookLate(ctx, c, began)
		if err != nil {
			return nil, err
		}
		t.Distance = surplus
		d.wrong(&t, p, began, first, second)
		t.Says = says(&t)
		d.r.Note("%s: %s, %d of %d images flagged, %d of %d under other labels; of those that it did not start from %.1f %% look like the label (of its other images %.1f), with a variety of %.3f (%.3f)",
			t.Class, t.Says, t.Flagged, t.Images, t.Leak, t.Others, 100*t.Agreement, 100*t.Usual, t.Variety, t.RestVariety)
		if t.Says == defense.Poisoned {
			for _, i := range d.under(c) {
				found[i] = p[i]
			}
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// lookLate trains biased networks on the suspects of a label, which are told from what was learnt first.
func (d *detector) lookLate(ctx context.Context, class int, suspects []int) (defense.Target, []float32, error) {
	images := d.under(class)
	early := images[:(len(images)+1)/2]
	t := d.target(class, defense.ByLate, images)
	honest := func(_ []float32, n int) []int { return d.draw("learnt early", early, n, class, t.Rounds) }
	p, err := d.rounds(ctx, &t, lateRounds, images, suspects, honest(nil, len(suspects)), honest)
	return t, p, err
}

// wrong tells how many of the label's images look like it: of those that were found besides the ones that the biased network
// started from, and of the rest; and how various they are.
func (d *detector) wrong(t *defense.Target, p []float32, began, first []int, second [][]float64) {
	skip := make(map[int]bool, len(began))
	for _, i := range began {
		skip[i] = true
	}
	var sides [2][]int
	for _, i := range d.under(t.Index) {
		b := bit(p[i] > flagged)
		if b == 0 || !skip[i] {
			sides[b] = append(sides[b], i)
		}
	}
	right := func(images []int) float64 {
		n := 0
		for _, i := range images {
			n += bit(first[i] == t.Index)
		}
		return float64(n) / float64(max(1, len(images)))
	}
	t.Pure = float64(len(sides[1])) / float64(max(1, t.Flagged))
	t.Agreement, t.Usual = right(sides[1]), right(sides[0])
	t.Variety, t.RestVariety = variety(second, sides[1]), variety(second, sides[0])
}
