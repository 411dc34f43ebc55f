package audit

import (
	"context"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/biased"
	"github.com/unpoison/unpoison/audit/look/common"
	"github.com/unpoison/unpoison/audit/look/content"
	"github.com/unpoison/unpoison/audit/look/features"
	"github.com/unpoison/unpoison/audit/look/pixels"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

// Setup is what a search takes over from the training that it belongs to.
type Setup struct {
	Isolation float64       // share of the images that isolation sets aside
	Rate      float64       // learning rate of the plain training
	Augment   bool          // crop, flip and cutout in it
	Flip      bool          // flip left and right in it
	Features  look.Features // of the images, for the look at content; nil: it trains networks
	Init      model.State   // what networks start from; nil: fresh ones
	Steps     look.Steps
	More      []look.Look // looks beside those of the options, asked last
}

// Found is what a search found.
type Found struct {
	*Verdict
	Probability []float32 // each image's, of being planted
	Doubtful    []float32 // the same by evidence that can't tell, which removes nothing; nil without any
	Labels      []int32   // the label that a removed image surely shows, where it contradicts its own; −1 elsewhere
	Kept        []int
	Removed     []int
	Odd         []look.Odd // images whose labels are probably wrong, and that are not removed
}

// verdictKey is the name of the verdict in a checkpoint.
const verdictKey = "verdict"

// stage is a part of the search: what looks are asked, and whether they are asked again.
type stage struct {
	name  string
	looks []look.Look
	again []look.Look
	// settles tells whether what was left open is settled, before the looks and after each.
	settles bool
}

// stages lists them in order, each with the looks that are switched on.
func (a Options) stages(more []look.Look) []stage {
	var first, px, det, last []look.Look
	if a.Content {
		first = append(first, content.Look{})
	}
	if a.Pixels {
		px = append(px, pixels.Look{}, common.Look{})
	}
	if a.Rounds > 0 {
		det = append(det, biased.Look{Rounds: a.Rounds})
	}
	if a.InspectEpochs > 0 {
		last = append(last, features.Look{})
	}
	again := append(append([]look.Look{}, px...), det...)
	return []stage{{name: "content", looks: first}, {name: "pixels", looks: px}, {name: "detect", looks: det}, {"inspect", append(last, more...), again, true}}
}

// Search looks for poison in the run's data. scores are of isolation, low for what is learnt first. It leaves the run a fresh
// network. The verdict is made once: a run that goes on after its search finds it in the checkpoint.
func Search(ctx context.Context, r *train.Run, scores []float32, s Setup, a Options) (*Found, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	c, err := look.NewCase(r, scores, look.Settings{
		Isolation: s.Isolation, Share: a.Share, Biased: a.Network, Epochs: a.Epochs,
		PlainEpochs: a.InspectEpochs, Rate: s.Rate, Augment: s.Augment, Flip: s.Flip, Learn: a.Learn, Content: a.Content, Features: s.Features, Steps: s.Steps,
	})
	if err != nil {
		return nil, err
	}
	for _, st := range a.stages(s.More) {
		err := r.Stage(st.name, func() error {
			if err := st.run(ctx, c); err != nil {
				return err
			}
			if st.name == "inspect" {
				if err := c.Correct(ctx); err != nil {
					return err
				}
			}
			if st.name == "detect" || st.name == "inspect" {
				r.State = r.Network.Init(r.Seed) // what was trained so far knows the trigger
				if s.Init != nil {
					r.State = s.Init.Clone()
				}
			}
			if st.name == "inspect" {
				return r.Put(verdictKey, verdict(c.Evidence(), r.Data.Classes))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	f := &Found{Verdict: &Verdict{}, Probability: c.Found(), Doubtful: c.Doubtful(), Labels: c.Corrected()}
	if _, err := r.Get(verdictKey, f.Verdict); err != nil {
		return nil, err
	}
	for i, p := range f.Probability {
		if p > look.Flagged {
			f.Removed = append(f.Removed, i)
		} else {
			f.Kept = append(f.Kept, i)
		}
	}
	if f.Odd, err = c.Odd(ctx); err != nil {
		return nil, err
	}
	f.Verdict.Removed, f.Verdict.Odd, f.Rate = len(f.Removed), len(f.Odd), float64(len(f.Removed))/float64(r.Data.Len())
	return f, nil
}

// run asks the stage's looks that were not asked before an interruption, and saves after each.
func (s stage) run(ctx context.Context, c *look.Case) error {
	for _, l := range s.again {
		d, ok := l.(look.Doubter)
		if !ok || c.Asked(l.Name(), 2) {
			continue
		}
		said := c.Said(l.Name())
		all, err := d.AskAgain(ctx, c, said)
		if err != nil {
			return err
		}
		if err := c.Replace(ctx, said, all); err != nil {
			return err
		}
		if err := c.Done(l.Name()); err != nil {
			return err
		}
	}
	if s.settles {
		if err := c.Settle(ctx); err != nil {
			return err
		}
	}
	for _, l := range s.looks {
		if c.Asked(l.Name(), 1) {
			continue
		}
		all, err := l.Ask(ctx, c)
		if err != nil {
			return err
		}
		if err := c.Add(ctx, all...); err != nil {
			return err
		}
		if s.settles {
			if err := c.Settle(ctx); err != nil {
				return err
			}
		}
		if err := c.Done(l.Name()); err != nil {
			return err
		}
	}
	return nil
}
