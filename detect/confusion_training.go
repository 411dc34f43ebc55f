package detect

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// ConfusionTraining teaches the network wrong labels for clean images, drawn anew each time, beside the labels of the set. What an
// image shows then says nothing of its label; a trigger still does. The images that are fitted all the same are what the next
// round goes on from. This takes six of the authors' eight rounds, and a tenth of their steps.
type ConfusionTraining struct{}

// Name implements Detector.
func (ConfusionTraining) Name() string { return "confusion-training" }

// Paper implements Detector.
func (ConfusionTraining) Paper() string {
	return "Qi et al., Towards A Proactive ML Approach for Detecting Backdoor Poison Samples, USENIX Security 2023"
}

// Needs implements Detector.
func (ConfusionTraining) Needs() Need { return Clean }

// The authors' settings, but for the epochs, the steps and the batch.
const (
	confusionRate   = 0.01 // learning rate
	confusionPasses = 40   // over the clean images in a round, at least; one over what was kept, at least
	confusionBatch  = 64   // images of the set a step, and as many clean ones
	confusionClass  = 0.02 // of each class are kept in every round
	confusionClean  = 0.1  // of each class, those of middle loss, stand for clean images
	confusionFits   = 0.5  // logit of the label above which the network fits an image, for the ratio of likelihoods
	confusionFlags  = 0.6  // and above which an image is flagged
	confusionMost   = 1.5  // likelihood ratio from which the most suspicious class counts
)

// confusionRound trains on what was kept, then confuses, then keeps.
type confusionRound struct {
	epochs   int     // on what was kept; the first round takes the network as it was given
	momentum float64 // of confusion
	lambda   float64 // the set's loss weighs 1/λ, that of clean images the rest
	every    int     // so many steps show the set once, the others clean images alone
	keep     float64 // share of all images, those of lowest loss
}

var confusionRounds = []confusionRound{
	{0, 0.5, 25, 2, 1. / 2}, {10, 0.5, 25, 2, 1. / 5}, {20, 0.7, 50, 8, 1. / 25}, {40, 0.7, 50, 8, 1. / 50}, {40, 0.7, 50, 8, 1. / 100}, {40, 0.7, 10, 1, 0},
}

// Detect implements Detector. A score is the negative loss under the last round's network.
func (d ConfusionTraining) Detect(ctx context.Context, in *Input) (*Output, error) {
	if err := in.has(d, false, true); err != nil {
		return nil, err
	}
	base, kept := in.State.Clone(), rng.Iota(in.Data.Len())
	if in.Network.Classes < 2 || len(kept) < 2 {
		return nil, fmt.Errorf("confusion-training needs two classes and two images, got %d and %d", in.Network.Classes, len(kept))
	}
	opt := train.DefaultSGD()
	opt.Nesterov = false
	learner, err := train.NewClassifier(in.Backend, in.Network, base, min(confusionBatch, len(kept)), opt, train.Mean)
	if err != nil {
		return nil, err
	}
	var features, logits, losses []float32
	for k, r := range confusionRounds {
		p := train.Phase{
			Name: "confusion", Data: in.Data, Indices: kept, Batch: learner.Batch, Epochs: r.epochs, Schedule: train.Constant(confusionRate), Seed: in.Seed + uint64(k),
		}
		err := p.Run(ctx, func(b *train.Batch, rate float64) (float64, error) {
			return learner.Step([]float64{rate}, b.X, b.Labels, b.Weights)
		}, nil, train.Hooks{})
		if err != nil {
			return nil, err
		}
		if err := learner.Store(); err != nil {
			return nil, err
		}
		state, err := confuse(ctx, in, k, base, kept)
		if err != nil {
			return nil, err
		}
		if features, logits, err = evaluate.Features(ctx, in.Backend, in.Network, state, in.Data); err != nil {
			return nil, err
		}
		losses = losses[:0]
		for i, l := range in.Data.Labels {
			losses = append(losses, float32(evaluate.CrossEntropy(logits[i*in.Network.Classes:][:in.Network.Classes], int(l))))
		}
		kept = distilled(in, losses, max(int(r.keep*float64(len(losses))), learner.Batch))
	}
	own := make([]float32, len(losses))
	for i, l := range in.Data.Labels {
		own[i] = logits[i*in.Network.Classes+int(l)]
	}
	return confused(byLabel(in.Data), features, losses, own), nil
}

