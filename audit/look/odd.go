package look

import (
	"cmp"
	"context"
	"slices"

	"github.com/unpoison/unpoison/audit/stat"
)

// Odd is an image whose label is probably wrong, and that shares nothing with others that would make it planted.
type Odd struct {
	Image       int
	Shows       int     // the class that it most probably shows
	Probability float64 // that it was given its label whatever it shows
}

// Odd lists the images whose labels are probably wrong among those that nothing was found in and that are not in doubt, the likeliest first: by the rate of
// flips to each label that explains the labels of these images best. It is empty where no network can tell what images show. An image that most
// likely shows its label is none of them, however frequent flips are.
func (c *Case) Odd(ctx context.Context) ([]Odd, error) {
	if !c.Settings.Content {
		return nil, nil
	}
	content, err := c.Content(ctx)
	if err != nil || content.Untold() { // then it can't tell wrong labels either
		return nil, err
	}
	doubtful := c.Doubtful()
	free := c.Of(func(i int) bool {
		return content.Knows(i) && c.Found()[i] <= Flagged && (doubtful == nil || doubtful[i] <= Flagged)
	})
	images := 0
	for _, is := range free {
		images += len(is)
	}
	var all []Odd
	for label, is := range free {
		own := make([]float64, len(is))
		for k, i := range is {
			own[k] = content.Own[i]
		}
		if len(is) < rightFewest && !slices.ContainsFunc(is, func(i int) bool { return content.Shows(i, -1) == label }) {
			continue // so rare that no network knows it: what its images show is not known either
		}
		rate := stat.MoveRate(stat.FlipRatios(own), images-len(is))
		for k, i := range is {
			if p := stat.Flipped(own[k], rate); p > Flagged && content.Shows(i, -1) != label {
				all = append(all, Odd{i, content.Shows(i, label), p})
			}
		}
	}
	slices.SortFunc(all, func(a, b Odd) int {
		return cmp.Or(cmp.Compare(b.Probability, a.Probability), cmp.Compare(a.Image, b.Image))
	})
	return all, nil
}
