package common

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
)

var (
	variation    = look.Limit("common", "variation")
	between      = look.Limit("common", "between")
	enough       = look.Limit("common", "enough")
	enoughOfOne  = look.Limit("common", "enough of one")
	leastMatched = look.Limit("common", "matched")
	ownLabel     = look.Limit("common", "own label")
	ownBeside    = look.Limit("common", "own beside others")
	othersRight  = look.Limit("common", "others right")
	variety      = look.Limit("common", "variety")
	timesUsual   = look.Limit("common", "variety of usual")
	timesRest    = look.Limit("common", "variety of rest")
)

// Facts are what is seen of a label under which there are images with the pattern. Leak counts those under other labels. Right,
// OthersRight and Matched are 0 where no network tells.
type Facts struct {
	look.Counts
	look.Variety
	Distance    float64 `json:"distance"`     // deviations between the images with the pattern and the others
	Spread      float64 `json:"spread"`       // variation of the images with the pattern beside it, as a share of the others'
	Matched     float64 `json:"matched"`      // share of all images with it that look like the class that their label is matched with
	Right       float64 `json:"right"`        // share of this label's that a network which never saw the pattern takes for the label
	OthersRight float64 `json:"others_right"` // that of the other labels' for theirs
}

// Says judges the label. The pattern was planted where the labels of its images are wrong: each label's stand on images of one
// other class, or only this label's are wrong, and of many classes.
func (f Facts) Says() look.Says {
	if f.Distance < apart || f.Spread < variation || f.BetweenShare() > between {
		return look.NoEvidence
	}
	carriers := float64(f.Flagged + f.Leak)
	right := (f.Right*float64(f.Flagged) + f.OthersRight*float64(f.Leak)) / max(1, carriers)
	switch {
	case f.Matched == 0: // no network saw them
		return look.CantTell
	case carriers >= enough && f.Matched >= leastMatched && right <= ownLabel*f.Matched:
		return look.Poisoned
	case float64(f.Flagged) >= enoughOfOne && f.OthersRight >= othersRight && f.Right <= ownBeside*f.OthersRight && f.Wrong(variety, timesUsual, timesRest):
		return look.Poisoned
	}
	return look.NoEvidence
}

// AskAgain says of the labels under which there is a common pattern whether it was planted, by what a network makes of the
// images that never saw one with it. The score is the share that the labels are matched with.
func (Look) AskAgain(ctx context.Context, c *look.Case, _ []look.Evidence) ([]look.Evidence, error) {
	var seen pattern
	if ok, err := c.Get(string(Name), &seen); !ok {
		return nil, err
	}
	plain, err := c.Plain(ctx)
	if err != nil {
		return nil, err
	}
	with, without := make([][]int, len(c.Data.Classes)), make([][]int, len(c.Data.Classes)) // the images of each label
	for i, l := range c.Data.Labels {
		if c.IsAside(i) {
			with[l] = append(with[l], i)
		} else {
			without[l] = append(without[l], i)
		}
	}
	p := c.Aside()
	var all []look.Evidence
	for class, facts := range judge(with, without, plain) {
		if len(with[class]) == 0 {
			continue
		}
		facts.Distance, facts.Spread = seen.Distance, seen.Spread
		facts.Tally(slices.Concat(with[class], without[class]), p)
		e := look.Evidence{Look: Name, Label: class, Score: facts.Matched, Says: facts.Says(), Carriers: c.Unasked(), Facts: facts}
		for _, i := range with[class] {
			e.Carriers[i] = p[i]
		}
		all = append(all, e)
	}
	note(c, all)
	return all, nil
}

func note(c *look.Case, all []look.Evidence) {
	f, _ := look.FactsOf[Facts](all[0])
	right := f.Right*float64(f.Flagged) + f.OthersRight*float64(f.Leak)
	c.Note("a pattern in %d images under %d labels, %.2f from the rest; they vary %.2f times as it; %.0f look like what their labels say, %.0f %% like one class a label",
		f.Flagged+f.Leak, len(all), f.Distance, f.Spread, right, 100*f.Matched)
}

// judge describes each label by the images with the pattern and those without it.
func judge(with, without [][]int, plain *look.Plain) []Facts {
	all := make([]Facts, len(with))
	pairs := map[[2]int]int{} // of a label and what an image with the pattern looks like
	right, carriers, images := 0, 0, 0
	for class := range with {
		carriers += len(with[class])
		images += len(with[class]) + len(without[class])
	}
	for class := range all {
		n := len(with[class])
		all[class].Images = n + len(without[class])
		all[class].Others, all[class].Leak = images-all[class].Images, carriers-n
	}
	if plain == nil {
		return all
	}
	varieties := make([]float64, len(with))
	for class := range with {
		for _, i := range with[class] {
			pairs[[2]int{class, plain.First[i]}]++
			right += stat.Bit(plain.First[i] == class)
		}
		varieties[class] = stat.Variety(plain.Second, with[class])
	}
	share := func(n, of int) float64 { return float64(n) / float64(max(1, of)) }
	pure := matched(pairs)
	for class := range all {
		f, n, own := &all[class], len(with[class]), pairs[[2]int{class, class}]
		f.Matched, f.Right, f.OthersRight = share(pure, carriers), share(own, n), share(right-own, carriers-n)
		f.Suspects, f.Rest = varieties[class], stat.Variety(plain.Second, without[class])
		f.Usual = stat.Median(varieties, func(other int) bool { return other != class && len(with[other]) > 0 })
	}
	return all
}

// matched counts the images that look like the class that their label was matched with: the commonest pairs of a label and a
// class come first, and no class is matched twice.
func matched(pairs map[[2]int]int) int {
	order := slices.SortedFunc(maps.Keys(pairs), func(a, b [2]int) int {
		return cmp.Or(cmp.Compare(pairs[b], pairs[a]), slices.Compare(a[:], b[:]))
	})
	labels, classes := map[int]bool{}, map[int]bool{}
	total := 0
	for _, k := range order {
		if !labels[k[0]] && !classes[k[1]] {
			labels[k[0]], classes[k[1]] = true, true
			total += pairs[k]
		}
	}
	return total
}
