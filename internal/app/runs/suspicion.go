package runs

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look/common"
	"github.com/unpoison/unpoison/audit/look/late"
	"github.com/unpoison/unpoison/audit/look/pixels"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/report"
)

// What a page shows of the suspects beside the images themselves.

// scoreFigure plots the scores of isolated and kept images.
func scoreFigure(o *Outcome) (report.Figure, error) {
	var groups [2][]float32
	for _, s := range o.Trained.Suspects {
		k := 0
		if s.Isolated {
			k = 1
		}
		groups[k] = append(groups[k], s.Score)
	}
	top := 1e-3
	if n := len(groups[0]); n > 0 { // they come in the order of their scores
		top = max(top, float64(groups[0][n*95/100]))
	}
	caption := "Low: learnt early, as planted images mostly are."
	if o.Verdict.Found(pixels.Name, common.Name) {
		caption += " Those found by their pixels need not be."
	}
	if o.Verdict.Found(late.Name) {
		caption += " Those found as images learnt late are not."
	}
	return report.HistogramFigure("Scores", caption+" The highest twentieth is counted at the right edge.",
		report.Axes{X: "score (loss)", Y: "share of the group"}, [2]string{"kept images", aside(o.Verdict) + " images"}, report.Spread(top, groups))
}

// aside is what the images are that a run set aside: auto suspects them, isolation always takes its share.
func aside(v *audit.Verdict) string {
	if v != nil {
		return "suspected"
	}
	return "isolated"
}

// classTable counts the suspects of each class, most first.
func classTable(o *Outcome) report.Table {
	total, isolated := o.Train.Counts(), isolatedByLabel(o.Trained.Suspects, o.Train)
	order := isolate.Iota(len(total))
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(isolated[b], isolated[a]) })
	t := report.Table{Title: "Suspects by label", Columns: []string{"label", "images", aside(o.Verdict), "share of the class"}}
	const most = 12
	for _, c := range order[:min(most, len(order))] {
		t.Rows = append(t.Rows, []string{
			o.Train.Classes[c], fmt.Sprint(total[c]), fmt.Sprint(isolated[c]), fmt.Sprintf("%.1f\u00a0%%", 100*float64(isolated[c])/float64(max(1, total[c]))),
		})
	}
	if len(order) > most {
		t.Note = fmt.Sprintf("%d more labels have no more than the last of these.", len(order)-most)
	}
	return t
}

// commonGallery compares the isolated images of their commonest label with the others of it: a patch or
// a pattern that they share shows in the difference of the means.
func commonGallery(o *Outcome) report.Gallery {
	counts := isolatedByLabel(o.Trained.Suspects, o.Train)
	class := slices.Index(counts, slices.Max(counts))
	var sums [2][]float64
	var n [2]float64
	for k := range sums {
		sums[k] = make([]float64, o.Train.ImageBytes())
	}
	for _, s := range o.Trained.Suspects {
		if int(o.Train.Labels[s.Index]) != class {
			continue
		}
		k := 0
		if s.Isolated {
			k = 1
		}
		n[k]++
		for i, v := range o.Train.Image(s.Index) {
			sums[k][i] += float64(v)
		}
	}
	g := report.Gallery{
		Title: "What the suspects have in common",
		Note: fmt.Sprintf("Means over the %.0f %s and the %.0f other images labelled %s, and their difference four times as strong around grey: a patch or a pattern stands out.",
			n[1], aside(o.Verdict), n[0], o.Train.Classes[class]),
	}
	if n[0] == 0 || n[1] == 0 {
		g.Note = "All images of the commonest label are on one side: there is nothing to compare."
		return g
	}
	picture := func(caption string, at func(i int) float64) {
		img := make([]uint8, o.Train.ImageBytes())
		for i := range img {
			img[i] = uint8(min(255, max(0, at(i)+0.5)))
		}
		g.Items = append(g.Items, report.Item{Image: report.ImageURL(img, o.Train.Height, o.Train.Width), Caption: caption})
	}
	picture(aside(o.Verdict), func(i int) float64 { return sums[1][i] / n[1] })
	picture("others", func(i int) float64 { return sums[0][i] / n[0] })
	picture("difference ×4", func(i int) float64 { return 128 + 4*(sums[1][i]/n[1]-sums[0][i]/n[0]) })
	return g
}
