package look

import (
	"context"
	"fmt"
	"slices"

	"github.com/unpoison/unpoison/audit/stat"
)

var (
	contradicted = Limit("right", "contradicted")
	rightFewest  = int(Limit("right", "fewest"))
)

// Right compares the labels of suspects with what they show, as a network tells that can't see triggers (Case.Content): the mean
// probability, from 0 to 1, of the own label among the suspects, and among the label's other images.
type Right struct {
	Suspects float64 `json:"suspects"`
	Rest     float64 `json:"rest"`
}

// Contradicted tells whether the suspects' labels are not what they show, measured by the label's other images: some labels are
// hard to tell for every image of theirs.
func (r Right) Contradicted() bool { return r.Suspects <= contradicted*r.Rest }

// Known tells whether the network knows the label, of so many, better than by guessing.
func (r Right) Known(labels int) bool { return r.Rest >= 1/float64(labels) }

// String says it.
func (r *Right) String() string {
	if r == nil {
		return "whether their labels are right was not looked at"
	}
	return fmt.Sprintf("their labels have a probability of %.2f, those of other images %.2f", r.Suspects, r.Rest)
}

// Weigh compares the labels of the suspects, those of a probability above Flagged, with what they show, under some labels or under
// all: each label's with its other images, and a label counts as much as it has suspects, since some are harder to tell than others.
// Nil where there are too few on either side, or no network to ask.
func (c *Case) Weigh(ctx context.Context, carriers []float32, labels ...int) (*Right, error) {
	if carriers == nil || !c.Settings.Content {
		return nil, nil
	}
	content, err := c.Content(ctx) // not that of networks which learnt none of them: images that are unlike all others are hard to tell
	if err != nil {
		return nil, err
	}
	return c.WeighBy(content, carriers, labels...), nil
}

// WeighBy is Weigh by what some networks make of the images.
func (c *Case) WeighBy(content *Content, carriers []float32, labels ...int) *Right {
	sides := make([]sides, len(c.Data.Classes))
	for i, y := range c.Data.Labels {
		if len(labels) > 0 && !slices.Contains(labels, int(y)) || carriers[i] < 0 || !content.Knows(i) {
			continue
		}
		k := stat.Bit(carriers[i] <= Flagged)
		sides[y].sum[k] += content.Own[i]
		sides[y].n[k]++
	}
	return compared(sides)
}

// sides are the sums of the probabilities of a label's suspects, and of its other images, and how many these are.
type sides struct {
	sum [2]float64
	n   [2]int
}

// compared compares the sides of those labels that have both; nil where there are too few images on either.
func compared(labels []sides) *Right {
	var n [2]int
	for _, l := range labels {
		if l.n[0] > 0 && l.n[1] > 0 {
			n[0], n[1] = n[0]+l.n[0], n[1]+l.n[1]
		}
	}
	if min(n[0], n[1]) < rightFewest {
		return nil
	}
	r := &Right{}
	for _, l := range labels {
		if l.n[0] > 0 && l.n[1] > 0 {
			r.Suspects += l.sum[0] / float64(n[0])
			r.Rest += float64(l.n[0]) / float64(n[0]) * (l.sum[1] / float64(l.n[1]))
		}
	}
	return r
}

// judge settles what a look's evidence of planted images is: poisoned where their labels contradict what they show. Where they are
// right, or nobody can tell, it is open whether what they have in common is a trigger; see Settle. That holds for suspects that
// a look is not sure of too, and for an honest kind that is rare: it is hard to tell, but moves of images to the label don't explain that. Evidence of none
// is left as it is.
func (c *Case) judge(ctx context.Context, e Evidence) (Evidence, error) {
	if e.Says == NoEvidence || e.Says == Shortcut {
		return e, nil
	}
	var err error
	if e.Right == nil {
		e.Right, err = c.Weigh(ctx, e.Carriers, e.Label)
	}
	switch {
	case !c.Settings.Content && e.Look == ByPixels && c.Settings.PlainEpochs == 0:
		e.Says = Shortcut // it is a mark, whatever the labels are; and nobody can ask what it does
		return e, nil
	case !c.Settings.Content && e.Look == ByPixels:
	case err != nil || e.Right == nil && (!c.Settings.Content || e.Carriers == nil) || e.Right != nil && c.explained(e) || e.Says == Poisoned && c.among(e):
		return e, err
	}
	if e.Says == CantTell {
		c.saved.Weak = append(c.saved.Weak, doubtfulKey(e))
	}
	e.Says = CantTell
	return e, nil
}

// explained tells whether labels contradict what the suspects show, since images were moved to their label, which the network knows.
func (c *Case) explained(e Evidence) bool {
	if !e.Right.Contradicted() || e.Look != ByPixels {
		return e.Right.Contradicted()
	}
	return e.Right.Known(len(c.Data.Classes)) && slices.ContainsFunc(c.saved.Evidence, func(o Evidence) bool {
		return o.Label == e.Label && o.Flipped
	})
}

// among tells whether at least half of what was found to be poisoned under the evidence's label is among its suspects: it then is the
// same poison. A network that can't see most triggers may see one that lies over the whole image, and find its images right.
func (c *Case) among(e Evidence) bool {
	if e.Carriers == nil || !slices.ContainsFunc(c.saved.Evidence, func(o Evidence) bool { return o.Label == e.Label && o.Says == Poisoned }) {
		return false
	}
	found, both := 0, 0
	for i, p := range c.Found() {
		if int(c.Data.Labels[i]) == e.Label && p > Flagged {
			found++
			both += stat.Bit(e.Carriers[i] > Flagged)
		}
	}
	return found > 0 && 2*both >= found
}
