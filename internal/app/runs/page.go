package runs

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/report"
)

// Percent formats a share in percent, or a dash.
func Percent(v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf("%.1f\u00a0%%", *v)
}

// Precision formats the isolation's precision, or a dash.
func Precision(i *Isolation) string {
	if i == nil || i.Precision == nil {
		return "–"
	}
	return Percent(new(100 * *i.Precision))
}

// curves plots the mean losses of an outcome's epochs, clean and poisoned apart where known.
func curves(title, caption string, o *Outcome) (report.Figure, error) {
	var all, clean, poisoned []float64
	for _, e := range o.Epochs {
		all = append(all, *e.Loss)
		if e.Clean != nil && e.Poisoned != nil {
			clean, poisoned = append(clean, *e.Clean), append(poisoned, *e.Poisoned)
		}
	}
	if len(clean) == len(all) {
		return report.LineFigure(title, caption, report.Axes{X: "epoch", Y: "loss"}, report.Line{Name: "clean images", Y: clean}, report.Line{Name: "poisoned images", Y: poisoned, Dash: true})
	}
	return report.LineFigure(title, caption, report.Axes{X: "epoch", Y: "loss"}, report.Line{Name: "all images", Y: all})
}

// suspectGallery shows the n most suspicious images; where the truth is known, poisoned ones are marked.
func suspectGallery(o *Outcome, n int) report.Gallery {
	g := report.Gallery{Title: "The most suspicious images", Note: "In order of loss, lowest first: rank, label, loss, file.", Photo: report.Photo(o.Train.Height, o.Train.Width)}
	said := o.Verdict != nil
	if said {
		g.Note = "Rank, label, and the probability that the image was planted."
	}
	if o.Truth != nil {
		g.Note += " A frame marks images that really are poisoned."
	}
	all := o.Trained.Suspects
	n = min(n, len(all))
	places, news := o.Result.Baseline.newsFirst(all)
	list := make([]isolate.Suspect, n)
	for k := range list {
		list[k] = all[places[k]]
	}
	near, size := nearest(o, list), 0
	for k, s := range list {
		rank := places[k] + 1
		item := report.Item{
			Image:   report.ImageURL(o.Train.Image(s.Index), o.Train.Height, o.Train.Width),
			Caption: fmt.Sprintf("%d %s %.3g", rank, o.Train.Classes[o.Train.Labels[s.Index]], s.Score),
			Detail:  o.Train.Source(s.Index),
			Mark:    o.Truth != nil && o.Truth[s.Index],
			Index:   s.Index, Source: o.Train.Source(s.Index), Digest: o.Train.ImageDigest(s.Index).String(), Drop: s.Isolated,
		}
		if said {
			item.Caption = fmt.Sprintf("%d %s %s", rank, o.Train.Classes[o.Train.Labels[s.Index]], probability(s)) + news[s.Index]
		}
		if size += len(item.Image); size > mostBytes {
			break
		}
		for _, i := range near[k] {
			url := report.SmallURL(o.Train.Image(i), o.Train.Height, o.Train.Width)
			if size += len(url); size < mostBytes/2 || k < few { // the suspects themselves matter more
				item.Near = append(item.Near, url)
			}
		}
		g.Items = append(g.Items, item)
	}
	if n > 0 && len(near[0]) > 0 {
		g.Note += " Below each, for comparison, the most similar images of its label that do not look suspicious."
	}
	suspected := 0
	for _, s := range all {
		suspected += stat.Bit(s.Isolated)
	}
	if left := suspected - len(g.Items); left > 0 {
		g.Note += fmt.Sprintf(" %s more are %s; %s lists them, and unpoison review shows them.", report.Count(left), aside(o.Verdict), SuspectsFile)
	}
	return g
}

// A page shows a few suspects, however few there are, and so many at most; and so many bytes of pictures.
const few, most, mostBytes = 60, 300, 4 << 20

// shown is how many suspects a page shows: all that are isolated or stand out, as far as it stays small,
// and some more to compare.
func shown(o *Outcome) int {
	n := 0
	for _, s := range o.Trained.Suspects {
		n += stat.Bit(s.Isolated || s.Doubtful)
	}
	return min(most, max(few, n+n/5))
}

// facts lists how a run was made.
func facts(r *Result) [][2]string {
	return [][2]string{
		{"command", r.Command},
		{"version", r.Version + ", " + r.Date},
		{"engine", r.Engine},
		{"network", r.Model},
		{"seed", fmt.Sprint(r.Seed)},
		{"data", fmt.Sprintf("%s, %d training and %d test images", r.Data.Layout, r.Data.Train, r.Data.Test)},
		{"digest", r.Data.Digest},
		{"epochs", fmt.Sprintf("%d isolation, %d training, %.2f unlearning", r.Epochs.Isolate, r.Epochs.Tune, r.Epochs.Unlearn)},
	}
}

