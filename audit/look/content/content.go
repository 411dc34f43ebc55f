// Package content looks for images whose label is not what they show, and for what these have in common. One network can't see
// triggers (look.Content): it tells how many images of each label were put there from elsewhere. Another sees nothing but what
// tells these images from others that show the same: where there is such a thing, they carry a trigger.
package content

import (
	"context"
	"math"
	"slices"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
)

// Name of the look.
const Name = look.ByContent

var (
	evidence = look.Limit("content", "evidence")
	ofPair   = look.Limit("content", "evidence of a pair")
	shared   = look.Limit("content", "in common")
	hinted   = look.Limit("content", "hint in common")
	toldBy   = look.Limit("content", "told apart")
	ofLabels = look.Limit("content", "of the label")
	fewest   = int(look.Limit("content", "fewest"))

	inHalves   = look.Limit("content", "evidence in halves")
	leftOut    = look.Limit("content", "evidence to leave out")
	sharedLeft = look.Limit("content", "in common left out")
)

// chance is the probability by which networks tell images that have nothing in common.
const chance = 0.5

// leastRatio keeps ratios of probabilities from infinity.
const leastRatio = 1e-6

// Facts are what is seen of a label that images were put under from elsewhere.
type Facts struct {
	look.Counts
	Rate     float64 `json:"flip_rate"` // share of all images that were given the label, whatever they show
	Usual    float64 `json:"usual"`     // the median of the other labels' rates
	Evidence float64 `json:"evidence"`  // nats by which the labels are likelier with such a rate than with the usual one
	// From is the class that the images show, where they come from one: then the rate is a share of those that show it, and the
	// usual one that of the way back, or the median of the other classes' rates to the label. Nil where they come from all.
	From  *int `json:"from,omitempty"`
	Cases int  `json:"cases"` // images of the label that show something else
	Known int  `json:"known"` // images of the label that the network takes for it: it may not know a rare class at all
	// Shared is the probability, by networks that never saw either, that a case is told from an image under another label that
	// shows the same: 0.5 where they have nothing in common.
	Shared float64 `json:"shared"`
	// InCommon is by how many deviations of what chance gives this lies above 0.5 (Mann and Whitney, 1947).
	InCommon float64 `json:"in_common"`
	// OfLabel is the share of the label's other images that have it too: nearly all where the whole class comes from another camera.
	// 0 where it was not asked, since the labels are right or the images have nothing in common.
	OfLabel float64 `json:"of_label,omitempty"`
	// Left tells that this is what networks said which learnt none of the images in doubt; then more is asked of it.
	Left  bool  `json:"left_out,omitempty"`
	Shown []int `json:"shown"` // the flagged images by the class that they show, in the order of the classes
}

// Says judges a label: more of its images show something else than of other labels', and these have something in common. If they
// have nothing in common, their labels are odd, and no more. Where the network knows hardly any image of the label, all of them show
// something else to it, and have the class itself in common. What has little in common may be content: photographs of the same
// can are told from other cans a little. What the label's other images have too says nothing of their labels.
func (f Facts) Says() look.Says {
	if !f.moved() || f.Flagged < fewest || f.InCommon < hinted {
		return look.NoEvidence
	}
	if _, deviations := f.asked(); f.InCommon < deviations || f.Shared < toldBy || f.Known < fewest || f.OfWhole() {
		return look.CantTell
	}
	return look.Poisoned
}

// asked is how many nats and deviations a label that images were put under has at least.
func (f Facts) asked() (nats, deviations float64) {
	switch {
	case f.Left:
		return leftOut, sharedLeft
	case f.From != nil:
		return ofPair, shared
	}
	return evidence, shared
}

// OfWhole tells whether too many of the label's other images have what the suspects share.
func (f Facts) OfWhole() bool { return f.OfLabel > ofLabels }

// shares tells whether images with a trigger were moved to the label, by what networks were told of the first cases.
func (f Facts) shares(a common) bool {
	f.Shared, f.InCommon, f.Flagged, f.Known = a.shared, a.inCommon, fewest, fewest
	return f.Says() == look.Poisoned
}

