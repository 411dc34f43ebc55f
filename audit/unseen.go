package audit

import (
	"context"

	"github.com/unpoison/unpoison/defense"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/train"
)

// Where a label's features fall into two kinds and neither isolation nor the second choices tell which was planted, a network
// is asked that never saw an image of the label, so that it knows neither the trigger nor the class: planted images look like
// the many classes that they show, to it with little doubt, and honest ones like the same few others.

// sight is what the features show of a label.
type sight struct {
	t defense.Target
	g *group
}

// ask judges the labels that hold two kinds of images of which it is not known which were planted, or few of the isolated
// images, by a network that is trained without them, where the second choices of one kind are more various than other
// labels' are, and enough: wrong labels by chance are not asked about. rest are the images that the features come from.
func (d *detector) ask(ctx context.Context, seen []*sight, rest []int) error {
	var open []*sight
	without := make([]bool, len(d.r.Data.Classes))
	for _, s := range seen {
		two, known := apart(&s.t)
		variety, images := s.t.Variety, s.t.Flagged
		if s.t.RestVariety > variety {
			variety, images = s.t.RestVariety, s.t.Images-s.t.Flagged
		}
		wrong := variety >= unusual*s.t.UsualVariety && images >= enough
		if two && wrong && s.t.Usual > 0 && (!known || s.t.Isolated < d.a.Share) {
			open = append(open, s)
			without[s.t.Index] = true
		}
	}
	others := indicesOf(rest, func(i int) bool { return !without[d.r.Data.Labels[i]] })
	if len(open) == 0 || len(others) < d.r.Batch || len(d.r.Data.Classes)-len(open) < otherLabels {
		return nil
	}
	for _, s := range open {
		d.r.Note("%s: two kinds of images, %.2f apart (usual %.2f): a network without the label is asked", s.t.Class, s.t.Distance, s.t.Usual)
	}
	second, err := d.strangers(ctx, others)
	if err != nil {
		return err
	}
	for _, s := range open {
		s.settle(second)
		t := s.t
		d.r.Note("%s: to a network without the label %d images have a variety of %.3f, the other %d of %.3f", t.Class, t.Flagged, t.Variety, t.Images-t.Flagged, t.RestVariety)
	}
	return nil
}

// settle judges the label by the second choices of a network that never saw it, and suspects the kind with more variety.
func (s *sight) settle(second [][]float64) {
	t := &s.t
	t.By = defense.ByUnseen
	t.Variety, t.RestVariety = s.g.varieties(second)
	if t.RestVariety > t.Variety {
		s.g = s.g.turned()
		t.Variety, t.RestVariety = t.RestVariety, t.Variety
		t.Early, t.Pure, t.Flagged = s.g.early, 1-t.Pure, t.Images-t.Flagged
	}
	t.Says = says(t)
}

// strangers returns the second choices of a network that was trained on some images only.
func (d *detector) strangers(ctx context.Context, images []int) ([][]float64, error) {
	r := &train.Run{
		Backend: d.r.Backend, Network: d.r.Network, Data: d.r.Data, Seed: d.o.Seed, Batch: d.r.Batch, SGD: d.r.SGD, Watch: d.progress("inspect"),
	}
	if _, err := r.Start(false); err != nil {
		return nil, err
	}
	if err := r.Train(ctx, d.unsuspecting(images), train.Mean, nil); err != nil {
		return nil, err
	}
	_, logits, err := evaluate.Features(ctx, r.Backend, r.Network, r.State, d.r.Data)
	if err != nil {
		return nil, err
	}
	return secondChoices(logits, d.r.Data.Labels), nil
}
