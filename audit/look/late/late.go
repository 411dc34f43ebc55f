// Package late looks for a trigger that looks different in every image, and is in few of them: it is learnt late, and isolation
// ranks its images last, where the hard ones are. A network that has not learnt it yet takes its images for what they show, and a
// label then has more of those than other labels have images that look like it. A biased network that starts from them finds
// what they have in common, if it is anything. Where that was planted, most of what it finds besides looks like other classes.
package late

import (
	"context"
	"math"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/evaluate"
)

// Name of the look.
const Name look.Name = "images learnt late"

var (
	doubted      = look.Limit("late", "doubted")
	surplus      = look.Limit("late", "surplus")
	began        = int(look.Limit("late", "began"))
	hopelessLeak = look.Limit("late", "hopeless leak")
	fewest       = int(look.Limit("late", "fewest"))
	leak         = look.Limit("late", "leak")
	enough       = look.Limit("late", "enough")
	wrong        = look.Limit("late", "wrong")
	timesWrong   = look.Limit("late", "times wrong")
	variety      = look.Limit("late", "variety")
	timesRest    = look.Limit("late", "variety of rest")
)

// rounds are enough for some hundred images to be found from a few dozen.
const rounds = 5

// Facts are what is seen of a label with too many images that look like other classes. The varieties are of the images that the
// biased network did not start from.
type Facts struct {
	look.Counts
	look.Variety
	Surplus   float64 `json:"surplus"`    // by so many deviations more look like other classes than others like the label
	Besides   float64 `json:"besides"`    // share of the flagged images that the biased network did not start from
	Right     float64 `json:"right"`      // share of these that look like the label
	RestRight float64 `json:"rest_right"` // that of the label's other images
	Rounds    int     `json:"rounds"`
}

// Says judges a label by what was found besides.
func (f Facts) Says() look.Says {
	besides := f.Besides * float64(f.Flagged)
	if f.LeakShare() <= leak && besides >= enough && 1-f.Right >= max(wrong, timesWrong*(1-f.RestRight)) && f.Variety.Wrong(variety, 0, timesRest) {
		return look.Poisoned
	}
	return look.NoEvidence
}

// Look is the look at images learnt late.
type Look struct{}

// Name returns its name.
func (Look) Name() look.Name { return Name }

// Ask looks into the labels that have too many images which look like other classes, and under which nothing was found. The
// score is the surplus in deviations.
func (Look) Ask(ctx context.Context, c *look.Case) ([]look.Evidence, error) {
	plain, err := c.Plain(ctx)
	if plain == nil {
		return nil, err
	}
	told := make([]bool, len(c.Data.Classes)) // labels under which something was found already
	for i, p := range c.Found() {
		told[c.Data.Labels[i]] = told[c.Data.Labels[i]] || p > look.Flagged
	}
	suspects, alike := counted(c, plain)
	var all []look.Evidence
	for class, from := range suspects {
		n, others := float64(len(from)), float64(alike[class])
		more := (n - others) / math.Sqrt(max(1, n+others))
		if more < surplus || len(from) < began || told[class] {
			continue
		}
		c.Note("%s: %d images look like other classes, %d under other labels like it: a biased network starts from them", c.Data.Classes[class], len(from), alike[class])
		e, err := ask(ctx, c, plain, class, from, more)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// counted returns the images of each label that look like another, and how many under other labels look like it.
func counted(c *look.Case, plain *look.Plain) (suspects [][]int, alike []int) {
	classes := len(c.Data.Classes)
	suspects, alike = make([][]int, classes), make([]int, classes)
	for i, own := range c.Data.Labels {
		if c.Free(i) && evaluate.CrossEntropy(plain.Logits[i*classes:(i+1)*classes], int(own)) >= doubted {
			suspects[own] = append(suspects[own], i)
			alike[plain.First[i]]++
		}
	}
	return suspects, alike
}

// ask trains biased networks on the suspects of a label, which are told from what was learnt first.
func ask(ctx context.Context, c *look.Case, plain *look.Plain, class int, from []int, more float64) (e look.Evidence, err error) {
	images := c.Under(class)
	early := images[:(len(images)+1)/2]
	honest := func(_ []float32, n, rounds int) []int { return c.Draw("learnt early", early, n, class, rounds) }
	t, err := c.Rounds(ctx, look.Rounds{
		Purpose: "late", Most: rounds, Stage: "inspect", Label: class, Images: images, Suspect: from, Honest: honest(nil, len(from), 0), Own: honest,
		Enough: func(c look.Counts) bool {
			return float64(c.Leak) > hopelessLeak*float64(max(1, c.Others)) || c.Flagged < fewest
		},
	})
	if err != nil {
		return e, err
	}
	f := besides(images, t.P, class, from, plain)
	f.Counts, f.Rounds, f.Surplus = t.Counts, t.Rounds, more
	f.Besides /= float64(max(1, f.Flagged))
	e = look.Evidence{Look: Name, Label: class, Score: more, Says: f.Says(), Carriers: c.Unasked(), Facts: f}
	for _, i := range images {
		e.Carriers[i] = t.P[i]
	}
	c.Note("%s: %s, %d of %d images flagged, %d of %d under other labels; of those that it did not start from %.1f %% look like the label (of its other images %.1f), with a variety of %.3f (%.3f)",
		c.Data.Classes[class], e.Says, f.Flagged, f.Images, f.Leak, f.Others, 100*f.Right, 100*f.RestRight, f.Suspects, f.Rest)
	return e, nil
}

// besides tells how many of the label's images look like it: of those that were found besides the ones that the biased network
// started from, whose number it returns as Besides, and of the rest; and how various they are.
func besides(images []int, p []float32, class int, from []int, plain *look.Plain) (f Facts) {
	skip := make(map[int]bool, len(from))
	for _, i := range from {
		skip[i] = true
	}
	var sides [2][]int
	for _, i := range images {
		b := stat.Bit(p[i] > look.Flagged)
		if b == 0 || !skip[i] {
			sides[b] = append(sides[b], i)
		}
	}
	right := func(images []int) float64 {
		n := 0
		for _, i := range images {
			n += stat.Bit(plain.First[i] == class)
		}
		return float64(n) / float64(max(1, len(images)))
	}
	f.Besides = float64(len(sides[1]))
	f.Right, f.RestRight = right(sides[1]), right(sides[0])
	f.Suspects, f.Rest = stat.Variety(plain.Second, sides[1]), stat.Variety(plain.Second, sides[0])
	return f
}
