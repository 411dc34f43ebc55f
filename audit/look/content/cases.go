package content

import (
	"context"
	"math"
	"slices"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/rng"
)

const (
	rounds     = 7    // of cases and controls
	certain    = 0.2  // probability of a flip that makes an image of the label a case of the first round
	clean      = 0.05 // probability of a flip under which an image of the label is a control
	controls   = 2    // for each case, of other labels
	mostCases  = 2000 // cases that a round learns from
	leaks      = 2000 // images of other labels that are asked whether they have it too
	lastOnes   = 3    // rounds that say in the end what they found
	fewChanged = 0.02 // of the cases, between rounds
	joinSteps  = 50
	joined     = 1e-4 // change of a probability
	carried    = 3    // the logarithm of the ratio of likelihoods above which such an image has it
	manyCases  = 400  // that halves are enough of
	fewFolds   = 5    // of fewer
	leastOwn   = 1e-3 // probability of the own label, at least: some honest labels are wrong too
)

// question is what is asked about labels together: many, where flips go to all labels alike.
type question struct {
	labels []int               // increasing
	odds   func(i int) float64 // of an image of these labels to have been moved there, by what it shows, as a logarithm
	except int                 // a class that no image is said to show: the one label, since frequent flips make much look like it; or none, −1
}

// answer is what the images of a question's labels that show something else have in common.
type answer struct {
	p       []float64           // each image's probability of being planted; of those under other labels 0
	others  []int               // images under other labels that were asked too
	ratio   func(i int) float64 // of an image, the logarithm of the likelihoods' ratio by the networks; nil if there were none
	cases   []int               // of the first round
	last    lesson              // of the last round
	ofLabel float64             // share of the label's other images that have what the cases have in common; see ofLabel
	why     string              // where networks that learnt them take them for the label: which halves of them show something else, or that a part does
	left    bool                // whether it is that of networks which learnt none of the images in doubt; see unseen
	told
	common // of the first round's cases
}

// ask tells what the images of labels that show something else have in common, and which other images have it too.
//
// A flip is as likely as content says: it has the odds ε / ((1−ε)·p) for an image whose label has the probability p without the
// flips, and a rate ε of flips. What a network makes of an image that it did not see, and that was taught to tell cases from
// controls, comes on top (join): content and trigger are independent of each other, given that an image was planted or not.
func ask(ctx context.Context, c *look.Case, content *look.Content, q question) (a answer, err error) {
	under := func(i int) bool { return slices.Contains(q.labels, int(c.Data.Labels[i])) }
	all := rng.Iota(c.Data.Len())
	images := look.Those(all, under)
	a.others = c.Draw("content others", look.Those(all, func(i int) bool { return !under(i) }), leaks, q.labels...)
	asked := slices.Concat(images, a.others)
	prior := make([]float64, c.Data.Len()) // log odds by content alone
	a.p = make([]float64, c.Data.Len())
	for _, i := range images {
		prior[i] = q.odds(i)
		a.p[i] = stat.Logistic(prior[i])
	}
	kin := false
	var before []int
	var history []told
	for round := range rounds {
		least := look.Flagged
		if round == 0 {
			least = certain
		}
		cases := look.Those(images, func(i int) bool { return a.p[i] > least && content.Knows(i) })
		if len(cases) < fewest || round > 0 && slices.Equal(cases, before) || round >= lastOnes && nearlySame(cases, before) {
			break
		}
		before = cases
		l := lesson{question: q, round: round, cases: c.Draw("content cases", cases, mostCases, q.key(round)...)}
		var of map[int]int
		l.alike, l.matched, of = alike(content, l)
		l.weigh(of, a.p)
		l.own = c.Draw("content own", honest(content, images, a.p), len(l.cases), q.key(round)...)
		if kin {
			l.kin = copiesOf(c, l)
		}
		if a.told, err = tell(ctx, c, l, asked, 0); err != nil {
			return a, err
		}
		if round == 0 {
			a.cases = cases
			if a.common, err = a.told.sure(ctx, c, l); err != nil {
				return a, err
			}
			if a.inCommon >= hinted {
				if l.kin = copiesOf(c, l); l.kin != nil {
					kin = true
					if err = a.byKin(ctx, c, l, asked); err != nil {
						return a, err
					}
				}
			}
			if a.inCommon < hinted {
				break // they have nothing in common: there is nothing to learn
			}
		}
		a.ratio = a.join(images, l, prior, a.p)
		a.last, history = l, append(history, a.told)
	}
	if len(history) > 1 { // one round says more than another by chance
		a.told = mean(history[max(0, len(history)-lastOnes):])
		a.ratio = a.join(images, a.last, prior, a.p)
	}
	return a, nil
}

