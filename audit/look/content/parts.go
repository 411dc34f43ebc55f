package content

import (
	"context"
	"slices"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/rng"
)

var (
	ofPart    = look.Limit("content", "evidence of a part")
	partShows = look.Limit("content", "part shows")
	ofWhole   = look.Limit("content", "part of the label")
	leftShows = look.Limit("content", "left part shows")
)

// byParts is why networks learn none of a part of a label's images.
const byParts = "parts"

// labelPart is a part of a label's images that is in doubt.
type labelPart struct {
	label  int
	images []int
	shows  float64 // see otherwise
	usual  float64 // the median of the other labels' parts
}

// parted asks about labels a part of which shows other classes. Networks that learnt many images with a smooth trigger, or a simple one,
// take them for the label, but not as surely as its others: they lie apart, and what else they might be tells which classes they came
// from, while a natural kind of a label, as a whole, looks like one or two others. Networks that learnt none of the part then name the
// classes of planted images nearly as well as those of other labels' images. It returns the evidence, with what was found instead of
// what was said of the same label before.
func parted(ctx context.Context, c *look.Case, content *look.Content, all []look.Evidence) ([]look.Evidence, error) {
	held, err := c.ContentHeld(ctx, -1)
	if held == nil || err != nil {
		return all, err
	}
	doubted := partsInDoubt(partsOf(held, content), content, all)
	if !held.Whole() { // it knows a sample
		for k, d := range doubted {
			of, err := c.ContentHeld(ctx, d.label)
			if err != nil {
				return all, err
			}
			doubted[k].images = partsOf(of, content)[d.label]
		}
	}
	doubted = slices.DeleteFunc(doubted, func(d labelPart) bool { return d.most(content) })
	if len(doubted) > 1 { // one training tells which are worth one of their own
		if doubted, err = leftTogether(ctx, c, doubted); err != nil {
			return all, err
		}
	}
	for _, d := range doubted {
		e, is, err := partOf(ctx, c, content, d)
		if err != nil {
			return all, err
		}
		if is {
			all = instead(all, e)
		}
	}
	return all, nil
}

// partsInDoubt are the parts that tell more about which other class they show than those of other labels, but for labels under which
// something was found.
func partsInDoubt(parts [][]int, content *look.Content, all []look.Evidence) (doubted []labelPart) {
	shows := make([]float64, len(parts))
	for label, images := range parts {
		shows[label] = otherwise(content, images, label)
	}
	for label, images := range parts {
		usual := stat.Median(shows, func(k int) bool { return k != label && len(parts[k]) > 0 })
		if shows[label]*float64(len(images)) >= ofPart && shows[label] >= partShows*usual && !found(all, label) {
			doubted = append(doubted, labelPart{label, images, shows[label], usual})
		}
	}
	return doubted
}

// most tells whether the part is most of the label's images: what these show is what the label means.
func (d labelPart) most(content *look.Content) bool {
	images := 0
	for _, y := range content.Labels {
		images += stat.Bit(int(y) == d.label)
	}
	return float64(len(d.images)) > ofWhole*float64(images)
}

// told is how much the images of the part tell by networks that learnt none of it, as a share of what those of other labels do.
func (d labelPart) told(unlearnt *look.Content) float64 {
	others := look.Those(rng.Iota(len(unlearnt.Labels)), func(i int) bool { return int(unlearnt.Labels[i]) != d.label })
	return otherwise(unlearnt, d.images, d.label) / max(otherwise(unlearnt, others, d.label), leastRatio)
}

