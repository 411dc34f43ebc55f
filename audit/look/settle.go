package look

import (
	"context"
	"slices"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/evaluate"
)

// moves is the share of other labels' images that a trigger moves to its label at least.
var moves = Limit("right", "moves")

const (
	laidOn    = 1000 // images of other labels that a pattern is laid on, at most
	ownFewest = 20   // other images of the label that a pattern is told from; of fewer, from images of other labels
)

// Moved is what the pattern of suspects does to a network that learnt all images, as shares, from 0 to 1, of other labels' images
// that it gives the suspects' label: as they are, and with the pattern laid on them.
type Moved struct {
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

// Trigger tells whether the pattern makes the network give other images the label.
func (m Moved) Trigger() bool { return m.After-m.Before >= moves }

// open tells whether nothing explains yet what suspects have in common, and nobody asked what their pattern does.
func (c *Case) open(e Evidence) bool {
	return e.Says == CantTell && e.Moved == nil && (e.Right != nil && !c.explained(e) || !c.Settings.Content && e.Look == ByPixels)
}

// Settle asks of suspects whose labels are right what they have in common means: sevens that are crossed are a kind of their own,
// and no trigger. What distinguishes the suspects from the label's other images is laid on images of other labels. If a network
// that learnt all does not take these for the label's, it is no evidence. If it does, untaught says what it is, unless the look was not
// sure: then it stays open, as it does without such a network.
func (c *Case) Settle(ctx context.Context) error {
	for k, e := range c.saved.Evidence {
		if !c.open(e) {
			continue
		}
		carriers := c.doubted(e)
		if carriers == nil {
			continue
		}
		plain, err := c.Plain(ctx)
		if plain == nil || err != nil {
			return err
		}
		p := c.pattern(e.Label, carriers)
		if min(len(p.with), len(p.others)) < rightFewest {
			continue
		}
		p.learn(c)
		m, err := c.moved(ctx, plain, p)
		if err != nil {
			return err
		}
		kept := c.run.Arrays[withoutKey(e.Label)] != nil
		switch weak := slices.Contains(c.saved.Weak, doubtfulKey(e)); {
		case !m.Trigger() && e.Look == ByContent: // what they share may be more than a pattern of pixels
		case !m.Trigger():
			e.Says = NoEvidence
		case !weak:
			if e.Says = Shortcut; c.Settings.Content {
				e.Says, e.Right, err = c.untaught(ctx, e, p)
			}
			if err != nil {
				return err
			}
			if e.Found() {
				c.take(carriers)
			}
		}
		e.Moved = m
		if e.Says != CantTell {
			delete(c.run.Arrays, doubtfulKey(e))
		}
		c.settled(e)
		if !kept && e.Says != Poisoned {
			c.forget(e.Label)
		}
		c.saved.Evidence[k] = e
		if err := c.keep(); err != nil { // with what it changed: the next one's trainings save too
			return err
		}
		c.Note("%s: %s by %s; with the pattern of these images on them, %.1f %% of other labels' images are taken for this label's, %.1f %% without",
			c.Data.Classes[e.Label], e.Says, e.Look, 100*m.After, 100*m.Before)
	}
	return nil
}

// moved lays the suspects' pattern on images of other labels.
func (c *Case) moved(ctx context.Context, plain *Plain, p *pattern) (*Moved, error) {
	label := p.label
	images := c.Draw("pattern laid on", p.others, laidOn, label)
	before, after := 0, 0
	for _, i := range images {
		before += stat.Bit(plain.First[i] == label)
	}
	laid := evaluate.Redrawn(c.Data.View(images), p.stamp.Apply)
	if err := plain.ask(ctx, laid, func(_ int, z []float32) { after += stat.Bit(evaluate.TopClass(z) == label) }); err != nil {
		return nil, err
	}
	n := float64(len(images))
	return &Moved{float64(before) / n, float64(after) / n}, nil
}

// pattern is what suspects under a label have in common. It lists them, the label's other images, and those of other labels.
type pattern struct {
	label             int
	with, own, others []int
	stamp             *augment.Stamp // what distinguishes them from the label's other images; nil until it is learnt
}

func (c *Case) pattern(label int, carriers []float32) *pattern {
	p := &pattern{label: label}
	for i, y := range c.Data.Labels {
		switch {
		case int(y) != label:
			p.others = append(p.others, i)
		case carriers[i] > Flagged:
			p.with = append(p.with, i)
		default:
			p.own = append(p.own, i)
		}
	}
	return p
}

// learn finds the stamp.
func (p *pattern) learn(c *Case) {
	from := p.drawn(c, "own", p.own)
	if len(p.own) < ownFewest {
		from = p.drawn(c, "others", p.others)
	}
	p.stamp = StampOf(c.Data, p.drawn(c, "with", p.with), from, from)
}

// drawn are as many of some images as a pattern is learnt from.
func (p *pattern) drawn(c *Case, of string, images []int) []int {
	return c.Draw("pattern "+of, images, StampMost, p.label)
}

// take takes up the probabilities of images that nothing was found in before.
func (c *Case) take(carriers []float32) {
	found := c.Found()
	for i, p := range carriers {
		if p >= 0 && found[i] <= Flagged {
			found[i] = p
		}
	}
}
