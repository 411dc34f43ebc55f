package runs

import (
	"fmt"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/biased"
	"github.com/unpoison/unpoison/audit/look/common"
	"github.com/unpoison/unpoison/audit/look/content"
	"github.com/unpoison/unpoison/audit/look/features"
	"github.com/unpoison/unpoison/audit/look/late"
	"github.com/unpoison/unpoison/audit/look/pixels"
	"github.com/unpoison/unpoison/audit/look/unseen"
)

// verdictSentences says in plain words what an automatic defence found.
func verdictSentences(r *Result) []string {
	v := r.Verdict
	var s []string
	switch v.Says {
	case look.Poisoned:
		s = append(s, fmt.Sprintf("This data looks poisoned: %d images, %.1f\u00a0%% of the training set, carry something that others do not.", v.Removed, 100*v.Rate))
	case look.Shortcut:
		s = append(s, fmt.Sprintf("%d images, %.1f\u00a0%% of the training set, share a mark under one label, and their labels are right. Whether an attacker put it there or it is honest, such as one camera's, the data can't say; a model would learn it as a shortcut either way.", v.Removed, 100*v.Rate))
	case look.CantTell:
		s = append(s, "Something sets some images apart, but not as clearly as a planted trigger does: the search can't tell.")
	default:
		s = append(s, "No evidence of poison was found.")
	}
	if c := v.Common(); c != nil {
		what := "though their labels are right: a mark that they share"
		switch c.Says {
		case look.Poisoned:
			what = "and their labels are wrong: they look like images of others"
		case look.CantTell:
			what = "and whether their labels are right was not looked at"
		}
		s = append(s, fmt.Sprintf("%d images under %s carry the same pattern, %s.", c.Images, c.Under(), what))
	}
	for _, t := range v.Targets {
		if text := targetSentence(t); t.Look != common.Name && text != "" {
			s = append(s, "Under the label "+t.Class+" "+text)
		}
	}
	if v.Remaining != nil || v.Corrected+v.Returned > 0 {
		s = append(s, cleanedSentences(&v.Cleaned)...)
	}
	return s
}

// targetSentence says what was seen of one label; nothing where there is no evidence.
func targetSentence(t audit.Target) string {
	switch t.Says {
	case look.Poisoned, look.Shortcut:
		return plantedSentence(t)
	case look.CantTell:
		if t.Look == features.Name || t.Look == unseen.Name {
			return kindsOf(t) + "; whether they were planted, or the rest, or none, can't be told."
		}
		n := look.CountsOf(t.Evidence)
		if f, ok := look.FactsOf[content.Facts](t.Evidence); ok && t.Look == content.Name {
			return fmt.Sprintf("about %d of %d images show something else than their label, more than chance gives; they have nothing in common that was found.", f.Cases, n.Images)
		}
		return fmt.Sprintf("%d of %d images stand out, %d are in between; under other labels %d of %d stand out too.", n.Flagged, n.Images, n.Between, n.Leak, n.Others)
	}
	return ""
}

func plantedSentence(t audit.Target) string {
	n := look.CountsOf(t.Evidence)
	switch t.Look {
	case content.Name:
		f, _ := look.FactsOf[content.Facts](t.Evidence)
		return fmt.Sprintf("%d of %d images show something else than their label, and have something in common that images of what they show don't have; about %.1f\u00a0%% of all images were given this label whatever they show.", n.Flagged, n.Images, 100*f.Rate)
	case unseen.Name:
		return kindsOf(t) + ", and look like images of other labels to a network that never saw one under this label."
	case features.Name:
		if f, _ := look.FactsOf[features.Facts](t.Evidence); f.Early < 0.5 { // its labels told, not the order of learning
			return kindsOf(t) + ", and look like images of other labels."
		}
		return kindsOf(t) + ", and were learnt before it."
	case biased.Labels:
		return fmt.Sprintf("%d of %d images look like images of other labels; the rest do not.", n.Flagged, n.Images)
	case late.Name:
		return fmt.Sprintf("%d of %d images carry something that is learnt late, and many of these look like images of other labels; of the %d images under other labels %d carry it too.", n.Flagged, n.Images, n.Others, n.Leak)
	case pixels.Name:
		return fmt.Sprintf("%d of %d images carry the same pattern; of the %d images under other labels %d do.", n.Flagged, n.Images, n.Others, n.Leak)
	}
	return fmt.Sprintf("%d of %d images carry it; of the %d images under other labels %d do.", n.Flagged, n.Images, n.Others, n.Leak)
}

// kindsOf says how far apart the two kinds of a label's images are.
func kindsOf(t audit.Target) string {
	f := look.KindsOf(t.Evidence)
	return fmt.Sprintf("%d of %d images are of another kind than the rest, %.1f standard deviations apart", f.Flagged, f.Images, f.Distance)
}

// cleanedSentences says what the training of the clean model did.
func cleanedSentences(v *audit.Cleaned) []string {
	var s []string
	whom := "the removed images that it never saw"
	s = append(s, "The model was trained without them.")
	if v.Corrected > 0 {
		s[0] = fmt.Sprintf("The model was trained without them, but for %d that surely show another class: it saw these under that class.", v.Corrected)
	}
	if v.Against > 0 {
		s = append(s, fmt.Sprintf("It was taught that the labels of %d of them are wrong.", v.Against))
	}
	if v.Returned > 0 {
		s = append(s, fmt.Sprintf("It was shown %d images of a shortcut as they came, and the pattern on %d images of other labels too, to learn that it means none.", v.Returned, v.Stamped))
	}
	if v.Remaining == nil {
		return s
	}
	return append(s, fmt.Sprintf("It gives %.1f\u00a0%% of %s the label that they came with (%d images; of more like them at most %.1f\u00a0%%).", 100**v.Remaining, whom, v.HeldBack, 100*v.RemainingAtMost))
}