// leftTogether keeps the parts that may be planted by networks that learnt none of any of them.
func leftTogether(ctx context.Context, c *look.Case, doubted []labelPart) (kept []labelPart, err error) {
	left := make([]bool, c.Data.Len())
	for _, d := range doubted {
		for _, i := range d.images {
			left[i] = true
		}
	}
	unlearnt, err := c.ContentUnseen(ctx, -1, byParts, left)
	if err != nil {
		return nil, err
	}
	for _, d := range doubted {
		told := d.told(unlearnt)
		c.Note("%s: a part of %d images tells %.2f nats an image about which other class it shows, others %.2f; left out, with parts of %d other labels, %.2f as much as other labels' images",
			c.Data.Classes[d.label], len(d.images), d.shows, d.usual, len(doubted)-1, told)
		if told >= leftShows {
			kept = append(kept, d)
		}
	}
	return kept, nil
}

// found tells whether poison was found under a label.
func found(all []look.Evidence, label int) bool {
	return slices.ContainsFunc(all, func(e look.Evidence) bool { return e.Label == label && e.Says == look.Poisoned })
}

// partsOf parts each label's images in two by the networks' features, in the metric in which the images of the other labels vary equally in
// all directions, and takes those of the part that the networks are less sure of; none where a part has too few. Networks of different
// folds may part them differently.
func partsOf(held *look.Held, content *look.Content) [][]int {
	parts := make([][]int, content.Classes())
	for _, fold := range held.Folds {
		of := make([][]int, len(parts))
		for _, i := range fold {
			of[content.Labels[i]] = append(of[content.Labels[i]], i)
		}
		if len(fold) == 0 {
			continue
		}
		width := len(held.Rows[fold[0]])
		scatters, whole := make([]stat.Scatter, len(of)), stat.NewScatter(nil, width)
		for label, images := range of {
			scatters[label] = stat.NewScatter(features(held, images), width)
			whole.Add(scatters[label])
		}
		for label, images := range of {
			in := whole.Without(scatters[label]).Parts(features(held, images))
			var sides [2][]int
			for k, i := range images {
				sides[stat.Bit(in[k])] = append(sides[stat.Bit(in[k])], i)
			}
			if min(len(sides[0]), len(sides[1])) < fewest {
				continue
			}
			less := sides[0]
			if surelyOwn(content, sides[1]) < surelyOwn(content, sides[0]) {
				less = sides[1]
			}
			parts[label] = append(parts[label], less...)
		}
	}
	for _, part := range parts {
		slices.Sort(part)
	}
	return parts
}

// features are those of some images.
func features(held *look.Held, images []int) [][]float64 {
	rows := make([][]float64, len(images))
	for k, i := range images {
		rows[k] = make([]float64, len(held.Rows[i]))
		for j, v := range held.Rows[i] {
			rows[k][j] = float64(v)
		}
	}
	return rows
}

// surelyOwn is the mean probability that images have of their own label.
func surelyOwn(content *look.Content, images []int) (mean float64) {
	for _, i := range images {
		mean += content.Own[i] / float64(len(images))
	}
	return mean
}

// otherwise is how much, in nats an image, some images tell about which class they are if not one; see stat.Information.
func otherwise(content *look.Content, images []int, not int) float64 {
	return stat.Information(func(visit func(p []float64)) {
		for _, i := range images {
			p := slices.Clone(content.P.Row(i))
			p[not] = 0
			visit(p)
		}
	})
}

// partOf asks of a part of a label's images by networks that learnt none of it, and tells whether many were moved there that have
// something in common.
func partOf(ctx context.Context, c *look.Case, content *look.Content, d labelPart) (e look.Evidence, is bool, err error) {
	left := make([]bool, c.Data.Len())
	for _, i := range d.images {
		left[i] = true
	}
	unlearnt, err := c.ContentUnseen(ctx, d.label, byParts, left)
	if err != nil {
		return e, false, err
	}
	told := d.told(unlearnt)
	c.Note("%s: a part of %d images tells %.2f nats an image about which other class it shows, others %.2f; left out, %.2f as much as other labels' images",
		c.Data.Classes[d.label], len(d.images), d.shows, d.usual, told)
	if told < leftShows {
		return e, false, nil
	}
	return leftOf(ctx, c, content, d.label, byParts, d.images)
}