// Strength is by how much what makes a label poisoned is there; see look.Evidence. What images have in common is only asked where
// images were moved to the label.
func (f Facts) Strength() float64 {
	nats, deviations := f.asked()
	s := look.AtLeast(f.Evidence, nats)
	if s < 1 {
		return s
	}
	return min(s, look.AtLeast(f.InCommon, deviations), look.AtLeast(f.Shared-chance, toldBy-chance), look.AtLeast(float64(min(f.Flagged, f.Known)), float64(fewest)), look.AtMost(f.OfLabel, ofLabels))
}

// moved tells whether images were put under the label from elsewhere.
func (f Facts) moved() bool {
	nats, _ := f.asked()
	return f.Evidence >= nats
}

// Look is the look at the content.
type Look struct{}

// Name returns its name.
func (Look) Name() look.Name { return Name }

// Ask looks into every label that images were put under from elsewhere. The score is the evidence in nats.
func (Look) Ask(ctx context.Context, c *look.Case) ([]look.Evidence, error) {
	content, err := c.Content(ctx)
	if err != nil {
		return nil, err
	}
	if content.Untold() {
		c.Note("networks that can't see triggers tell the labels no better than how common these are: only patterns of pixels can be found")
	}
	flips := flipsOf(content)
	var all []look.Evidence
	pose := func(q question) error {
		a, err := ask(ctx, c, content, q)
		if err != nil {
			return err
		}
		if a, err = further(ctx, c, content, q, flips[q.labels[0]], a); err != nil {
			return err
		}
		for _, label := range q.labels {
			f := flips[label].facts(q.except < 0)
			e, err := a.of(ctx, c, content, label, f)
			if err != nil {
				return err
			}
			e.Flipped = q.except >= 0 && f.moved() // not where flips to many labels are usual
			all = append(all, e)
		}
		return nil
	}
	var together []int
	often, labels := 0, 0
	for label, f := range flips {
		often += stat.Bit(f.alone >= evidence)
		labels += stat.Bit(f.images > 0)
		if f.Evidence >= evidence || f.one() {
			if err := pose(question{labels: []int{label}, odds: f.odds(content), except: label}); err != nil {
				return nil, err
			}
		} else if f.alone >= evidence {
			together = append(together, label)
		}
	}
	if len(together) > 0 && often >= max(2, labels/2) { // flips to many labels are usual: wrong labels by chance, or an attack on all of them
		err = pose(question{labels: together, odds: func(i int) float64 { return flips[content.Labels[i]].general(content, i) }, except: -1})
	}
	if err == nil {
		all, err = halved(ctx, c, content, all)
	}
	if err == nil {
		all, err = parted(ctx, c, content, all)
	}
	if e, ok := next(c, flips, all); ok {
		all = append(all, e)
	}
	return all, err
}

// next is the evidence of the label that most speaks for among those where that was too little to ask more; none if all were asked.
func next(c *look.Case, flips []labelFlips, asked []look.Evidence) (e look.Evidence, ok bool) {
	of := func(f labelFlips) float64 { return max(f.Evidence/evidence, f.pair.Evidence/ofPair) }
	label := -1
	for l, f := range flips {
		if !slices.ContainsFunc(asked, func(e look.Evidence) bool { return e.Label == l }) && (label < 0 || of(f) > of(flips[label])) {
			label = l
		}
	}
	if label < 0 {
		return e, false
	}
	f := flips[label].facts(false)
	if pair := flips[label].pair; pair.Evidence/ofPair > f.Evidence/evidence {
		f.Rate, f.Usual, f.Evidence, f.From = pair.Rate, pair.usual, pair.Evidence, &pair.from
	}
	for _, y := range c.Data.Labels {
		f.Images += stat.Bit(int(y) == label)
	}
	f.Others = c.Data.Len() - f.Images
	return look.Evidence{Look: Name, Label: label, Score: f.Evidence, Strength: f.Strength(), Facts: f}, true
}

// labelFlips are how many images were moved to a label, and how many is usual.
type labelFlips struct {
	stat.Flips         // from anywhere, beyond what is usual
	images     int     // of the label whose content is known
	usual      float64 // rate
	alone      float64 // nats by which there are flips at all
	pair       move    // from the class that speaks loudest
	moves      []move  // from the classes that more came from than usual
}

// move is how many images that show a class were moved to a label, beyond what is usual.
type move struct {
	stat.Flips
	from  int
	usual float64 // rate
}

// one tells whether the images come from one class: that explains the labels better, and is enough.
func (f labelFlips) one() bool { return f.pair.Evidence >= max(ofPair, f.Evidence) }

