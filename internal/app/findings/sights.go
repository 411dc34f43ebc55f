package findings

import (
	"fmt"
	"html/template"
	"slices"

	"github.com/unpoison/unpoison/audit"
	looks "github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/common"
	"github.com/unpoison/unpoison/audit/look/content"
	"github.com/unpoison/unpoison/audit/look/pixels"
	"github.com/unpoison/unpoison/report"
)

// sight is how a page shows what a look saw of a label: a sentence about the label's images, and a picture.
type sight struct {
	text    string
	picture template.HTML
}

// sights has a case for each look's facts. New facts need one case here; looks without one are shown by their counts.
var sights = map[looks.Name]func(t audit.Target, classes []string) (sight, bool){
	pixels.Name:  of(showPixels),
	common.Name:  of(showCommon),
	content.Name: of(showContent),
}

// of is a case: it reads the facts as those that show takes, whether they come from the look or from a result that was read.
func of[T any](show func(f T, t audit.Target, classes []string) sight) func(audit.Target, []string) (sight, bool) {
	return func(t audit.Target, classes []string) (sight, bool) {
		f, ok := looks.FactsOf[T](t.Evidence)
		if !ok {
			return sight{}, false
		}
		return show(f, t, classes), true
	}
}

// see shows what a look saw of a label.
func see(t audit.Target, classes []string) sight {
	if show := sights[t.Look]; show != nil && looks.CountsOf(t.Evidence).Images > 0 {
		if s, ok := show(t, classes); ok {
			return s
		}
	}
	return counted(looks.CountsOf(t.Evidence), t)
}

// counted shows counts, of whatever look.
func counted(c looks.Counts, t audit.Target) sight {
	if c.Images == 0 {
		return sight{text: "This look gave no counts."}
	}
	if t.Says == looks.CantTell {
		return sight{fmt.Sprintf("%s of %s images stand out, %s are uncertain; under other labels, %s of %s stand out too.",
			report.Count(c.Flagged), report.Count(c.Images), report.Plural(c.Between, "image"), report.Count(c.Leak), report.Count(c.Others)), shares(c, t)}
	}
	return sight{fmt.Sprintf("%s of %s images carry it; of the %s images under other labels %s do.",
		report.Count(c.Flagged), report.Count(c.Images), report.Count(c.Others), report.Count(c.Leak)), shares(c, t)}
}

func shares(c looks.Counts, t audit.Target) template.HTML {
	return report.Shares(report.Share{Name: "under " + t.Class, Part: c.Flagged, Whole: c.Images}, report.Share{Name: "under other labels", Part: c.Leak, Whole: c.Others})
}

func showPixels(f pixels.Facts, _ audit.Target, _ []string) sight {
	return sight{fmt.Sprintf("%s of %s images carry the same pattern, %.1f standard deviations from the rest; of the %s images under other labels %s do.",
		report.Count(f.Flagged), report.Count(f.Images), f.Distance, report.Count(f.Others), report.Count(f.Leak)), report.Kinds(f.Images-f.Flagged, f.Flagged, f.Distance)}
}

func showCommon(f common.Facts, t audit.Target, _ []string) sight {
	what := "whether their labels are correct was not checked"
	switch {
	case t.Says == looks.Poisoned:
		what = "and their labels contradict what they show"
	case t.Right != nil && t.Right.Contradicted():
		what = "and many of their labels contradict what they show, but they are too few to tell"
	case t.Right != nil:
		what = "and their labels are correct: a mark that they share"
	}
	return sight{fmt.Sprintf("%s of %s images carry a pattern that images of other labels carry too, %s.", report.Count(f.Flagged), report.Count(f.Images), what), shares(f.Counts, t)}
}

// whence says which images were given a label.
func whence(f content.Facts, classes []string) string {
	if f.From == nil || *f.From >= len(classes) {
		return "all images were given this label, whatever they show"
	}
	return fmt.Sprintf("the images that show %s were given this label", classes[*f.From])
}

// showContent shows the label's row of a confusion matrix: what its suspects look like.
func showContent(f content.Facts, t audit.Target, classes []string) sight {
	var s sight
	switch {
	case f.Cases == 0:
		s.text = fmt.Sprintf("About %s of %s (usual: %s). The evidence for this is %.1f nats (log likelihood ratio); no images stand out clearly enough to be compared.", percent(f.Rate), whence(f, classes), percent(f.Usual), f.Evidence)
		return s
	case t.Says == looks.NoEvidence:
		s.text = fmt.Sprintf("%s of %s images show another class than their label, but too few of them, if any, share something that correctly labelled images of that class lack: their labels are merely odd.", report.Count(f.Cases), report.Count(f.Images))
	case t.Says == looks.CantTell && f.OfWhole():
		s.text = fmt.Sprintf("%s of %s images show another class than their label, and have something in common. %s of the label's other images have it too: the class may come from another camera, or carry an honest mark.",
			report.Count(f.Cases), report.Count(f.Images), percent(f.OfLabel))
	case t.Says == looks.CantTell:
		s.text = fmt.Sprintf("%s of %s images show another class than their label, and have something in common that correctly labelled images of that class lack, but less clearly than with a trigger.", report.Count(f.Cases), report.Count(f.Images))
	default:
		s.text = fmt.Sprintf("%s of %s images show another class than their label, and share something that correctly labelled images of that class lack. About %s of %s (usual: %s). The evidence is %.0f nats (log likelihood ratio).",
			report.Count(f.Flagged), report.Count(f.Images), percent(f.Rate), whence(f, classes), percent(f.Usual), f.Evidence)
	}
	if len(f.Shown) != len(classes) || len(classes) == 0 || slices.Max(f.Shown) <= 0 {
		s.picture = shares(f.Counts, t)
		return s
	}
	s.picture = report.Matrix([]string{t.Class}, classes, [][]int{f.Shown}, []bool{t.Says != looks.NoEvidence})
	return s
}