// byKin asks again where most cases are copies of one another: by networks that learnt no copy of what they judge.
func (a *answer) byKin(ctx context.Context, c *look.Case, l lesson, asked []int) (err error) {
	alone := a.inCommon
	if a.told, err = tell(ctx, c, l, asked, 0); err != nil {
		return err
	}
	if a.common, err = a.told.sure(ctx, c, l); err != nil {
		return err
	}
	c.Note("%s: most images that show something else are varied copies of each other, %.1f deviations from chance; counted once each, %.1f", c.Data.Classes[l.labels[0]], alone, a.inCommon)
	return nil
}

// honest are the images that show their label, by their probabilities of having been moved there.
func honest(content *look.Content, images []int, p []float64) []int {
	return look.Those(images, func(i int) bool { return p[i] < clean && content.Knows(i) })
}

// nearlySame tells whether so few images are in one of two increasing lists alone that another round would say the same.
func nearlySame(a, b []int) bool {
	all := len(stat.Union(a, b))
	return float64(2*all-len(a)-len(b)) <= fewChanged*float64(all)
}

// key names random streams: a question, a round and more.
func (q question) key(numbers ...int) []int { return append(slices.Clone(q.labels), numbers...) }

// of is the evidence of one of the labels.
func (a answer) of(ctx context.Context, c *look.Case, content *look.Content, label int, f Facts) (e look.Evidence, err error) {
	e = look.Evidence{Look: Name, Label: label, Score: f.Evidence}
	carriers, images := c.Unasked(), look.Those(rng.Iota(c.Data.Len()), func(i int) bool { return int(c.Data.Labels[i]) == label })
	f.Images, f.Others, f.Shared, f.InCommon, f.OfLabel, f.Left = len(images), len(a.others), a.shared, a.inCommon, a.ofLabel, a.left
	f.Known, f.Shown = knownOf(content, label), make([]int, len(c.Data.Classes))
	for _, i := range images {
		carriers[i] = float32(a.p[i])
		if a.p[i] > look.Flagged {
			f.Shown[content.Shows(i, label)]++
		}
	}
	for _, i := range a.cases {
		f.Cases += stat.Bit(int(c.Data.Labels[i]) == label)
	}
	f.Tally(images, carriers)
	for _, i := range a.others {
		f.Leak += stat.Bit(a.ratio != nil && a.ratio(i) > carried)
	}
	e.Says, e.Strength, e.Facts = f.Says(), f.Strength(), f
	if e.Right, err = a.weigh(ctx, c, carriers, label); err != nil {
		return e, err
	}
	if e.Says != look.NoEvidence {
		for _, i := range images {
			e.Own = append(e.Own, carriers[i])
		}
	}
	whence := "all images"
	if f.From != nil {
		whence = "what shows " + c.Data.Classes[*f.From]
	}
	c.Note("%s: %.2f %% of %s was given this label (usual %.2f %%): %.1f nats; %d of %d show something else and have something in common by %.3f, %.1f deviations from chance; %d flagged, %d of %d under other labels have it",
		c.Data.Classes[label], 100*f.Rate, whence, 100*f.Usual, f.Evidence, f.Cases, f.Images, f.Shared, f.InCommon, f.Flagged, f.Leak, f.Others)
	return e, nil
}

// weigh compares a label's suspects with its other images.
func (a answer) weigh(ctx context.Context, c *look.Case, carriers []float32, label int) (*look.Right, error) {
	if a.why == "" {
		return c.Weigh(ctx, carriers, label)
	}
	content, err := c.ContentOf(ctx, label) // that of networks which learnt none of them
	if err != nil {
		return nil, err
	}
	return c.WeighBy(content, carriers, label), nil
}

// lesson is what a round teaches.
type lesson struct {
	question
	round      int
	cases      []int
	matched    []int // the cases that all their controls were found for
	alike, own []int // controls: images that show what the cases show, as their labels say; and images of the labels that show them
	// weight is the probability of a case to have been moved, and for a control of the first kind that of its case.
	weight map[int]float64
	mean   float64 // weight of the cases
	// kin numbers the images that are copies of one another, see copiesOf; nil where most cases have none.
	kin map[int]int
}

