package biased

import (
	"context"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
)

var (
	doubtVariety = look.Limit("biased", "doubt variety")
	doubtTimes   = look.Limit("biased", "doubt times")
	doubtFewest  = int(look.Limit("biased", "doubt fewest"))

	labelsVariety    = look.Limit("labels", "variety")
	labelsTimesUsual = look.Limit("labels", "variety of usual")
	labelsTimesRest  = look.Limit("labels", "variety of rest")
)

// doubted tells whether it is rather the label's other images whose labels look wrong.
func (f Facts) doubted() bool { return f.Turned().Wrong(doubtVariety, doubtTimes, doubtTimes) }

// AskAgain asks of the labels that a biased network found which of their images look like other classes. A small network may
// learn the look of a class that nothing else resembles, and leave out what was planted: then the label's other images are
// suspected instead, if their labels are plainly wrong, or none.
func (l Look) AskAgain(ctx context.Context, c *look.Case, said []look.Evidence) ([]look.Evidence, error) {
	plain, err := c.Plain(ctx)
	if plain == nil {
		return said, err
	}
	all := make([]look.Evidence, len(said))
	var closed []int
	for k, e := range said {
		all[k] = e
		f, _ := look.FactsOf[Facts](e)
		if e.Look != Name || !e.Found() {
			continue
		}
		usual, err := c.UsualVariety(ctx, e.Label)
		if err != nil {
			return nil, err
		}
		again, changed, err := question(c, e, f, plain.Second, usual, func(suspects, honest []int) (look.Trained, error) {
			return l.other(ctx, c, e.Label, suspects, honest)
		})
		if err != nil {
			return nil, err
		}
		all[k] = again
		if changed {
			closed = append(closed, e.Label)
		}
	}
	for _, label := range closed {
		c.Close(label)
	}
	return all, nil
}

// other trains biased networks on the label's other images. What the first ones found is honest then, and teaches what is not
// meant.
func (l Look) other(ctx context.Context, c *look.Case, class int, suspects, found []int) (look.Trained, error) {
	honest := func(_ []float32, n, rounds int) []int { return c.Draw("not believed", found, n, class, rounds) }
	return c.Rounds(ctx, look.Rounds{
		Purpose: "labels", Most: l.Rounds, Stage: "inspect", Label: class, Images: c.Under(class), Suspect: suspects, Enough: hopeless,
		Honest: honest(nil, len(suspects), 0), Own: honest,
	})
}

// question asks of one label. usual is the variety of other labels. other trains biased networks on the label's other images,
// whose leak and agreement count then. It reports whether the biased network was not believed.
func question(c *look.Case, e look.Evidence, f Facts, second [][]float64, usual float64, other func(suspects, honest []int) (look.Trained, error)) (again look.Evidence, changed bool, err error) {
	images, found := c.Under(e.Label), c.Found()
	suspects := look.Those(images, func(i int) bool { return found[i] > look.Flagged })
	rest := look.Those(images, func(i int) bool { return found[i] <= look.Flagged })
	if len(rest) < doubtFewest { // chance makes a few images various
		return e, false, nil
	}
	f.Variety = look.Variety{Suspects: stat.Variety(second, suspects), Rest: stat.Variety(second, rest), Usual: usual}
	if !f.doubted() {
		e.Facts = f
		return e, false, nil
	}
	e.Carriers = c.Unasked()
	for _, i := range images {
		e.Carriers[i] = 0
	}
	if turned := f.Turned(); turned.Wrong(labelsVariety, labelsTimesUsual, labelsTimesRest) {
		t, err := other(rest, suspects)
		if err != nil {
			return e, false, err
		}
		f = Facts{Counts: t.Counts, Variety: turned, Agreement: t.Agreement, Rounds: t.Rounds}
		e.Look = Labels
		if f.Says() == look.Poisoned {
			for _, i := range images {
				e.Carriers[i] = t.P[i]
			}
		}
	}
	e.Says, e.Facts, e.Score, e.Right = f.Says(), f, f.Agreement, nil
	c.Note("%s: %s, %d of %d images flagged now: what the biased network found has a variety of %.3f, the label's other images of %.3f (usual %.3f)",
		c.Data.Classes[e.Label], e.Says, f.Flagged, f.Images, min(f.Suspects, f.Rest), max(f.Suspects, f.Rest), f.Usual)
	return e, true, nil
}
