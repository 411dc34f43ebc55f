// Package unseen asks a network that never saw an image of a label where its features fall into two kinds and neither isolation
// nor the second choices tell which was planted. It knows neither the trigger nor the class: planted images look like the many
// classes that they show, to it with little doubt, and honest ones like the same few others.
package unseen

import (
	"context"

	"github.com/unpoison/unpoison/audit/look"
)

// Name of the look.
const Name look.Name = "features, and a network without the label"

var (
	askedVariety = look.Limit("unseen", "asked variety")
	askedEnough  = int(look.Limit("unseen", "asked enough"))
	otherLabels  = int(look.Limit("unseen", "other labels"))
	variety      = look.Limit("unseen", "variety")
	timesRest    = look.Limit("unseen", "variety of rest")
	enough       = int(look.Limit("unseen", "enough"))
)

// Facts are what is seen of a label's two kinds; the varieties of its images are those to the network without the label.
type Facts struct{ look.KindFacts }

// Says judges a label by what its suspects look like to that network.
func (f Facts) Says() look.Says {
	if f.Variety.Wrong(variety, 0, timesRest) && f.Flagged >= enough {
		return look.Poisoned
	}
	return look.CantTell
}

// Look asks a network without the label.
type Look struct{}

// Name returns its name.
func (Look) Name() look.Name { return Name }

// Ask judges the labels that hold two kinds of images of which it is not known which were planted, or few of the isolated
// images, by a network that is trained without them, and closes them. The score is the suspects' variety.
func (Look) Ask(ctx context.Context, c *look.Case) ([]look.Evidence, error) {
	kinds, err := c.Kinds(ctx)
	if len(kinds) == 0 {
		return nil, err
	}
	var asked []*look.Kinds
	without := make([]bool, len(c.Data.Classes))
	for _, k := range kinds {
		if open(k, c.Settings.Share) {
			asked = append(asked, k)
			without[k.Label] = true
		}
	}
	plain, err := c.Plain(ctx)
	if err != nil {
		return nil, err
	}
	others := look.Those(plain.Learnt, func(i int) bool { return !without[c.Data.Labels[i]] })
	if len(asked) == 0 || len(others) < c.Batch() || len(c.Data.Classes)-len(asked) < otherLabels {
		return nil, nil
	}
	for _, k := range asked {
		c.Note("%s: two kinds of images, %.2f apart (usual %.2f): a network without the label is asked", c.Data.Classes[k.Label], k.Distance, k.Usual)
	}
	second, err := c.Strangers(ctx, others)
	if err != nil {
		return nil, err
	}
	var all []look.Evidence
	for _, k := range asked {
		f := settle(k, second)
		c.Note("%s: to a network without the label %d images have a variety of %.3f, the other %d of %.3f", c.Data.Classes[k.Label], f.Flagged, f.Suspects, f.Images-f.Flagged, f.Rest)
		k.Note(c, f.Says())
		all = append(all, look.Evidence{Look: Name, Label: k.Label, Score: f.Suspects, Says: f.Says(), Carriers: k.Carriers(c), Facts: f})
		c.Close(k.Label)
	}
	return all, nil
}

// open tells whether the network is asked about a label: where the second choices of one kind are more various than other
// labels' are, and enough. Wrong labels by chance are not asked about.
func open(k *look.Kinds, share float64) bool {
	most, images := k.Suspects, k.Flagged
	if k.Rest > most {
		most, images = k.Rest, k.Images-k.Flagged
	}
	wrong := most >= askedVariety*k.Variety.Usual && images >= askedEnough
	return k.Two() && wrong && k.KindFacts.Usual > 0 && (!k.Known() || k.Isolated < share)
}

// settle judges the label by the second choices of a network that never saw it, and suspects the kind with more variety.
func settle(k *look.Kinds, second [][]float64) Facts {
	k.Suspects, k.Rest = k.Group.Varieties(second)
	if k.Rest > k.Suspects {
		k.Turn()
	}
	return Facts{k.KindFacts}
}