// weigh notes the weights, of what control is whose and of the images' probabilities.
func (l *lesson) weigh(of map[int]int, p []float64) {
	l.weight = make(map[int]float64, len(l.cases)+len(of))
	for _, i := range l.cases {
		l.weight[i] = p[i]
		l.mean += p[i] / float64(len(l.cases))
	}
	for j, i := range of {
		l.weight[j] = p[i]
	}
}

// counts is how much an image counts in the lesson: cases on average as much as images of the label that show it.
func (l *lesson) counts(i int) float32 {
	w, is := l.weight[i]
	if !is {
		return 1
	}
	return float32(w / l.mean)
}

// told is what networks make of the images that were taught to tell cases from controls.
type told struct {
	z      []float64 // what they say of each image: the logarithm of the odds that it is a case
	asked  []bool    // the images that they were asked of
	taught int       // images that they learnt from
}

// mean is what the networks of several rounds say together, and of the last round otherwise.
func mean(rounds []told) told {
	t := rounds[len(rounds)-1]
	t.z = make([]float64, len(t.z))
	for i := range t.z {
		n := 0
		for _, r := range rounds {
			if r.asked[i] {
				t.z[i] += r.z[i]
				n++
			}
		}
		t.z[i] /= float64(max(1, n))
	}
	return t
}

// join joins what content says of images, as logarithms of odds, with what the networks say of them, and puts their probabilities of
// being planted into p. The ratio of likelihoods of the networks' odds is fitted to the probabilities, and to controls, which are
// honest (Platt, "Probabilistic outputs for support vector machines", 1999), again and again by expectation–maximisation, since some
// cases are honest and some planted images no cases. It returns the ratio's logarithm of an image.
func (t told) join(images []int, l lesson, prior, p []float64) (ratio func(i int) float64) {
	controls := stat.Union(l.alike, l.own)
	honest := make([]bool, len(p))
	for _, i := range controls {
		honest[i] = true
	}
	controls = look.Those(controls, t.says)
	rest := look.Those(images, func(i int) bool { return !honest[i] && t.asked[i] })
	x, y := make([]float64, len(rest)+len(controls)), make([]float64, len(rest)+len(controls))
	for k, i := range slices.Concat(rest, controls) {
		x[k] = t.z[i]
	}
	bound := math.Log(float64(t.taught)) // so many examples can't say more
	for range joinSteps {
		for k, i := range rest {
			y[k] = p[i]
		}
		fit := stat.FitLogistic(x, y)
		ratio = func(i int) float64 {
			if !t.asked[i] {
				return 0
			}
			return min(max(fit.LogRatio(t.z[i]), -bound), bound)
		}
		change := 0.0
		for _, i := range images {
			next := stat.Logistic(prior[i] + ratio(i))
			change = max(change, math.Abs(next-p[i]))
			p[i] = next
		}
		if change < joined {
			break
		}
	}
	return ratio
}

// tell trains a network for each fold of the cases and controls, on the others, and asks it of that fold. There are several ways to
// part them.
func tell(ctx context.Context, c *look.Case, l lesson, asked []int, way int) (t told, err error) {
	folds := 2
	if len(l.cases) < manyCases { // of few cases each network needs most
		folds = fewFolds
	}
	fold := foldsOf(c, l, folds, way)
	controls := stat.Union(l.alike, l.own)
	asked = stat.Union(asked, stat.Union(l.cases, controls))
	z := make([]float64, c.Data.Len())
	t.asked = make([]bool, len(z))
	for _, i := range asked {
		t.asked[i] = true
	}
	networks := 0
	for h := range folds {
		taught := func(i int) bool { return fold[i] != h }
		learnt, against := look.Those(l.cases, taught), look.Those(controls, taught)
		if len(learnt) == 0 || len(against) == 0 { // all look alike: of these nobody can say anything
			for i, k := range fold {
				t.asked[i] = t.asked[i] && k != h
			}
			continue
		}
		networks++
		got, err := c.Teach(ctx, "content", l.labels[0], fewFolds*(l.round+rounds*way)+h, learnt, against, l.counts, asked)
		if err != nil {
			return t, err
		}
		for j, v := range got {
			i := asked[j]
			switch k, used := fold[i]; {
			case !used:
				z[i] += stat.Logit(float64(v))
			case k == h:
				z[i] = stat.Logit(float64(v))
			}
		}
	}
	for _, i := range asked {
		if _, used := fold[i]; !used {
			z[i] /= float64(max(1, networks))
			t.asked[i] = networks > 0
		}
	}
	t.z, t.taught = z, len(l.cases)+len(controls)
	return t, nil
}
