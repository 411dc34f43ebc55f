package audit

import (
	"cmp"
	"math"
	"slices"

	"github.com/unpoison/unpoison/defense"
)

// The limits of the verdict; docs/measured/limits.md has the measurements that they lie between.
const (
	leakSurely = 0.10 // of the images under other labels: no further round will change that
	leakClass  = 0.01 // what was learnt is the class
	blurred    = 0.10 // of the label's images in between: what was learnt is a matter of degree
	sharp      = 0.05 // a trigger is there or not
	agree      = 0.95 // of two rounds' flagged images
	fewest     = 10   // flagged images that a verdict rests on

	pattern = 10.0 // deviations between images with a pattern and the label's others; honest ones lay up to 6.6 apart
	rarer   = 0.5  // times as common under other labels: attackers show triggers with right labels too
	copies  = 0.2  // times the others' variation: of less it is one image over and over

	consistent = 0.3  // of a common pattern's images look like the one class that their label is matched with, and
	ownRarely  = 0.5  // times as many like their own label
	wrongUnder = 0.25 // times as many of one label's images with it look like that label as of other labels' do like theirs, which
	rightRest  = 0.3  // of them at least do
	enough     = 50   // images that this rests on: in fewer chance finds as much

	farApart    = 6.0  // deviations between a label's two kinds of images, and
	perRoot     = 40.0 // of the square root of the images' number more: in few images chance finds kinds
	unusual     = 1.4  // times as far apart as other labels' groups, and as various; planted images were at least 1.55 times
	otherLabels = 3    // at least, of which that is the median; of fewer nobody knows what is usual
	twoKinds    = 0.6  // bimodality; 5/9 is that of a uniform distribution, like a sign from day to night, and
	uneven      = 0.45 // that of two kinds of which one varies much more, which isolation must then tell apart
	mixed       = 0.06 // of the label's images between the kinds
	earlier     = 0.65 // probability that a suspect is learnt before another image of its label
	pure        = 0.85 // of a label's isolated images are suspects
	plain       = 0.9  // probability and share of the isolated images, of what isolation sees plainly

	various      = 0.25 // variety of wrong labels at least, and
	variousUsual = 2.25 // times that of other labels, of which the highest was 2.1 times theirs, and
	variousRest  = 1.5  // times that of the label's other images
	diverse      = 0.5  // variety at least to a network that never saw the label

	doubted     = 4.6  // loss of an image that looks like another class: its label has a probability of 1 %
	tooMany     = 3.0  // deviations more of them than other labels have that look like it; honest labels had up to 3.2
	leakLate    = 0.05 // of the images under other labels: attackers show triggers with right labels too
	wrongly     = 0.2  // of what was found besides look like other classes, and
	wrongLate   = 2.0  // times as many as of the label's other images, and
	variousLate = 1.25 // times as various
)

// apart tells whether a label holds two kinds of images, and whether it is known which are the planted ones, and that any are
// (not where there are too few other labels to say how far apart kinds usually are): by isolation,
// or because their labels are wrong. Few honest images beside many planted ones that vary much are two kinds too, though
// that hides from the bimodality; isolation or the wrong labels tell then.
func apart(t *defense.Target) (two, known bool) {
	n := float64(max(1, t.Images))
	wrong := mislabelled(t)
	isolated := t.Early >= plain && t.Isolated >= plain
	bimodal := t.Bimodality >= twoKinds || t.Bimodality >= uneven && isolated || wrong
	two = t.Distance >= max(least(t.Images), unusual*t.Usual) && bimodal && float64(t.Between) <= mixed*n && t.Flagged >= fewest
	return two, t.Usual > 0 && (t.Early >= earlier && t.Pure >= pure && !contradicted(t) || wrong)
}

// least is how many deviations the two kinds of so many images are apart.
func least(images int) float64 { return farApart + perRoot/math.Sqrt(float64(max(1, images))) }

