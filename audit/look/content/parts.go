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
	labels := rng.Iota(content.Classes())
	parts, shows := make([][]int, len(labels)), make([]float64, len(labels))
	for label, part := range partsOf(held, content) {
		parts[label], shows[label] = part, otherwise(content, part, label)
	}
	for _, label := range labels {
		usual := stat.Median(shows, func(k int) bool { return k != label && len(parts[k]) > 0 })
		if shows[label]*float64(len(parts[label])) < ofPart || shows[label] < partShows*usual || found(all, label) {
			continue
		}
		part := parts[label]
		if !held.Whole() {
			of, err := c.ContentHeld(ctx, label)
			if err != nil {
				return all, err
			}
			part = partsOf(of, content)[label]
		}
		e, is, err := partOf(ctx, c, content, label, part, shows[label], usual)
		if err != nil {
			return all, err
		}
		if is {
			all = instead(all, e)
		}
	}
	return all, nil
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
func partOf(ctx context.Context, c *look.Case, content *look.Content, label int, part []int, shows, usual float64) (e look.Evidence, is bool, err error) {
	others := look.Those(rng.Iota(c.Data.Len()), func(i int) bool { return int(c.Data.Labels[i]) != label })
	if own := c.Data.Len() - len(others); float64(len(part)) > ofWhole*float64(own) { // what most images show is what the label means
		return e, false, nil
	}
	left := make([]bool, c.Data.Len())
	for _, i := range part {
		left[i] = true
	}
	unlearnt, err := c.ContentUnseen(ctx, label, byParts, left)
	if err != nil {
		return e, false, err
	}
	told := otherwise(unlearnt, part, label) / max(otherwise(unlearnt, others, label), leastRatio)
	c.Note("%s: a part of %d images tells %.2f nats an image about which other class it shows, others %.2f; left out, %.2f as much as other labels' images",
		c.Data.Classes[label], len(part), shows, usual, told)
	if told < leftShows {
		return e, false, nil
	}
	return leftOf(ctx, c, content, label, byParts, part)
}
