package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/common"
	"github.com/unpoison/unpoison/audit/look/content"
	"github.com/unpoison/unpoison/audit/look/pixels"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

// Setup is what a search takes over from the training that it belongs to.
type Setup struct {
	Rate     float64       // learning rate of the plain training
	Augment  bool          // crop, flip and cutout in it
	Flip     bool          // flip left and right in it
	Features look.Features // of the images, for the look at content; nil: it trains networks
	Init     model.State   // what networks start from; nil: fresh ones
	Steps    look.Steps
	More     []look.Look // looks beside those of the options, asked last
	Continue int         // epochs that a training may be spared at most which goes on from the network of the search; 0: that is a fresh one

	Expect func(look.Expected) // is told before the search how long it will take; nil: nobody asks
}

// Found is what a search found.
type Found struct {
	*Verdict
	Probability []float32 // each image's, of being planted
	Doubtful    []float32 // the same by evidence that can't tell, which removes nothing; nil without any
	Labels      []int32   // the label that a removed image surely shows, where it contradicts its own; −1 elsewhere
	Own         []float64 // the probability of each image's label, by what it shows; nil where no network tells
	Kept        []int
	Removed     []int
	Odd         []look.Odd // images whose labels are probably wrong, and that are not removed
}

// verdictKey is the name of the verdict in a checkpoint.
const verdictKey = "verdict"

// stage is a part of the search.
type stage struct {
	name  string
	looks []look.Look
}

// stages lists them in order, each with the looks that are switched on.
func (a Options) stages(more []look.Look) []stage {
	var first, second []look.Look
	if a.Content {
		first = append(first, content.Look{})
	}
	if a.Pixels {
		second = append(second, pixels.Look{}, common.Look{})
	}
	return []stage{{"content", first}, {"pixels", append(second, more...)}}
}

// distinct reports a name that two looks have: it tells which of them were asked.
func distinct(stages []stage) error {
	seen := map[look.Name]bool{}
	for _, s := range stages {
		for _, l := range s.looks {
			if seen[l.Name()] {
				return fmt.Errorf("two looks are called %q, expected a name of its own for each", l.Name())
			}
			seen[l.Name()] = true
		}
	}
	return nil
}

// Search looks for poison in the run's data. It leaves the run a fresh network, or one that learnt no removed image; see Cleaned. The verdict is made once: a run that goes on after its search finds it in the checkpoint.
func Search(ctx context.Context, r *train.Run, s Setup, a Options) (*Found, error) {
	stages := a.stages(s.More)
	if err := cmp.Or(a.Check(), distinct(stages)); err != nil {
		return nil, err
	}
	c, err := a.open(r, s)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if s.Expect != nil {
		e, err := c.Expect(ctx, a.Pixels)
		if err != nil {
			return nil, err
		}
		s.Expect(e)
	}
	for _, st := range stages {
		if err := r.Stage(st.name, func() error { return st.run(ctx, c) }); err != nil {
			return nil, err
		}
	}
	err = r.Stage("inspect", func() error {
		if err := c.Settle(ctx); err != nil {
			return err
		}
		if err := c.Correct(ctx); err != nil {
			return err
		}
		v := verdict(c.Evidence(), r.Data.Classes)
		if v.Continued = min(s.Continue, c.Unspoilt()); v.Continued == 0 { // what was trained so far may know the trigger
			r.State = r.Network.Init(r.Seed)
			if s.Init != nil {
				r.State = s.Init.Clone()
			}
		}
		return r.Put(verdictKey, v)
	})
	if err != nil {
		return nil, err
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
	if a.Content {
		shown, err := c.Content(ctx)
		if err != nil {
			return nil, err
		}
		f.Own, f.Verdict.Confirmed, f.Verdict.Untold = shown.Own, shown.Confirmed(), shown.Untold()
	}
	f.Off = a.off()
	f.Verdict.Removed, f.Verdict.Odd, f.Cleared, f.Rate = len(f.Removed), len(f.Odd), c.Cleared(), float64(len(f.Removed))/float64(r.Data.Len())
	return f, nil
}

// open opens the case of a search.
func (a Options) open(r *train.Run, s Setup) (*look.Case, error) {
	c, err := look.NewCase(r, look.Settings{
		PlainEpochs: a.InspectEpochs, Rate: s.Rate, Init: s.Init, Augment: s.Augment, Flip: s.Flip, Learn: a.Learn, Content: a.Content, ContentEpochs: a.ContentEpochs, Features: s.Features, Steps: s.Steps,
	})
	if err != nil {
		return nil, err
	}
	return c, c.Fits()
}

// run asks the stage's looks that were not asked before an interruption, and saves after each.
func (s stage) run(ctx context.Context, c *look.Case) error {
	for _, l := range s.looks {
		if c.Asked(l.Name()) {
			continue
		}
		c.Begin()
		all, err := l.Ask(ctx, c)
		if err != nil {
			return err
		}
		for _, e := range all {
			if err := check(e, c.Data); err != nil {
				return fmt.Errorf("the look %q %w", l.Name(), err)
			}
		}
		if err := c.Add(ctx, all...); err != nil {
			return err
		}
		if err := c.Done(l.Name()); err != nil {
			return err
		}
	}
	return nil
}

// check refuses evidence that says nothing of these images, or that no result can hold.
func check(e look.Evidence, data *dataset.Set) error {
	if e.Label < 0 || e.Label >= len(data.Classes) {
		return fmt.Errorf("speaks of the label %d, expected one from 0 to %d", e.Label, len(data.Classes)-1)
	}
	if e.Carriers != nil && len(e.Carriers) != data.Len() {
		return fmt.Errorf("has %d carriers, expected one for each of the %d images", len(e.Carriers), data.Len())
	}
	if n := data.Counts()[e.Label]; e.Own != nil && len(e.Own) != n {
		return fmt.Errorf("has %d carriers, expected one for each of the label's %d images", len(e.Own), n)
	}
	for _, v := range []float64{e.Score, e.Strength} {
		if v-v != 0 {
			return fmt.Errorf("has the score %g and the strength %g, expected finite numbers", e.Score, e.Strength)
		}
	}
	for _, p := range slices.Concat(e.Carriers, e.Own) {
		if p-p != 0 {
			return fmt.Errorf("has a carrier of %g, expected probabilities, or less than 0 where it did not ask", p)
		}
	}
	if e.Says > look.Poisoned {
		return fmt.Errorf("says %v, which is no verdict", e.Says)
	}
	return nil
}
