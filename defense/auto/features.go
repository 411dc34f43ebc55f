package auto

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/defense"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

// A training takes this many steps at least.
var leastSteps = 1000

// inspect trains the run's network on what was not found before, as somebody would who suspects nothing, and parts each
// label's images by its features. It returns what was seen of the labels that hold two kinds of images, and each image's
// probability of being of the kind that isolation ranks first.
func (d *detector) inspect(ctx context.Context, found []float32) ([]defense.Target, []float32, error) {
	set := d.r.Data
	rest := indicesOf(isolate.Iota(set.Len()), func(i int) bool { return found[i] <= flagged })
	if err := d.r.Train(ctx, d.phase("inspect", set, rest, d.a.InspectEpochs), train.Mean, nil); err != nil {
		return nil, nil, err
	}
	features, err := evaluate.Features(ctx, d.r.Backend, d.r.Network, d.r.State, set)
	if err != nil {
		return nil, nil, err
	}
	rank := make([]int, set.Len())
	for k, i := range d.order {
		rank[i] = k
	}
	isolated := max(1, int(d.o.Isolation*float64(set.Len())+0.5))
	labels := slices.Clone(set.Labels)
	for i, v := range found {
		if v > flagged {
			labels[i] = -1
		}
	}
	p := make([]float32, set.Len())
	var targets []defense.Target
	for c, g := range groups(features, labels, rank, len(set.Classes)) {
		if g == nil {
			continue
		}
		count, in := 0, 0 // of its isolated images
		for k, i := range g.images {
			p[i] = float32(g.p[k])
			if rank[i] < isolated {
				count++
				if p[i] > flagged {
					in++
				}
			}
		}
		t := defense.Target{
			Class: set.Classes[c], Index: c, Images: len(g.images), Others: set.Len() - len(g.images), Rounds: 1, By: byFeatures,
			Isolated: float64(count) / float64(isolated), Pure: float64(in) / float64(max(1, count)), Distance: g.distance, Bimodality: g.bimodality, Early: g.early,
		}
		tally(&t, g.images, p)
		two, _ := apart(&t)
		if two && t.Isolated >= d.a.Share {
			targets = append(targets, t)
		}
		if two || t.Isolated >= d.a.Share {
			d.r.Note("%s: %.0f %% of the isolated images (%.0f %% of them in the first group); groups of %d and %d, %.2f apart, %d in between, bimodality %.3f, early %.3f",
				t.Class, 100*t.Isolated, 100*t.Pure, t.Flagged, t.Images-t.Flagged, t.Distance, t.Between, t.Bimodality, t.Early)
		}
	}
	return targets, p, nil
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

// phase is a training as on clean data. Small sets get more epochs.
func (d *detector) phase(name string, set *dataset.Set, indices []int, epochs int) *train.Phase {
	steps := max(1, len(indices)/d.r.Batch)
	epochs = max(epochs, (leastSteps+steps-1)/steps)
	p := &train.Phase{Name: name, Data: set, Indices: indices, Epochs: epochs, Schedule: train.OneCycle(d.o.TuneRate, 0.2), Seed: d.o.Seed}
	if d.o.Augment {
		p.Augment = augment.Standard(min(set.Height, set.Width), d.o.Flip)
	}
	return p
}

// refine trains a fresh network that has a class of its own for the suspects of each label with two kinds of images, of
// which isolation tells which they are. What it takes for them under that label is flagged; what it takes for them under
// other labels is the leak. It completes the targets, and adds to found, each image's probability of being poisoned, what
// is new.
func (d *detector) refine(ctx context.Context, targets []defense.Target, p, found []float32) error {
	set := *d.r.Data
	set.Classes, set.Labels = slices.Clone(set.Classes), slices.Clone(set.Labels)
	suspects := map[int]int{} // class of a label's suspects
	for _, t := range targets {
		if two, known := apart(&t); t.By == byFeatures && two && known {
			suspects[t.Index] = len(set.Classes)
			set.Classes = append(set.Classes, t.Class+", suspects")
		}
	}
	if len(suspects) == 0 {
		return nil
	}
	probability := slices.Clone(p)
	leak := map[int]int{} // by class of suspects
	if d.a.RefineEpochs > 0 {
		var err error
		if probability, leak, err = d.teach(ctx, &set, suspects, p, found); err != nil {
			return err
		}
	}
	for k := range targets {
		t := &targets[k]
		c, ok := suspects[t.Index]
		if !ok || t.By != byFeatures {
			continue
		}
		images := indicesOf(d.r.Data.OfClass(int32(t.Index)), func(i int) bool { return found[i] <= flagged })
		t.Rounds, t.Leak, t.Agreement = 2, leak[c], agreement(p, probability, images)
		tally(t, images, probability)
		if t.Says = says(t); t.Says == defense.Poisoned {
			for _, i := range images {
				found[i] = probability[i]
			}
		}
		d.r.Note("%s: %s, %d of %d images flagged, %d of %d under other labels, %d in between, %.3f of them as by their features",
			t.Class, t.Says, t.Flagged, t.Images, t.Leak, t.Others, t.Between, t.Agreement)
	}
	return nil
}

// teach trains the network of refine on what was not found before. It returns each image's probability of being a suspect
// of its label, and how many images under other labels would be one, by class of suspects.
func (d *detector) teach(ctx context.Context, set *dataset.Set, suspects map[int]int, p, found []float32) ([]float32, map[int]int, error) {
	for i, l := range set.Labels {
		if c, ok := suspects[int(l)]; ok && p[i] > flagged {
			set.Labels[i] = int32(c)
		}
	}
	n, err := model.New(d.o.Network, len(set.Classes), set.Height, set.Width)
	if err != nil {
		return nil, nil, err
	}
	b := &defense.Run{
		Backend: d.r.Backend, Network: n, Data: set, Seed: d.o.Seed ^ 1<<32, Batch: d.r.Batch, SGD: d.r.SGD,
		Digest: d.r.Digest + " refined", Watch: d.r.Watch,
	}
	if d.r.Folder != "" {
		b.Folder = filepath.Join(d.r.Folder, "refine")
		if err := os.MkdirAll(b.Folder, 0o755); err != nil {
			return nil, nil, err
		}
	}
	if _, err := b.Start(true); err != nil {
		return nil, nil, err
	}
	err = b.Stage("refine", func() error {
		rest := indicesOf(isolate.Iota(set.Len()), func(i int) bool { return found[i] <= flagged })
		return b.Train(ctx, d.phase("refine", set, rest, d.a.RefineEpochs), train.Mean, nil)
	})
	if err != nil {
		return nil, nil, err
	}
	e, err := b.Evaluator()
	if err != nil {
		return nil, nil, err
	}
	probability := make([]float32, set.Len())
	leak := map[int]int{}
	err = e.Logits(ctx, set, func(i int, z []float32) {
		label := int(d.r.Data.Labels[i])
		if c, ok := suspects[label]; ok {
			probability[i] = float32(1 / (1 + math.Exp(float64(z[label]-z[c]))))
		}
		if top := evaluate.TopClass(z); top != suspects[label] {
			leak[top]++
		}
	})
	if err == nil && b.Folder != "" {
		err = os.RemoveAll(b.Folder)
	}
	return probability, leak, err
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