// Warnings says what is odd about the data as they came, a sentence each.
func (d *DataInfo) Warnings() []string {
	var w []string
	say := func(n int, one, many string, args ...any) {
		if n == 1 {
			w = append(w, fmt.Sprintf(one, args...))
		} else if n > 1 {
			w = append(w, fmt.Sprintf(many, append([]any{n}, args...)...))
		}
	}
	const most = 5
	names := func(list []string) string {
		if len(list) > most {
			return strings.Join(list[:most], ", ") + ", …"
		}
		return strings.Join(list, ", ")
	}
	say(d.Skipped, "One record could not be read or had no label and was skipped.", "%d records could not be read or had no label and were skipped.")
	say(d.Conflicting, "One image is a copy of another under a different label.", "%d images are copies of others under a different label.")
	say(d.Duplicates-d.Conflicting, "One image is an exact copy of another of its label.", "%d images are exact copies of others of their label.")
	say(d.Shared, "One test image is also a training image: the clean accuracy is overstated a little.", "%d test images are also training images: the clean accuracy is overstated.")
	say(len(d.Single), "One label has a single image: %s.", "%d labels have a single image each: %s.", names(d.Single))
	say(len(d.Empty), "One label has no image: %s.", "%d labels have no image: %s.", names(d.Empty))
	say(len(d.Untaught), "No image of one label was left to train on: %s. The model does not know it.", "No image of %d labels was left to train on: %s. The model does not know them.", names(d.Untaught))
	return w
}

// lookedFor says what a search looks for.
func lookedFor(v *audit.Verdict) string {
	const labels, pattern = "labels that contradict what images show, and for what such images share", "a pattern that is the same in many images, of one label or of many"
	switch {
	case v.Without(look.ByContent):
		return "The search looked for " + pattern + ". Labels were not compared with what images show."
	case v.Without(look.ByPixels):
		return "The search looked for " + labels + ". Patterns of pixels were not looked for."
	}
	return "The search looks for " + labels + "; and for " + pattern + "."
}

// trust says what a run's results can't promise.
func trust(r *Result) []string {
	var t []string
	if r.Verdict != nil {
		t = append(t,
			lookedFor(r.Verdict)+" An honest mark that only one class carries, such as the watermark of one source on half of its images, looks the same as a trigger.",
			"No evidence is not proof: a trigger that is rarer, weaker or spread over more labels than the measured ones can be missed.",
			"Look at the suspects and at what they have in common before you drop them.")
		if m := r.Verdict.Measured; m != nil {
			t = append(t, fmt.Sprintf("With default settings, %d of %d clean data sets were called poisoned (with 95\u00a0%% confidence at most %.1f\u00a0%%, or %.1f\u00a0%% by family); for %d the verdict was “can’t tell”. Of %d poisoned sets, %d were missed, suspected under another label, or “can’t tell” (at most %.1f\u00a0%%). No setting was chosen on the families of the clean sets: %s. The poisoned sets are of %s; for each, no setting was chosen on its family, or none on its attack. For other kinds of data, the error rates are unknown.",
				m.Clean.Wrong, m.Clean.Sets, 100*m.Clean.AtMost, 100*m.ByFamily.AtMost, m.Unsure, m.Poisoned.Sets, m.Poisoned.Wrong, 100*m.Poisoned.AtMost, strings.Join(m.Families, ", "), strings.Join(m.Planted, ", ")))
		}
	} else if r.Isolation != nil {
		t = append(t,
			"Isolation always takes its share, whether anything was planted or not. That most isolated images carry one label is a rule of thumb, not a test with a known error rate: it can also happen if the images of a class are very similar.",
			"A suspect is an image that is learnt early and easily. Look at the suspects and at what they have in common before you drop them.")
	}
	if r.ASR == nil && r.CA != nil && len(r.Attacks) > 0 {
		t = append(t, "No test image is of a class that the planted attack aims at, so its success could not be measured.")
	} else if r.ASR == nil && r.CA != nil {
		t = append(t, "Clean accuracy says nothing about a backdoor: a network with one is just as accurate. Its attack success rate can't be measured without the trigger.")
	}
	if r.CA == nil && r.Isolation == nil && r.Verdict == nil {
		t = append(t, "There are no test images, so nothing was measured on images that the network has not seen.")
	}
	return t
}

