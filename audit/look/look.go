// Package look holds what every look of a search for poison needs: the interface, what a look has to say, and the Case that
// the looks share. Each look is a package of its own below this one; none uses another.
package look

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// Name is the name of a look, as a verdict gives it.
type Name string

// The look at content, whose suspects may share what is no pattern of pixels; and that at pixels, which finds honest kinds too.
const (
	ByContent Name = "content"
	ByPixels  Name = "pixels"
)

var halfFewest = int(Limit("pixels", "fewest"))

// HalfFewest is how many images a half of a label has at least that the look at pixels looks at.
func HalfFewest() int { return halfFewest }

// A Look asks one question of a data set.
type Look interface {
	Name() Name
	Ask(ctx context.Context, c *Case) ([]Evidence, error)
}

// Evidence is what a look has to say of one label.
type Evidence struct {
	Look  Name
	Label int
	Score float64 // the measure that the look's rule begins with; larger: more surely planted
	Says  Says    // by the look's own rule
	// Strength is by how much what the rule asks for is there: the least of its measures as a share of what each is to be, so that 1
	// just meets the rule. Where not all was measured it is of what was, and so no less than the true one.
	Strength float64
	// Carriers is each image's probability of being planted, by this look, and negative where it was not asked of the image;
	// nil if the look can't tell.
	Carriers []float32
	// Own are the Carriers of the label's images alone, in their order, in place of those of all images: there may be many labels.
	Own []float32
	// Flipped tells that images were moved to the label, by the look at content.
	Flipped bool
	// Right compares the suspects' labels with what they show; nil where the look was not weighed.
	Right *Right
	// Moved is what the pattern of suspects whose labels are right does to images of other labels; nil where that was not asked.
	Moved *Moved
	Facts any // what the report shows; after its way through JSON see FactsOf
}

// Found tells whether the look found planted images: such as are no good to train on, whatever their labels.
func (e Evidence) Found() bool { return e.Says >= Shortcut }

// bare is the evidence without carriers, which are merged into the Case.
func (e Evidence) bare() Evidence {
	e.Carriers, e.Own = nil, nil
	return e
}

// written is evidence as JSON. Carriers live in the Case.
type written struct {
	Label    int             `json:"index"`
	Says     Says            `json:"says"`
	Look     Name            `json:"by"`
	Score    float64         `json:"score"`
	Strength float64         `json:"strength"`
	Flipped  bool            `json:"flipped,omitempty"`
	Right    *Right          `json:"right,omitempty"`
	Moved    *Moved          `json:"moved,omitempty"`
	Facts    json.RawMessage `json:"facts,omitempty"`
}

// MarshalJSON writes all but the carriers.
func (e Evidence) MarshalJSON() ([]byte, error) {
	facts, err := json.Marshal(e.Facts)
	if err != nil {
		return nil, fmt.Errorf("%s of label %d: %w", e.Look, e.Label, err)
	}
	return json.Marshal(written{e.Label, e.Says, e.Look, e.Score, e.Strength, e.Flipped, e.Right, e.Moved, facts})
}

// UnmarshalJSON leaves the facts as they are written, for FactsOf.
func (e *Evidence) UnmarshalJSON(raw []byte) error {
	var w written
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	*e = Evidence{Look: w.Look, Label: w.Label, Score: w.Score, Strength: w.Strength, Says: w.Says, Flipped: w.Flipped, Right: w.Right, Moved: w.Moved}
	if w.Facts != nil {
		e.Facts = w.Facts
	}
	return nil
}

// FactsOf returns the facts of evidence as T, whether they come from the look or from JSON.
func FactsOf[T any](e Evidence) (facts T, ok bool) {
	switch f := e.Facts.(type) {
	case json.RawMessage:
		return facts, json.Unmarshal(f, &facts) == nil
	case T:
		return f, true
	}
	return facts, false
}

// Counts is how many images of a label, and of the others, are what.
type Counts struct {
	Images  int `json:"images"`  // carry the label
	Flagged int `json:"flagged"` // of them were taken for planted
	Between int `json:"between"` // of them got a probability from 5 to 95 %: few, where there is a trigger
	Others  int `json:"others"`  // carry another label
	Leak    int `json:"leak"`    // of those would be flagged too: few, where there is a trigger, since they do not carry it
}

// Counted are facts with counts.
type Counted interface{ Count() Counts }

// Count returns the counts.
func (c Counts) Count() Counts { return c }

// CountsOf returns the counts among the facts, zero if there are none.
func CountsOf(e Evidence) Counts {
	if c, ok := e.Facts.(Counted); ok {
		return c.Count()
	}
	c, _ := FactsOf[Counts](e)
	return c
}

// LeakShare is the share of the images under other labels that would be flagged, BetweenShare that of the label's in between.
func (c Counts) LeakShare() float64 { return float64(c.Leak) / float64(max(1, c.Others)) }

// BetweenShare is the share of the label's images that are in between.
func (c Counts) BetweenShare() float64 { return float64(c.Between) / float64(max(1, c.Images)) }

// Tally counts what is flagged and in between among a label's images, by the probabilities p of all images.
func (c *Counts) Tally(images []int, p []float32) {
	c.Flagged, c.Between = 0, 0
	for _, i := range images {
		if p[i] > Flagged {
			c.Flagged++
		}
		if p[i] > 1-Sure && p[i] < Sure {
			c.Between++
		}
	}
}

// Says is what evidence, or a verdict, says.
type Says uint8

// What a verdict can say, the weakest first.
const (
	NoEvidence Says = iota
	CantTell
	// Shortcut is a mark under one label whose labels are right: a clean-label attack or an honest mark, which are the same in
	// the data.
	Shortcut
	// Poisoned is said where labels contradict what images show.
	Poisoned
)

// texts are the words of what can be said, as results hold them.
func texts() []string { return []string{"no evidence of poison", "can't tell", "shortcut", "poisoned"} }

func (s Says) String() string {
	if t := texts(); int(s) < len(t) {
		return t[s]
	}
	return fmt.Sprintf("Says(%d)", uint8(s))
}

// MarshalText writes it as results hold it.
func (s Says) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what results hold.
func (s *Says) UnmarshalText(text []byte) error {
	k := slices.Index(texts(), string(text))
	if k < 0 {
		return fmt.Errorf("a verdict says %q, expected one of %q", text, texts())
	}
	*s = Says(k)
	return nil
}

// An image is flagged above the probability Flagged; above Sure it surely is.
const Flagged, Sure = 0.5, 0.95
