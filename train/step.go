// Package train holds the optimiser, the losses, the schedules and the epoch loop.
package train

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
)

// SGD is stochastic gradient descent as PyTorch does it: g ← g + λp, m ← μm + g, and
// p ← p − η(g + μm) with Nesterov, p ← p − ηm without.
type SGD struct {
	Momentum    float64
	Nesterov    bool
	WeightDecay float64
}

// DefaultSGD is the paper's: momentum 0.9 with Nesterov, weight decay 1e-4.
var DefaultSGD = SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 1e-4}

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

// Step is one training step of a network, compiled for a batch size: forward, loss, backward and
// SGD. The tensors of the state stay in its buffers until Store copies them out.
type Step struct {
	Batch int

	backend  backends.Backend
	network  *model.Network
	program  *gx.Program
	in, out  []backends.Buffer
	weights  int // state tensors with momentum
	tensors  int
	momentum []int // input index of each weight's momentum
	x, y, w  int   // input indices of images, labels and sample weights
	rate     int
	scalar   []float32 // one: the rate on its way in, the loss on its way out; C code may be given no memory beside Go's pointers
}

// NewStep compiles a step. loss builds the scalar to minimise from the images' losses [N] and the
// sample weights [N] that every batch carries.
func NewStep(b backends.Backend, n *model.Network, batch int, opt SGD, loss Loss) (*Step, error) {
	s := &Step{Batch: batch, backend: b, network: n, scalar: make([]float32, 1)}
	spec := n.Spec()
	s.tensors = len(spec)
	var err error
	s.program, err = gx.Compile(b, "train "+n.Arch, func(g *Graph) []*Node {
		moments := map[string]*Node{}
		var y, w, rate *Node
		net := n.Graph(g, true, func() *Node {
			for _, t := range spec {
				if t.Kind == model.Weight {
					s.momentum = append(s.momentum, s.tensors+len(s.momentum))
					moments[t.Name] = Parameter(g, "momentum."+t.Name, shapes.Make(dtypes.Float32, t.Dims...))
				}
			}
			s.weights = len(s.momentum)
			s.x = s.tensors + s.weights
			s.y, s.w, s.rate = s.x+1, s.x+2, s.x+3
			x := Parameter(g, "x", shapes.Make(dtypes.Float32, batch, n.Height, n.Width, 3))
			y = Parameter(g, "y", shapes.Make(dtypes.Int32, batch))
			w = Parameter(g, "w", shapes.Make(dtypes.Float32, batch))
			rate = Parameter(g, "rate", shapes.Make(dtypes.Float32))
			return x
		})
		each := CrossEntropy(net.Logits, y)
		total := loss(each, w)
		var params []*Node
		for _, t := range spec {
			if t.Kind == model.Weight {
				params = append(params, net.Params[t.Name])
			}
		}
		grads := Gradient(total, params...)
		var states, newMoments []*Node
		k := 0
		for _, t := range spec {
			if t.Kind == model.Buffer {
				states = append(states, net.Updates[t.Name])
				continue
			}
			p := net.Params[t.Name]
			np, nm := opt.Update(p, moments[t.Name], grads[k], rate)
			k++
			states = append(states, np)
			newMoments = append(newMoments, nm)
		}
		return append(append(states, newMoments...), total, each)
	})
	if err != nil {
		return nil, err
	}
	for _, sh := range s.program.Inputs() {
		buf, err := gx.NewBuffer(b, sh)
		if err != nil {
			return nil, err
		}
		s.in = append(s.in, buf)
	}
	for _, sh := range s.program.Outputs() {
		buf, err := gx.NewBuffer(b, sh)
		if err != nil {
			return nil, err
		}
		s.out = append(s.out, buf)
	}
	return s, nil
}

// Update returns the new parameter and its new momentum.
func (o SGD) Update(p, m, g, rate *Node) (*Node, *Node) {
	if o.WeightDecay != 0 {
		g = Add(g, MulScalar(p, o.WeightDecay))
	}
	m = Add(MulScalar(m, o.Momentum), g)
	d := m
	if o.Nesterov {
		d = Add(g, MulScalar(m, o.Momentum))
	}
	return Sub(p, Mul(rate, d)), m
}

