package runs

import (
	"fmt"

	"github.com/unpoison/unpoison/defense"
)

// verdictSentences says in plain words what an automatic defence found.
func verdictSentences(r *Result) []string {
	v := r.Verdict
	var s []string
	switch v.Says {
	case defense.Poisoned:
		s = append(s, fmt.Sprintf("This data looks poisoned: %d images, %.1f\u00a0%% of the training set, carry something that others do not.", v.Removed, 100*v.Rate))
	case defense.CantTell:
		s = append(s, "Something sets some images apart, but not as clearly as a planted trigger does: the search can't tell.")
	default:
		s = append(s, "No evidence of poison was found.")
	}
	if c := v.Common(); c != nil {
		what := "though their labels are right: a mark that they share"
		switch c.Says {
		case defense.Poisoned:
			what = "and their labels are wrong: they look like images of others"
		case defense.CantTell:
			what = "and whether their labels are right was not looked at"
		}
		s = append(s, fmt.Sprintf("%d images under %s carry the same pattern, %s.", c.Images, c.Under(), what))
	}
	for _, t := range v.Targets {
		if t.By == defense.ByCommon {
			continue
		}
		under := "Under the label " + t.Class + " "
		kinds := fmt.Sprintf("%d of %d images are of another kind than the rest, %.1f standard deviations apart", t.Flagged, t.Images, t.Distance)
		switch features := t.By == defense.ByFeatures || t.By == defense.ByUnseen; {
		case t.Says == defense.Poisoned && t.By == defense.ByUnseen:
			s = append(s, under+kinds+", and look like images of other labels to a network that never saw one under this label.")
		case t.Says == defense.Poisoned && features && t.Early < 0.5: // its labels told, not the order of learning
			s = append(s, under+kinds+", and look like images of other labels.")
		case t.Says == defense.Poisoned && features:
			s = append(s, under+kinds+", and were learnt before it.")
		case t.Says == defense.CantTell && features:
			s = append(s, under+kinds+"; whether they were planted, or the rest, or none, can't be told.")
		case t.Says == defense.Poisoned && t.By == defense.ByLabels:
			s = append(s, under+fmt.Sprintf("%d of %d images look like images of other labels; the rest do not.", t.Flagged, t.Images))
		case t.Says == defense.Poisoned && t.By == defense.ByLate:
			s = append(s, under+fmt.Sprintf("%d of %d images carry something that is learnt late, and many of these look like images of other labels; of the %d images under other labels %d carry it too.", t.Flagged, t.Images, t.Others, t.Leak))
		case t.Says == defense.Poisoned:
			what := "it"
			if t.By == defense.ByPixels {
				what = "the same pattern"
			}
			s = append(s, under+fmt.Sprintf("%d of %d images carry %s; of the %d images under other labels %d do.", t.Flagged, t.Images, what, t.Others, t.Leak))
		case t.Says == defense.CantTell:
			s = append(s, under+fmt.Sprintf("%d of %d images stand out, %d are in between; under other labels %d of %d stand out too.", t.Flagged, t.Images, t.Between, t.Leak, t.Others))
		}
	}
	if v.Remaining != nil {
		whom := "them"
		if v.Against > 0 {
			s = append(s, fmt.Sprintf("The model was trained without them, and taught that the labels of %d of them are wrong.", v.Against))
			if v.Stamped > 0 {
				s = append(s, fmt.Sprintf("It was shown the pattern on %d other images too, to learn that it does not mean the label, nor any other.", v.Stamped))
			}
			whom = "the other removed images"
		} else {
			s = append(s, "The model was trained without them.")
		}
		s = append(s, fmt.Sprintf("It gives %.1f\u00a0%% of %s the label that they came with (%d images; of more like them at most %.1f\u00a0%%).", 100**v.Remaining, whom, v.HeldBack, 100*v.RemainingAtMost))
	}
	return s
}