// confuse returns a copy of a network, after a round's confusion. A batch is half of the set's images, weighed by the rarity of
// their classes, and half of clean images with wrong labels.
func confuse(ctx context.Context, in *Input, round int, base model.State, kept []int) (model.State, error) {
	r, state := confusionRounds[round], base.Clone()
	l, err := train.NewClassifier(in.Backend, in.Network, state, 2*confusionBatch, train.SGD{Momentum: r.momentum, WeightDecay: 1e-4}, train.Mean)
	if err != nil {
		return nil, err
	}
	rarity := make([]float64, in.Network.Classes)
	for _, i := range kept {
		rarity[in.Data.Labels[i]] += 1 / float64(len(kept))
	}
	for c, share := range rarity {
		rarity[c] = 1 / math.Sqrt(share+0.001)
		if round == len(confusionRounds)-1 {
			rarity[c] = 1
		}
	}
	steps := max(confusionPasses*in.Clean.Len(), r.every*len(kept)) / confusionBatch
	n := in.Data.ImageBytes()
	fill := func(k int, b *train.Batch) {
		draw, of := rng.Stream(in.Seed, "confusion", round, k), 0
		if k%r.every == 0 {
			of = confusionBatch
		}
		sum := 0.0
		for j := range b.Labels {
			var image []uint8
			if j < of {
				i := kept[draw.IntN(len(kept))]
				image, b.Labels[j] = in.Data.Image(i), in.Data.Labels[i]
				sum += rarity[b.Labels[j]]
			} else {
				i := draw.IntN(in.Clean.Len())
				image = in.Clean.Image(i)
				b.Labels[j] = (in.Clean.Labels[i] + 1 + draw.Int32N(int32(in.Network.Classes-1))) % int32(in.Network.Classes)
			}
			augment.Plain(b.X[j*n:(j+1)*n], image)
		}
		for j := range b.Weights { // their mean over a batch is 1
			switch {
			case of == 0:
				b.Weights[j] = 1
			case j < of:
				b.Weights[j] = float32(2 * confusionBatch / r.lambda * rarity[b.Labels[j]] / sum)
			default:
				b.Weights[j] = float32(2 * (r.lambda - 1) / r.lambda)
			}
		}
	}
	err = train.Loop(ctx, in.Data, l.Batch, 0, steps, fill, func(_ int, b *train.Batch) error {
		_, err := l.Step([]float64{confusionRate}, b.X, b.Labels, b.Weights)
		return err
	})
	if err != nil {
		return nil, err
	}
	return state, l.Store()
}

// distilled returns the n images of lowest loss, and more of classes of which these have too few, in order.
func distilled(in *Input, losses []float32, n int) []int {
	kept, of := make([]bool, len(losses)), make([]int, len(in.Data.Classes))
	counts := in.Data.Counts()
	for k, i := range evaluate.Order(losses) {
		l := in.Data.Labels[i]
		if k < n || of[l] < int(confusionClass*float64(counts[l])) {
			kept[i] = true
			of[l]++
		}
	}
	var all []int
	for i, k := range kept {
		if k {
			all = append(all, i)
		}
	}
	return all
}

// confused scores images by their losses, and flags those that the network fits in classes of which these lie apart: their
// features, [images, width], in the plane of the class's two largest components, are e times as likely on average under two
// Gaussians, one of clean and one of fitted images, as under the former alone, or 1.5 times in the class where this is most. own are
// the logits of their labels.
func confused(classes [][]int, features, losses, own []float32) *Output {
	out := newOutput(len(losses))
	for i, l := range losses {
		out.Scores[i] = -float64(l)
	}
	ratios := make([]float64, len(classes))
	for c, images := range classes {
		if len(images) > 0 {
			ratios[c] = likelihoodRatio(images, features, losses, own)
		}
	}
	most := slices.Max(ratios)
	for c, images := range classes {
		if ratios[c] > math.E || ratios[c] == most && most > confusionMost {
			for _, i := range images {
				out.Flagged[i] = own[i] > confusionFlags
			}
		}
	}
	return out
}

// likelihoodRatio compares the two models of a class; 1 where there are too few images for them.
func likelihoodRatio(images []int, features, losses, logits []float32) float64 {
	n := len(images)
	m := rows(features, len(losses), images)
	centre(m)
	plane := principal(m, 2)
	own := make([]float32, n)
	for k, i := range images {
		own[k] = losses[i]
	}
	half := confusionClean * float64(n) / 2
	clean := evaluate.Order(own)[int(float64(n)/2-half):int(float64(n)/2+half)]
	var fitted []int
	for k, i := range images {
		if logits[i] > confusionFits {
			fitted = append(fitted, k)
		}
	}
	if _, directions := plane.Dims(); len(clean) < 2 || len(fitted) < 2 || directions < 2 {
		return 1
	}
	one, two := gaussian(plane, clean), gaussian(plane, fitted)
	sum := 0.0
	for _, k := range fitted {
		p := plane.RawRowView(k)
		sum += two(p[0], p[1]) - one(p[0], p[1])
	}
	return math.Exp(sum / float64(n))
}

// gaussian fits a normal distribution to some rows of a matrix of two columns, and returns its log density but for a constant.
func gaussian(m *mat.Dense, at []int) func(x, y float64) float64 {
	some := mat.NewDense(len(at), 2, nil)
	for k, i := range at {
		some.SetRow(k, m.RawRowView(i))
	}
	mean := centre(some)
	var cov mat.SymDense
	cov.SymOuterK(1/float64(len(at)-1), some.T())
	const ridge = 0.001 // the authors add it to the whole matrix
	a, b, c := cov.At(0, 0)+ridge, cov.At(0, 1)+ridge, cov.At(1, 1)+ridge
	det := max(a*c-b*b, 1e-12)
	return func(x, y float64) float64 {
		x, y = x-mean[0], y-mean[1]
		return -(c*x*x-2*b*x*y+a*y*y)/det/2 - math.Log(det)/2
	}
}
