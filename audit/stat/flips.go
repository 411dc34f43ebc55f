package stat

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// Flips is how many images of a set were moved to a label from elsewhere, as labels and a network that cannot see triggers tell.
type Flips struct {
	// Rate is the most likely share of all images, from 0 to 1, that were given the label whatever they show.
	Rate float64
	// Evidence is how much likelier, in nats, the labels are with these flips than without any; 0 or more.
	Evidence float64
}

const (
	flipSteps   = 500  // of the expectation–maximisation, at most
	flipSettled = 1e-9 // change of the rate
	leastP      = 1e-6 // no network is surer than that
	floorAt     = 0.1  // the share of other labels' images that may lie under a floor
)

// Unfloored returns, for each image, what is left of a network's probability of the label that it carries once the flips that the
// network itself has learnt are taken out. p is [images][classes], each image's probabilities by a network that never saw it. An image
// of the label −1 tells nothing, and gets 1.
//
// Where a share ε of a network's training images was given the label l whatever they show, it learns (1−ε)·p(l|x) + ε, so that
// no image has less than ε, not even one that shows another class plainly. That floor f is a low quantile of p(l|x) over images
// under other labels, and (p − f) / (1 − f) undoes it. Frequent flips would else hide themselves.
func Unfloored(p *Softmax, labels []int32, classes int) (own []float64) {
	floors := make([]float64, classes)
	parallel(classes, func(l int) {
		others := make([]float64, 0, len(labels))
		for i, y := range labels {
			if y >= 0 && int(y) != l {
				others = append(others, p.At(i, l))
			}
		}
		floors[l] = floor(others)
	})
	own = make([]float64, len(labels))
	for i, y := range labels {
		if y < 0 {
			own[i] = 1
			continue
		}
		f := floors[y]
		own[i] = max(p.At(i, int(y))-f, 0) / max(1-f, leastP)
	}
	return own
}

// floor is the quantile of values that a floor lies at; 0 of none. It moves them about.
func floor(values []float64) float64 {
	switch {
	case len(values) == 0:
		return 0
	case floats.HasNaN(values):
		return math.NaN()
	}
	return kth(values, max(0, int(math.Ceil(floorAt*float64(len(values))))-1))
}

// FlipRatios are what MoveRate takes for flips to a label whatever images show. own are the probabilities, from 0 to 1, that a network
// which never saw these images gives to the label that they carry; only images under the label in question are listed. The class shown
// is then "any other", and the ratio 1/p − 1.
//
// Where a share ε of all images was given the label l whatever they show, an image's label has the probability
// (1−ε)·p(y|x) + ε·1[y=l]. The logarithm of the likelihood of all labels is
//
//	L(ε) = Σ_{y=l} ln((1−ε)·p + ε) + Σ_{y≠l} ln((1−ε)·p),
//
// which is concave in ε. An image whose label the network finds likely says nothing for flips, since
// ln((1−ε)·p+ε) hardly differs from ln p; one that shows something else says ln(ε/p), and each image under another label costs ε.
func FlipRatios(own []float64) []float64 {
	ratios := make([]float64, len(own))
	for k, p := range own {
		ratios[k] = 1/max(p, leastP) - 1
	}
	return ratios
}

// MoveRate returns the most likely rate, by expectation–maximisation: a share ε of the images that show the class c was given the label
// l. ratios are p(c|x)/p(l|x) of the images under l, others are how many images are under c. An image under l then has the probability
// p(l|x) + ε·p(c|x), and one under c has (1−ε)·p(c|x), so that
//
//	L(ε) = Σ_{y=l} ln(p(l|x) + ε·p(c|x)) + Σ_{y=c} ln((1−ε)·p(c|x)).
func MoveRate(ratios []float64, others int) float64 {
	rate := 0.01
	for range flipSteps {
		moved := 0.0 // images
		for _, r := range ratios {
			moved += 1 - 1/(1+rate*r)
		}
		if moved == 0 {
			return 0
		}
		next := moved / (moved + float64(others))
		done := math.Abs(next-rate) < flipSettled
		if rate = next; done {
			break
		}
	}
	return rate
}

// MoveEvidence is the evidence for a rate that MoveRate found: max L − L(usual), where usual is a rate of flips that says nothing, such as
// the other labels' where labels are wrong everywhere; 0 for none. It is 0 where the rate is no higher than that.
func MoveEvidence(ratios []float64, others int, rate, usual float64) float64 {
	if rate <= usual || rate >= 1 {
		return 0
	}
	evidence := float64(others) * (math.Log1p(-rate) - math.Log1p(-usual))
	for _, r := range ratios {
		evidence += math.Log1p(rate*r) - math.Log1p(usual*r)
	}
	if math.IsNaN(evidence) {
		return 0
	}
	return max(evidence, 0)
}

// Flipped is the probability that an image was given its label whatever it shows, of a network's probability p for the label
// and the rate of flips to it: ε / ((1−ε)·p + ε).
func Flipped(p, rate float64) float64 {
	if rate <= 0 {
		return 0
	}
	return rate / ((1-rate)*max(p, leastP) + rate)
}
