package audit

import (
	"context"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/defense"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/train"
)

// The training takes this many steps at least, so that small sets get more epochs; fewer in tests.
var leastSteps = 1000

// inspect trains the run's network on what was not found before, as somebody would who suspects nothing, and parts each
// label's images by its features. It returns what was seen of the labels that hold two kinds of images, and adds to found,
// each image's probability of being poisoned, what is new.
func (d *detector) inspect(ctx context.Context, found []float32) ([]defense.Target, error) {
	set := d.r.Data
	rest := indicesOf(isolate.Iota(set.Len()), func(i int) bool { return found[i] <= flagged && !d.marked(i) })
	if err := d.r.Train(ctx, d.unsuspecting(rest), train.Mean, nil); err != nil {
		return nil, err
	}
	features, logits, err := evaluate.Features(ctx, d.r.Backend, d.r.Network, d.r.State, set)
	if err != nil {
		return nil, err
	}
	second := secondChoices(logits, set.Labels)
	rank := make([]int, set.Len())
	for k, i := range d.order {
		rank[i] = k
	}
	labels := slices.Clone(set.Labels)
	for i := range labels {
		if found[i] > flagged || d.marked(i) {
			labels[i] = -1
		}
	}
	first := firstChoices(logits, set.Len())
	targets := d.judge(first, second, found)
	all := groups(features, labels, rank, len(set.Classes))
	varieties := make([][2]float64, len(all)) // of each group, and of the label's other images
	for c, g := range all {
		if g != nil {
			varieties[c][0], varieties[c][1] = g.varieties(second)
		}
	}
	usualVariety := func(class int) float64 {
		return ofOthers(all, class, func(c int) float64 { return max(varieties[c][0], varieties[c][1]) })
	}
	for _, c := range d.question(second, found, usualVariety) {
		all[c] = nil
	}
	seen := d.sights(all, varieties, usualVariety, second, rank)
	if d.a.Unseen {
		if err := d.ask(ctx, seen, rest); err != nil {
			return nil, err
		}
	}
	for _, s := range seen {
		t := s.t
		if t.Isolated < d.a.Share && t.By == defense.ByFeatures {
			continue
		}
		d.r.Note("%s: %s, two groups of %d and %d images, %.2f apart (usual %.2f), %d in between, bimodality %.3f, early %.3f, variety %.3f and %.3f (usual %.3f); %.0f %% of the isolated images, %.0f %% of them in the first",
			t.Class, t.Says, t.Flagged, t.Images-t.Flagged, t.Distance, t.Usual, t.Between, t.Bimodality, t.Early, t.Variety, t.RestVariety, t.UsualVariety, 100*t.Isolated, 100*t.Pure)
		targets = append(targets, t)
		if t.Says == defense.Poisoned {
			for k, i := range s.g.images {
				found[i] = float32(s.g.sorted[k])
			}
		}
	}
	if !d.a.Late {
		return targets, nil
	}
	more, err := d.late(ctx, logits, first, second, found)
	return append(targets, more...), err
}

// sights describes what the features show of each label. varieties are those of each group and of the label's other images,
// rank is each image's place in the order of suspicion.
func (d *detector) sights(all []*group, varieties [][2]float64, usualVariety func(class int) float64, second [][]float64, rank []int) []*sight {
	set, isolated := d.r.Data, len(d.isolated())
	var seen []*sight
	for c, g := range all {
		if g == nil {
			continue
		}
		t := defense.Target{
			Class: set.Classes[c], Index: c, By: defense.ByFeatures, Images: len(g.images), Others: set.Len() - len(g.images),
			Distance: g.distance, Usual: usual(all, c), Bimodality: g.bimodality, Variety: varieties[c][0], RestVariety: varieties[c][1],
			UsualVariety: usualVariety(c),
		}
		for _, p := range g.p {
			if p > 1-sure && p < sure {
				t.Between++
			}
		}
		turned := t
		turned.Variety, turned.RestVariety = t.RestVariety, t.Variety
		if mislabelled(&turned) {
			t, g = turned, g.recut(second)
			t.Variety, t.RestVariety = g.varieties(second)
		}
		t.Early = g.early
		count, in := 0, 0 // of its isolated images
		for k, i := range g.images {
			if g.sorted[k] > flagged {
				t.Flagged++
			}
			if rank[i] < isolated {
				count++
				if g.p[k] > flagged {
					in++
				}
			}
		}
		t.Isolated, t.Pure = float64(count)/float64(isolated), float64(in)/float64(max(1, count))
		t.Says = says(&t)
		seen = append(seen, &sight{t, g})
	}
	return seen
}

// unsuspecting is a training on some images by somebody who suspects nothing.
func (d *detector) unsuspecting(images []int) *train.Phase {
	set := d.r.Data
	steps := max(1, len(images)/d.r.Batch)
	phase := &train.Phase{
		Name: "inspect", Data: set, Indices: images, Epochs: max(d.a.InspectEpochs, (leastSteps+steps-1)/steps), Schedule: train.OneCycle(d.o.TuneRate, 0.2), Seed: d.o.Seed,
	}
	if d.o.Augment {
		phase.Augment = augment.Standard(min(set.Height, set.Width), d.o.Flip)
	}
	return phase
}

// usual is the distance at which a label's groups would lie if they were as far apart as the other labels' are in the
// median, compared by what its number of images allows to chance; 0 if there are too few of them to tell. Wrong labels by chance make two kinds of images in every
// label: those that are right, learnt first, and those that are not.
func usual(all []*group, class int) float64 {
	others := 0
	for c, g := range all {
		others += bit(g != nil && c != class)
	}
	if others < otherLabels {
		return 0
	}
	return ofOthers(all, class, func(c int) float64 { return all[c].distance / least(len(all[c].images)) }) * least(len(all[class].images))
}

// ofOthers is the median of a value over the groups of the other labels, 0 if there are none.
func ofOthers(all []*group, class int, value func(c int) float64) float64 {
	values := make([]float64, len(all))
	for c, g := range all {
		if g != nil {
			values[c] = value(c)
		}
	}
	return median(values, func(c int) bool { return all[c] != nil && c != class })
}

// median is that of the values that are taken, 0 if there are none.
func median(values []float64, taken func(k int) bool) float64 {
	var all []float64
	for k, v := range values {
		if taken(k) {
			all = append(all, v)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return stat.Quantile(0.5, stat.LinInterp, all, nil)
}

// tally counts what is flagged and what is in between among a label's images.
func tally(t *defense.Target, images []int, p []float32) {
	t.Flagged, t.Between = 0, 0
	for _, i := range images {
		if p[i] > flagged {
			t.Flagged++
		}
		if p[i] > 1-sure && p[i] < sure {
			t.Between++
		}
	}
}
