package runs

import (
	"fmt"
	"io"
	"strconv"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/names"
	"github.com/unpoison/unpoison/report"
)

// writeOdd lists images whose labels are probably wrong, the likeliest first. unpoison data filter takes the list.
func writeOdd(path string, set *dataset.Set, odd []look.Odd) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		columns := []string{"index", "source", "label", "shows", "probability", "rank", "digest"}
		return writeRows(w, columns, len(odd), func(k int) []string {
			o := odd[k]
			return []string{
				strconv.Itoa(o.Image), names.Cell(set.Source(o.Image)), names.Cell(set.Classes[set.Labels[o.Image]]), names.Cell(set.Classes[o.Shows]),
				strconv.FormatFloat(o.Probability, 'g', 4, 64), strconv.Itoa(k + 1), set.ImageDigest(o.Image).String(),
			}
		})
	})
}

// mostOdd is how many images with odd labels a page shows.
const mostOdd = 24

// oddGallery shows the images whose labels are likeliest wrong.
func oddGallery(o *Outcome) report.Gallery {
	g := report.Gallery{
		Title: "Labels that look wrong", Photo: report.Photo(o.Train.Height, o.Train.Width),
		Note: fmt.Sprintf("%s of another class than the label says, without a trigger that they share; %s lists all of them. They are not suspects. Below each: its label → the class that it shows.", report.Plural(len(o.Odd), "image"), OddFile),
	}
	for _, odd := range o.Odd[:min(mostOdd, len(o.Odd))] {
		g.Items = append(g.Items, report.Item{
			Image:   report.ImageURL(o.Train.Image(odd.Image), o.Train.Height, o.Train.Width),
			Caption: fmt.Sprintf("%s → %s", o.Train.Classes[o.Train.Labels[odd.Image]], o.Train.Classes[odd.Shows]),
			Detail:  o.Train.Source(odd.Image), Mark: o.Truth != nil && o.Truth[odd.Image],
		})
	}
	return g
}
