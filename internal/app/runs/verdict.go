package runs

import (
	"fmt"
	"slices"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
)

// Seem says what suspects seem to be of whom a verdict, or what is news in it, says a word.
func Seem(v *audit.Verdict, says look.Says) string {
	switch {
	case says == look.Shortcut:
		return "share a mark under one label, planted or honest"
	case slices.ContainsFunc(v.Targets, func(t audit.Target) bool { return t.Says == look.Shortcut }):
		return "look poisoned or share a mark"
	}
	return "look poisoned"
}

// verdictSentences says what a page's head does not: of patterns under many labels, and of the clean model.
func verdictSentences(v *audit.Verdict) []string {
	var s []string
	if c := v.Common(); c != nil {
		what := "but their labels are correct: a mark that they share"
		switch {
		case c.Says == look.Poisoned:
			what = "and their labels are wrong: they look like images of other classes"
		case c.Right == nil:
			what = "and whether their labels are correct was not checked"
		case c.Right.Contradicted():
			what = "and many of their labels contradict what they show, but they are too few to tell"
		}
		s = append(s, fmt.Sprintf("%d images under %s carry the same pattern, %s.", c.Images, c.Under(), what))
	}
	if v.Remaining != nil || v.Corrected+v.Returned > 0 {
		s = append(s, cleanedSentences(&v.Cleaned)...)
	}
	return s
}

// cleanedSentences says what the training of the clean model did.
func cleanedSentences(v *audit.Cleaned) []string {
	var s []string
	switch {
	case v.Corrected > 0:
		s = append(s, fmt.Sprintf("The model was trained without them, except for %d that clearly show another class: it was trained on these under that class.", v.Corrected))
	case v.Returned == 0 || v.HeldBack > 0:
		s = append(s, "The model was trained without them.")
	}
	if v.Continued > 0 {
		s = append(s, "Its training continued from the ordinary network of the search, which learnt none of the removed images.")
	}
	if v.Returned > 0 {
		s = append(s, fmt.Sprintf("The model was trained on %d images of a shortcut, with the pattern stamped on %d images of other labels in each epoch, so that the pattern predicts no label.", v.Returned, v.Stamped))
	}
	if v.Evened > 0 {
		s = append(s, fmt.Sprintf("What these images share was stamped on %d others under their own labels, so that it predicts no label.", v.Evened))
	}
	if v.Remaining == nil {
		return s
	}
	return append(s, fmt.Sprintf("It gives %.1f\u00a0%% of the removed images, which it never saw, their original label (%d images; of more like them, with 95\u00a0%% confidence, at most %.1f\u00a0%%).", 100**v.Remaining, v.HeldBack, 100*v.RemainingAtMost))
}