// says judges a label: by a pattern, by its two kinds of images, or by the last round of the biased network.
func says(t *defense.Target) string {
	leak, between := float64(t.Leak)/float64(max(1, t.Others)), float64(t.Between)/float64(max(1, t.Images))
	if t.By == defense.ByPixels {
		share := float64(t.Flagged) / float64(max(1, t.Images))
		if t.Distance >= pattern && t.Spread >= copies && leak <= rarer*share && between <= sharp && t.Flagged >= fewest {
			return defense.Poisoned
		}
		return defense.NoEvidence
	}
	if t.By == defense.ByCommon {
		if t.Distance < pattern || t.Spread < copies || between > sharp {
			return defense.NoEvidence
		}
		return everywhere(t)
	}
	if t.By == defense.ByUnseen {
		if t.Variety >= max(diverse, variousRest*t.RestVariety) && t.Flagged >= enough {
			return defense.Poisoned
		}
		return defense.CantTell
	}
	if t.By == defense.ByLate {
		besides := t.Pure * float64(t.Flagged)
		if leak <= leakLate && besides >= enough && 1-t.Agreement >= max(wrongly, wrongLate*(1-t.Usual)) && t.Variety >= max(various, variousLate*t.RestVariety) {
			return defense.Poisoned
		}
		return defense.NoEvidence
	}
	if t.By == defense.ByFeatures {
		switch two, known := apart(t); {
		case !two:
			return defense.NoEvidence
		case !known:
			return defense.CantTell
		}
		return defense.Poisoned
	}
	switch {
	case hopeless(t):
		return defense.NoEvidence
	case t.Rounds < 2:
		return defense.CantTell
	case leak > leakClass || between > blurred:
		return defense.NoEvidence
	case between <= sharp && t.Agreement >= agree && !contradicted(t):
		return defense.Poisoned
	}
	return defense.CantTell
}

// hopeless tells whether no further round of a biased network will make a trigger of what was learnt.
func hopeless(t *defense.Target) bool {
	return float64(t.Leak) > leakSurely*float64(max(1, t.Others)) || t.Flagged < fewest
}

// everywhere judges a label by a pattern that others carry too. It was planted where the labels of its images are wrong: each
// label's stand on images of one other class, or only this label's are wrong, and of many classes.
func everywhere(t *defense.Target) string {
	right := (t.Agreement*float64(t.Flagged) + t.Usual*float64(t.Leak)) / float64(max(1, t.Flagged+t.Leak))
	switch {
	case t.Pure == 0: // no network saw them
		return defense.CantTell
	case t.Flagged+t.Leak >= enough && t.Pure >= consistent && right <= ownRarely*t.Pure:
		return defense.Poisoned
	case t.Flagged >= enough && t.Usual >= rightRest && t.Agreement <= wrongUnder*t.Usual && mislabelled(t):
		return defense.Poisoned
	}
	return defense.NoEvidence
}

// verdict joins what was seen of the labels.
func verdict(targets []defense.Target) *defense.Verdict {
	v := &defense.Verdict{Says: defense.NoEvidence, Targets: targets}
	rank := []string{defense.Poisoned, defense.CantTell, defense.NoEvidence}
	for _, t := range targets {
		if slices.Index(rank, t.Says) < slices.Index(rank, v.Says) {
			v.Says = t.Says
		}
	}
	slices.SortStableFunc(v.Targets, func(a, b defense.Target) int {
		return cmp.Compare(slices.Index(rank, a.Says), slices.Index(rank, b.Says))
	})
	return v
}

// looks are the ways to look into a label, as a checkpoint numbers them.
var looks = []string{defense.ByBiased, defense.ByFeatures, defense.ByPixels, defense.ByCommon, defense.ByLabels, defense.ByUnseen, defense.ByLate}

// encode and decode carry targets through a checkpoint, which holds float32; the counts are below 2²⁴.
func encode(targets []defense.Target) []float32 {
	var a []float32
	for _, t := range targets {
		for _, v := range []int{slices.Index(looks, t.By), t.Index, t.Images, t.Flagged, t.Between, t.Others, t.Leak, t.Rounds} {
			a = append(a, float32(v))
		}
		for _, v := range []float64{t.Isolated, t.Pure, t.Distance, t.Usual, t.Bimodality, t.Early, t.Agreement, t.Variety, t.RestVariety, t.UsualVariety, t.Spread} {
			a = append(a, float32(v))
		}
	}
	return a
}

func decode(a []float32, classes []string) []defense.Target {
	const fields = 19
	targets := make([]defense.Target, 0, len(a)/fields)
	for ; len(a) >= fields; a = a[fields:] {
		n := func(k int) int { return int(a[k]) }
		f := func(k int) float64 { return float64(a[k]) }
		t := defense.Target{
			By: looks[n(0)], Index: n(1), Class: classes[n(1)], Images: n(2), Flagged: n(3), Between: n(4), Others: n(5), Leak: n(6), Rounds: n(7),
			Isolated: f(8), Pure: f(9), Distance: f(10), Usual: f(11), Bimodality: f(12), Early: f(13), Agreement: f(14),
			Variety: f(15), RestVariety: f(16), UsualVariety: f(17), Spread: f(18),
		}
		t.Says = says(&t)
		targets = append(targets, t)
	}
	return targets
}
