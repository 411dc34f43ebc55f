package content

import (
	"cmp"
	"context"
	"slices"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/rng"
)

// pairs are the halves of an image.
var pairs = []struct {
	name   string
	halves [2]evaluate.Half
}{
	{"left and right", [2]evaluate.Half{evaluate.Left, evaluate.Right}},
	{"upper and lower", [2]evaluate.Half{evaluate.Upper, evaluate.Lower}},
}

// halved asks about labels whose images show something else in their left half and in their right one, or in the upper and the lower.
// Images that are composed of two others are content: networks that learn many of them find their label right. Their halves give them
// away, and networks that learnt none of those are asked of the whole images. It returns the evidence, with what was found instead of
// what was said of the same label before.
func halved(ctx context.Context, c *look.Case, content *look.Content, all []look.Evidence) ([]look.Evidence, error) {
	for _, pair := range pairs {
		labels, by, flips, err := doubted(ctx, content.Classes(), all, pair.halves, c.ContentHalf)
		if err != nil {
			return all, err
		}
		for _, label := range labels {
			var odds [2]func(i int) float64
			for k, half := range pair.halves {
				of := by[k]
				if !of.Whole() { // it knows a sample
					if of, err = c.ContentHalf(ctx, half, label); err != nil {
						return all, err
					}
				}
				odds[k] = flips[k][label].odds(of)
			}
			e, is, err := halvesOf(ctx, c, content, label, pair.name, inBoth(content, label, odds[0], odds[1]))
			if err != nil {
				return all, err
			}
			if is {
				all = instead(all, e)
			}
		}
	}
	return all, nil
}

// instead puts evidence in the place of what was said of its label before, unless that was more.
func instead(all []look.Evidence, e look.Evidence) []look.Evidence {
	if slices.ContainsFunc(all, func(o look.Evidence) bool { return o.Label == e.Label && o.Says > e.Says }) {
		return all
	}
	return append(slices.DeleteFunc(all, func(o look.Evidence) bool { return o.Label == e.Label }), e)
}

// doubted are the labels, but for those under which something was found, to which many images were moved by what either half shows, and
// what each half shows, with the flips to all labels. The second half is asked about where the first gives cause to.
func doubted(ctx context.Context, classes int, all []look.Evidence, halves [2]evaluate.Half, ask func(ctx context.Context, half evaluate.Half, label int) (*look.Content, error)) (labels []int, by [2]*look.Content, flips [2][]labelFlips, err error) {
	labels = look.Those(rng.Iota(classes), func(label int) bool {
		return !found(all, label)
	})
	for k, half := range halves {
		if len(labels) == 0 {
			break
		}
		if by[k], err = ask(ctx, half, -1); by[k] == nil || err != nil {
			return nil, by, flips, err
		}
		flips[k] = flipsOf(by[k])
		labels = look.Those(labels, func(label int) bool { return flips[k][label].Evidence >= inHalves })
	}
	return labels, by, flips, nil
}

// inBoth are the images of a label both of whose halves show something else, by the logarithms of the odds, but no more than half of
// the label's: networks have to learn it.
func inBoth(content *look.Content, label int, one, other func(i int) float64) []int {
	var images []int
	n := 0
	least := stat.Logit(certain)
	for i, y := range content.Labels {
		if int(y) == label {
			n++
			if min(one(i), other(i)) > least {
				images = append(images, i)
			}
		}
	}
	slices.SortStableFunc(images, func(i, j int) int { return cmp.Compare(one(j)+other(j), one(i)+other(i)) })
	images = images[:min(len(images), n/2)]
	slices.Sort(images)
	return images
}

// halvesOf asks of a label's images by networks that learnt none of the cases, and tells whether many were moved there that have
// something in common.
func halvesOf(ctx context.Context, c *look.Case, content *look.Content, label int, halves string, cases []int) (e look.Evidence, is bool, err error) {
	if len(cases) < fewest {
		return e, false, nil
	}
	c.Note("%s: %d images show something else in both of their %s halves", c.Data.Classes[label], len(cases), halves)
	return leftOf(ctx, c, content, label, halves, cases)
}

// leftOf asks of a label's images by networks that learnt none of some of them, for a reason that has a name.
func leftOf(ctx context.Context, c *look.Case, content *look.Content, label int, why string, cases []int) (e look.Evidence, is bool, err error) {
	q := question{labels: []int{label}, except: label}
	a, f, is, err := unseen(ctx, c, q, answer{cases: cases, p: make([]float64, c.Data.Len()), why: why})
	if !is || err != nil || f.Evidence < leftOut && f.pair.Evidence < leftOut {
		return e, false, err
	}
	if a, err = complete(ctx, c, q, a, true, true); err != nil {
		return e, false, err
	}
	e, err = a.of(ctx, c, content, label, f.facts(false))
	e.Flipped = true
	return e, err == nil, err
}
