package content

import (
	"context"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
)

// ofLabel returns the share of the label's other images, from 0 to 1, that have what the cases have in common, by networks that learnt
// none of them: all images of a class that comes from another camera do, and then wrong labels among them are honest. Images that
// show the label count as such; where there are few it is 0.
func ofLabel(ctx context.Context, c *look.Case, l lesson) (float64, error) {
	own := l.own
	if len(own) < fewest {
		return 0, nil
	}
	l.own = nil
	t, err := tell(ctx, c, l, own, 0)
	if err != nil {
		return 0, err
	}
	median := func(images []int) float64 {
		of := make([]float64, len(images))
		for k, i := range images {
			of[k] = t.z[i]
		}
		return stat.Median(of, func(k int) bool { return t.asked[images[k]] })
	}
	between := (median(l.cases) + median(l.alike)) / 2
	own = look.Those(own, t.says)
	return float64(len(look.Those(own, func(i int) bool { return t.z[i] > between }))) / float64(max(1, len(own))), nil
}
