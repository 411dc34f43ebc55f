// Package content looks for images whose label is not what they show, and for what these have in common. One network can't see
// triggers (look.Content): it tells how many images of each label were put there from elsewhere. Another sees nothing but what
// tells these images from others that show the same: where there is such a thing, they carry a trigger.
package content

import (
	"context"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
)

// Name of the look.
const Name look.Name = "content"

var (
	evidence = look.Limit("content", "evidence")
	shared   = look.Limit("content", "in common")
	hinted   = look.Limit("content", "hint in common")
	fewest   = int(look.Limit("content", "fewest"))
)

// Facts are what is seen of a label that images were put under from elsewhere.
type Facts struct {
	look.Counts
	Rate     float64 `json:"flip_rate"` // share of all images that were given the label, whatever they show
	Usual    float64 `json:"usual"`     // the median of the other labels' rates
	Evidence float64 `json:"evidence"`  // nats by which the labels are likelier with such a rate than with the usual one
	Cases    int     `json:"cases"`     // images of the label that show something else
	// Shared is the probability, by networks that never saw either, that a case is told from an image under another label that
	// shows the same: 0.5 where they have nothing in common.
	Shared float64 `json:"shared"`
	// InCommon is by how many deviations of what chance gives this lies above 0.5 (Mann and Whitney, 1947).
	InCommon float64 `json:"in_common"`
	Shown    []int   `json:"shown"` // the flagged images by the class that they show, in the order of the classes
}

// Says judges a label: more of its images show something else than of other labels', and these have something in common. If they
// have nothing in common, their labels are odd, and no more.
func (f Facts) Says() look.Says {
	switch {
	case f.Evidence < evidence || f.Flagged < fewest || f.InCommon < hinted:
		return look.NoEvidence
	case f.InCommon < shared:
		return look.CantTell
	}
	return look.Poisoned
}

// Look is the look at the content.
type Look struct{}

// Name returns its name.
func (Look) Name() look.Name { return Name }

// Ask looks into every label that images were put under from elsewhere. The score is the evidence in nats.
func (Look) Ask(ctx context.Context, c *look.Case) ([]look.Evidence, error) {
	content, err := c.Content(ctx)
	if err != nil {
		return nil, err
	}
	flips := flipsOf(content)
	rate := make([]float64, len(flips))
	for l, f := range flips {
		rate[l] = f.Rate
	}
	var all []look.Evidence
	pose := func(q question) error {
		a, err := ask(ctx, c, content, q)
		if err != nil {
			return err
		}
		for _, label := range q.labels {
			f := flips[label]
			e, err := a.of(ctx, c, content, label, Facts{Rate: f.Rate, Usual: f.usual, Evidence: f.nats(len(q.labels) > 1)})
			if err != nil {
				return err
			}
			all = append(all, e)
		}
		return nil
	}
	var together []int
	for label, f := range flips {
		if f.Evidence >= evidence {
			if err := pose(question{[]int{label}, rate, label}); err != nil {
				return nil, err
			}
		} else if f.alone >= evidence {
			together = append(together, label)
		}
	}
	if len(together) >= max(2, len(flips)/2) { // flips to many labels are usual: wrong labels by chance, or an attack on all of them
		err = pose(question{together, rate, -1})
	}
	return all, err
}

// labelFlips are how many images were moved to a label, and how many is usual.
type labelFlips struct {
	stat.Flips         // beyond what is usual
	usual      float64 // rate
	alone      float64 // nats by which there are flips at all
}

// nats is the evidence in a question about one label, or about many together, for which other labels' flips are no excuse.
func (f labelFlips) nats(together bool) float64 {
	if together {
		return f.alone
	}
	return f.Evidence
}

// flipsOf counts the flips to every label, beyond what is usual among the others.
func flipsOf(c *look.Content) []labelFlips {
	n, classes := len(c.Own), len(c.P[0])
	own := make([][]float64, classes)
	for i, y := range c.Labels {
		own[y] = append(own[y], c.Own[i])
	}
	rates := make([]float64, classes)
	all := make([]labelFlips, classes)
	for l := range rates {
		f := stat.CountFlips(own[l], n-len(own[l]), 0)
		rates[l], all[l].alone = f.Rate, f.Evidence
	}
	for l := range all {
		usual := stat.Median(rates, func(k int) bool { return k != l })
		all[l].usual, all[l].Flips = usual, stat.CountFlips(own[l], n-len(own[l]), usual)
	}
	return all
}
