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
	case f.Evidence < evidence || f.Flagged < fewest:
		return look.NoEvidence
	case f.InCommon < hinted:
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
	var all []look.Evidence
	for label, flips := range flipsOf(content) {
		f := Facts{Rate: flips.Rate, Usual: flips.usual, Evidence: flips.Evidence}
		if f.Evidence < evidence {
			continue
		}
		e, err := ask(ctx, c, content, label, f)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// labelFlips are how many images were moved to a label, and how many is usual.
type labelFlips struct {
	stat.Flips
	usual float64
}

// flipsOf counts the flips to every label, beyond what is usual among the others.
func flipsOf(c *look.Content) []labelFlips {
	n, classes := len(c.Own), len(c.P[0])
	own := make([][]float64, classes)
	for i, y := range c.Labels {
		own[y] = append(own[y], c.Own[i])
	}
	rates := make([]float64, classes)
	for l := range rates {
		rates[l] = stat.CountFlips(own[l], n-len(own[l]), 0).Rate
	}
	all := make([]labelFlips, classes)
	for l := range all {
		usual := stat.Median(rates, func(k int) bool { return k != l })
		all[l] = labelFlips{stat.CountFlips(own[l], n-len(own[l]), usual), usual}
	}
	return all
}