// Load puts a state and, unless nil, its momenta into the step; without momenta they start at zero.
func (s *Step) Load(state model.State, momenta [][]float32) error {
	if len(state) != s.tensors {
		return fmt.Errorf("the network has %d tensors, the state %d", s.tensors, len(state))
	}
	for i, t := range s.network.Spec() {
		if state[i].Name != t.Name {
			return fmt.Errorf("tensor %d of the state is %s, expected %s", i, state[i].Name, t.Name)
		}
		if err := s.write(i, state[i].Data); err != nil {
			return err
		}
	}
	shapes := s.program.Inputs()
	for k, i := range s.momentum {
		data := make([]float32, shapes[i].Size())
		if momenta != nil {
			copy(data, momenta[k])
		}
		if err := s.write(i, data); err != nil {
			return err
		}
	}
	return nil
}

func (s *Step) write(i int, data []float32) error {
	buf, err := gx.Write(s.backend, s.in[i], data)
	s.in[i] = buf
	return err
}

// Store copies the current tensors into state and, unless nil, the momenta.
func (s *Step) Store(state model.State, momenta [][]float32) error {
	for i := range state {
		if err := gx.Read(s.backend, s.in[i], state[i].Data); err != nil {
			return err
		}
	}
	for k := range momenta {
		if err := gx.Read(s.backend, s.in[s.momentum[k]], momenta[k]); err != nil {
			return err
		}
	}
	return nil
}

// Momenta returns zero momenta of the right sizes.
func (s *Step) Momenta() [][]float32 {
	m := make([][]float32, s.weights)
	for k, i := range s.momentum {
		m[k] = make([]float32, s.program.Inputs()[i].Size())
	}
	return m
}

// Run does one step at the given learning rate and returns the loss. losses, unless nil, receives
// each image's loss.
func (s *Step) Run(x []float32, y []int32, w []float32, rate float64, losses []float32) (float64, error) {
	if err := s.write(s.x, x); err != nil {
		return 0, err
	}
	buf, err := gx.Write(s.backend, s.in[s.y], y)
	if err != nil {
		return 0, err
	}
	s.in[s.y] = buf
	if err := s.write(s.w, w); err != nil {
		return 0, err
	}
	s.scalar[0] = float32(rate)
	if err := s.write(s.rate, s.scalar); err != nil {
		return 0, err
	}
	if err := s.program.Run(s.in, s.out); err != nil {
		return 0, err
	}
	// The new tensors become the next step's inputs; the old ones' memory receives what follows.
	n := s.tensors + s.weights
	for i := range n {
		s.in[i], s.out[i] = s.out[i], s.in[i]
	}
	if err := gx.Read(s.backend, s.out[n], s.scalar); err != nil {
		return 0, err
	}
	if losses != nil {
		if err := gx.Read(s.backend, s.out[n+1], losses); err != nil {
			return 0, err
		}
	}
	return float64(s.scalar[0]), nil
}

// Arithmetic returns how many multiplications and additions a step does and what one core can do a second, or zeros on
// engines that don't know.
func (s *Step) Arithmetic() (flops, peak float64) { return s.program.Arithmetic() }

// Explain describes the compiled step as a table, on engines that can.
func (s *Step) Explain() (string, error) { return s.program.Explain(s.in) }

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

// surest bounds the probability of a label that is known to be wrong at 1−surest.
const surest = 1e-4

// Contradict is the weighted mean in which images of negative weight teach that their label is wrong: with p the label's
// probability, their loss is −ln(1−p), whose gradient vanishes as p does, so that there is nothing to bound or to stop.
func Contradict(each, weight *Node) *Node {
	g := each.Graph()
	p := Exp(Neg(Max(each, Scalar(g, dtypes.Float32, surest))))
	wrong := LessThan(weight, ScalarZero(g, dtypes.Float32))
	return ReduceAllMean(Mul(Where(wrong, Neg(Log(OneMinus(p))), each), Abs(weight)))
}
