// Package features looks for two kinds of images under a label, among the features of a network that was trained on what
// nothing was found in, as by somebody who suspects nothing. The kind that isolation ranks first, or whose labels look wrong, is
// the planted one.
package features

import (
	"context"

	"github.com/unpoison/unpoison/audit/look"
)

// Name of the look.
const Name look.Name = "features"

// Facts are what is seen of a label's two kinds.
type Facts struct{ look.KindFacts }

// Says judges a label by its two kinds.
func (f Facts) Says() look.Says {
	switch {
	case !f.Two():
		return look.NoEvidence
	case !f.Known():
		return look.CantTell
	}
	return look.Poisoned
}

// Look is the look at the features.
type Look struct{}

// Name returns its name.
func (Look) Name() look.Name { return Name }

// Ask judges every label that enough isolated images carry. The score is the distance between its kinds, as a multiple of what
// so few images need.
func (Look) Ask(ctx context.Context, c *look.Case) ([]look.Evidence, error) {
	kinds, err := c.Kinds(ctx)
	var all []look.Evidence
	for _, k := range kinds {
		if c.Closed(k.Label) || k.Isolated < c.Settings.Share {
			continue
		}
		f := Facts{k.KindFacts}
		all = append(all, look.Evidence{
			Look: Name, Label: k.Label, Score: f.Distance / look.LeastApart(f.Images), Says: f.Says(), Carriers: k.Carriers(c), Facts: f,
		})
		k.Note(c, f.Says())
	}
	return all, err
}
