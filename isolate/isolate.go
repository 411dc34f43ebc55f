// Package isolate is the first stage of Anti-Backdoor Learning (Li et al., NeurIPS 2021): a training in whose first epochs
// poisoned images stand out by their low loss, their ranking, and the cut that isolates the lowest.
package isolate

import (
	"cmp"
	"slices"

	"github.com/unpoison/unpoison/rng"
)

// Parts of a training set; indices.
type Parts struct {
	Order    []int // all images, most suspicious first
	Isolated []int // the first share of Order
	Kept     []int // trained on, in the order of the set
	HeldBack []int // left out of training to watch its accuracy
}

// Suspect is an image in the order of suspicion.
type Suspect struct {
	Index    int
	Score    float32 // low is suspicious
	Isolated bool
	// Probability of being poisoned, where a defence estimates one.
	Probability float32
	// Doubtful tells whether it stands out where a defence can't tell what that means.
	Doubtful bool
	// Wrong tells whether the label contradicts the class that the image surely shows, which is Shows.
	Wrong bool
	Shows int32
}

// Ranks returns the names of the ways to make scores of losses; see Scores.
func Ranks() []string { return []string{"final", "mean", "worst"} }

// Scores turns losses into scores. epochs holds each image's training loss of every isolation epoch
// (−1 where an image took no part), final its loss under the network that isolation left.
//
//	final  the final network's loss alone, as published; so does any other name
//	mean   the mean of all
//	worst  the highest of all but the first epoch's: poisoned images are learnt early and stay
//	       learnt, while an easy clean image is unlucky in one epoch or another
func Scores(rank string, epochs [][]float32, final []float32) []float32 {
	scores := slices.Clone(final)
	switch rank {
	case "mean":
		for i := range scores {
			n := float32(1)
			for _, e := range epochs {
				if e[i] >= 0 {
					scores[i] += e[i]
					n++
				}
			}
			scores[i] /= n
		}
	case "worst":
		for k, e := range epochs {
			if k == 0 && len(epochs) > 1 {
				continue
			}
			for i := range scores {
				scores[i] = max(scores[i], e[i])
			}
		}
	}
	return scores
}

// Count returns how many of so many images a share of them is: at least one, and no more than there are.
func Count(share float64, images int) int {
	if !(share > 0) { // or no number
		share = 0
	}
	return min(images, max(1, int(min(share, 1)*float64(images)+0.5)))
}

// Split isolates the share of images with the lowest scores, at least one, and holds back a share of the others, at least 250 images
// or a tenth of all. A score that is no number counts as the lowest, and shares outside of 0 to 1 as the nearest of these.
// Held-back images come from the half with the higher scores, since the lower half may hide more of
// the poison: their accuracy must not fall when poison is unlearnt. Images of one score come in an order drawn by seed: in that
// of the data they would be of a few classes.
func Split(scores []float32, share, heldBack float64, seed uint64) *Parts {
	n := len(scores)
	p := &Parts{Order: rng.Shuffle(seed, "equal scores", n)}
	slices.SortStableFunc(p.Order, func(i, j int) int { return cmp.Compare(scores[i], scores[j]) })
	cut := Count(share, n)
	p.Isolated = p.Order[:cut]
	upper := p.Order[max(cut, n/2):]
	out := make([]bool, n)
	for _, i := range p.Isolated {
		out[i] = true
	}
	// Fewer than some 250 images are too few to see a point of accuracy.
	held := min(len(upper)/2, max(Count(heldBack, n), min(250, n/10)))
	for _, k := range rng.Shuffle(seed, "held back", len(upper))[:held] {
		p.HeldBack = append(p.HeldBack, upper[k])
		out[upper[k]] = true
	}
	for i := range n {
		if !out[i] {
			p.Kept = append(p.Kept, i)
		}
	}
	return p
}

// Unwatched puts the held-back images among the kept ones, where nothing is watched that could spoil them. It returns p.
func (p *Parts) Unwatched() *Parts {
	p.Kept, p.HeldBack = append(p.Kept, p.HeldBack...), nil
	slices.Sort(p.Kept)
	return p
}