// Page writes a run's report.html.
func Page(folder string, o *Outcome) error {
	r := o.Result
	p := &report.Page{Title: "unpoison: " + string(r.Defense) + " on " + r.Data.Layout, Facts: facts(r)}
	p.Columns, p.Rows = measured(r)
	if v := r.Verdict; v != nil {
		p.Title = "unpoison: " + v.Says.String()
		p.Head, p.Evidence = headOf(folder, o)
		p.Summary = verdictSentences(v)
	} else if i := r.Isolation; i != nil {
		p.Summary = append(p.Summary, fmt.Sprintf("Isolation set aside %.1f\u00a0%% of the training images; %.0f\u00a0%% of them are labelled %s.", 100*i.Rate, 100*i.TopShare, i.TopClass))
		if i.Suspicious {
			p.Summary = append(p.Summary, "So many images of one label among the easiest to learn suggest planted images.")
		} else {
			p.Summary = append(p.Summary, "No label stands out as much as with planted images. This is no proof that the data are clean.")
		}
		if e, ok := commonImages(o); ok {
			p.Evidence = append(p.Evidence, e)
		}
	}
	if r.Baseline != nil {
		p.Summary = append(p.Summary, r.Baseline.sentence())
	}
	p.Summary = append(p.Summary, r.Data.Warnings()...)
	p.Trust = trust(r)
	if r.Unlearning != nil {
		p.Summary = append(p.Summary, unlearningSentence(r.Unlearning))
	}
	for _, a := range r.Attacks {
		if a.RA != nil && a.RATarget != nil {
			p.Summary = append(p.Summary, fmt.Sprintf("With the trigger of %s, %.1f\u00a0%% of the test images that it aims at are classified as what they show, and %.1f\u00a0%% of %s's own.",
				a.Name, *a.RA, *a.RATarget, r.Data.Classes[a.Target]))
		}
	}
	if len(o.Epochs) > 1 {
		caption := "Mean loss of each epoch."
		if r.Verdict != nil && r.CA != nil {
			caption = "Mean loss of each epoch: the search for suspects, then training on what was kept."
		}
		f, err := curves("Training loss", caption, o)
		if err != nil {
			return err
		}
		p.Figures = append(p.Figures, f)
	}
	if len(o.Trained.Suspects) > 0 {
		if r.Verdict == nil { // a search ranks by no score
			f, err := scoreFigure(o)
			if err != nil {
				return err
			}
			p.Figures = append(p.Figures, f)
		}
		if r.Isolation != nil {
			if t := classTable(o); len(t.Rows) > 1 { // one label is in the head
				p.Tables = append(p.Tables, t)
			}
		}
		suspects := suspectGallery(o, shown(o))
		suspects.Decide = true
		p.Galleries = append(p.Galleries, suspects)
	}
	if len(r.Spikes) > 0 {
		p.Tables = append(p.Tables, spikeTable(r.Spikes))
	}
	if len(o.Odd) > 0 {
		p.Galleries = append(p.Galleries, oddGallery(o))
	}
	return p.Write(filepath.Join(folder, ReportFile))
}

// unlearningSentence says what unlearning came to.
func unlearningSentence(u *abl.Outcome) string {
	brought := fmt.Sprintf("changed the accuracy on isolated images from %.0f\u00a0%% to %.0f\u00a0%% and on held-out images from %.1f\u00a0%% to %.1f\u00a0%%.",
		100*u.LowestBefore, 100*u.Isolated, 100*u.Before, 100*u.After)
	if !u.RolledBack {
		return "Unlearning " + brought
	}
	text := "Unlearning was rolled back because " + u.Because() + ". "
	if u.Isolated == u.LowestBefore && u.After == u.Before {
		return text + "The model is the one before unlearning."
	}
	return text + "The kept part of it " + brought
}

// measured is a table of what was measured; nothing where nothing was, as in an audit of data of which nobody knows the truth.
func measured(r *Result) (columns []string, rows [][]string) {
	columns, row := []string{""}, []string{string(r.Defense)}
	add := func(name, value string, known bool) {
		if known {
			columns, row = append(columns, name), append(row, value)
		}
	}
	add("clean accuracy", Percent(r.CA), r.CA != nil)
	add("attack success rate", Percent(r.ASR), r.ASR != nil)
	name := "isolation precision"
	if r.Verdict != nil {
		name = "suspects really poisoned"
	}
	add(name, Precision(r.Isolation), r.Isolation != nil && r.Isolation.Precision != nil)
	if len(row) == 1 {
		return nil, nil
	}
	return columns, [][]string{row}
}
