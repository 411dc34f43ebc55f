package train

import (
	"math"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// CrossEntropy returns the loss of each image, [N], from logits [N,C] and labels [N] (int32).
func CrossEntropy(logits, labels *Node) *Node {
	n, c := logits.Shape().Dimensions[0], logits.Shape().Dimensions[1]
	top := StopGradient(ReduceMax(logits, 1))
	spread := func(x *Node) *Node { return ExpandAndBroadcast(x, []int{n, c}, []int{1}) }
	z := Sub(logits, spread(top))
	g := logits.Graph()
	hot := ConvertDType(Equal(Iota(g, shapes.Make(dtypes.Int32, n, c), 1), spread(labels)), dtypes.Float32)
	return Sub(Log(ReduceSum(Exp(z), 1)), ReduceSum(Mul(z, hot), 1))
}

// SoftCrossEntropy returns each image's cross-entropy, [N], against a distribution; both are [N,C].
func SoftCrossEntropy(logits, soft *Node) *Node {
	return Neg(ReduceSum(Mul(LogSoftmax(logits), soft), 1))
}

// Loss builds the scalar to minimise from each image's cross-entropy and weight, both [N].
type Loss func(each, weight *Node) *Node

// Mean is the ordinary loss: the weighted mean, Σwℓ / N.
func Mean(each, weight *Node) *Node { return ReduceAllMean(Mul(each, weight)) }

// LocalGradientAscent is L_LGA = E[sign(ℓ−γ)·ℓ] (Li et al. 2021, section 4): images whose loss
// falls below γ are pushed back up to it. perSample takes the sign of each image's loss, as the
// formula says; otherwise the sign of the batch's mean loss, as the published code does.
func LocalGradientAscent(gamma float64, perSample bool) Loss {
	return func(each, weight *Node) *Node {
		if perSample {
			sign := StopGradient(Sign(AddScalar(each, -gamma)))
			return ReduceAllMean(Mul(Mul(sign, each), weight))
		}
		mean := ReduceAllMean(Mul(each, weight))
		return Mul(StopGradient(Sign(AddScalar(mean, -gamma))), mean)
	}
}

// Flooding is |mean ℓ − b| + b (Ishida et al. 2020).
func Flooding(level float64) Loss {
	return func(each, weight *Node) *Node {
		mean := ReduceAllMean(Mul(each, weight))
		return AddScalar(Abs(AddScalar(mean, -level)), level)
	}
}

// Unlearn is E_kept[ℓ] − E_isolated[ℓ] (Li et al. 2021, equation 3) over a batch that holds both:
// isolated images carry negative weights. Their losses count up to limit only, so that the ascent
// is bounded; an infinite limit gives the formula as published.
func Unlearn(limit float64) Loss {
	return func(each, weight *Node) *Node {
		if math.IsInf(limit, 1) {
			return ReduceAllSum(Mul(each, weight))
		}
		g := each.Graph()
		zero := ScalarZero(g, dtypes.Float32)
		isolated := LessThan(weight, zero)
		capped := Min(each, Scalar(g, dtypes.Float32, limit))
		return ReduceAllSum(Mul(Where(isolated, capped, each), weight))
	}
}