// facts are of a question about one label, or about many together, for which other labels' flips are no excuse.
func (f labelFlips) facts(together bool) Facts {
	switch {
	case together:
		return Facts{Rate: f.Rate, Usual: f.usual, Evidence: f.alone}
	case f.one():
		return Facts{Rate: f.pair.Rate, Usual: f.pair.usual, Evidence: f.pair.Evidence, From: &f.pair.from}
	}
	return Facts{Rate: f.Rate, Usual: f.usual, Evidence: f.Evidence}
}

// odds returns the logarithm of the odds that an image of the label was moved there, by what it shows.
func (f labelFlips) odds(content *look.Content) func(i int) float64 {
	if !f.one() {
		return func(i int) float64 { return f.general(content, i) }
	}
	return func(i int) float64 {
		return math.Log(max(f.moved(content.P.Row(i)), leastRatio)) - math.Log(max(content.Own[i], leastOwn))
	}
}

// moved is the probability that an image which shows the classes with these probabilities was moved to the label, beyond what is
// usual, from whatever class.
func (f labelFlips) moved(p []float64) float64 {
	sum := 0.0
	for _, m := range f.moves {
		sum += (m.Rate - m.usual) * p[m.from]
	}
	return sum
}

// general are the odds where it may show anything: ε / ((1−ε)·p).
func (f labelFlips) general(content *look.Content, i int) float64 {
	return math.Log(f.Rate) - math.Log((1-f.Rate)*max(content.Own[i], leastOwn))
}

// flipsOf counts the flips to every label, beyond what is usual among the others, and those from every class, beyond the way back:
// honest confusion goes both ways.
func flipsOf(c *look.Content) []labelFlips {
	n, classes := 0, c.Classes()
	of := make([][]int, classes)
	for i, y := range c.Labels {
		if c.Knows(i) {
			of[y] = append(of[y], i)
			n++
		}
	}
	other := func(label int) func(k int) bool { // the others that there are images of
		return func(k int) bool { return len(of[k]) > 0 && k != label }
	}
	all := make([]labelFlips, classes)
	odds := make([][]float64, classes) // of each label's images
	rates := make([]float64, classes)
	for l, is := range of {
		own := make([]float64, len(is))
		for k, i := range is {
			own[k] = c.Own[i]
		}
		odds[l] = stat.FlipRatios(own)
		rates[l] = stat.MoveRate(odds[l], n-len(is))
		all[l].alone = stat.MoveEvidence(odds[l], n-len(is), rates[l], 0)
	}
	ratios := func(from, to int) []float64 {
		r := make([]float64, len(of[to]))
		for k, i := range of[to] {
			r[k] = c.P.At(i, from) / max(c.Own[i], leastRatio)
		}
		return r
	}
	moved := make([][]float64, classes) // rates, [to][from]; 0 where few images show the one class rather than the other
	rate := func(from, to int) float64 { return stat.MoveRate(ratios(from, to), len(of[from])) }
	for to := range moved {
		moved[to] = make([]float64, classes)
		for from := range all {
			if from == to || len(of[from]) == 0 {
				continue
			}
			if len(look.Those(of[to], func(i int) bool { return c.P.At(i, from) > c.Own[i] })) >= fewest {
				moved[to][from] = rate(from, to)
			}
		}
	}
	for l := range all {
		f := &all[l]
		f.images = len(of[l])
		f.usual = stat.Median(rates, other(l))
		f.Flips = stat.Flips{Rate: rates[l], Evidence: stat.MoveEvidence(odds[l], n-len(of[l]), rates[l], f.usual)}
		median := stat.MedianBut(moved[l], other(l))
		for from := range all {
			if from == l {
				continue
			}
			m := move{from: from, usual: max(moved[from][l], median(l, from)), Flips: stat.Flips{Rate: moved[l][from]}}
			if m.Rate > 0 && moved[from][l] == 0 && len(of[l]) > 0 { // fewer go back than make a rate, but they count
				m.usual = max(m.usual, rate(l, from))
			}
			if m.Rate > m.usual {
				m.Evidence = stat.MoveEvidence(ratios(from, l), len(of[from]), m.Rate, m.usual)
				f.moves = append(f.moves, m)
			}
			if m.Evidence > f.pair.Evidence {
				f.pair = m
			}
		}
	}
	return all
}
