// Package train trains networks: the losses, the optimisers, the schedules, one compiled step, one loop over batches, and
// trainings in stages that a checkpoint can continue.
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

// Module is a network in a Learner: one that learns, by SGD or Adam, or one that only looks.
type Module struct {
	Net    *model.Network
	State  model.State // Store writes here what was learnt
	Frozen bool
	SGD    SGD  // the zero value stands for DefaultSGD
	Adam   bool // instead of SGD
	// Fixed, unless nil, names weights that stay; batch norm then keeps its running statistics.
	Fixed func(name string) bool
	// Weight, unless nil, gives what the network computes with in place of a tensor.
	Weight func(g *Graph, name string, w *Node) *Node
}

// Learner is one training step of one or several networks, compiled: forward, loss, backward and the optimisers' updates.
// The networks' tensors and moments stay in its buffers from step to step until Store copies them out.
// A step's inputs are the modules' tensors and moments, those that learn first, a learning rate for each module, and what
// build made; its outputs are the new tensors and moments, the loss, and what else build returned. It is not for
// concurrent use.
type Learner struct {
	Batch int // images a step, of a classifier; else 0

	f       *gx.Function
	modules []*Module
	at      []int       // input of each module's first tensor; its moments follow its tensors
	rate    int         // input of the first learning rate
	rates   [][]float32 // one number each; made once, as what engines may be given
	boxed   []any       // the same
	carried int         // tensors and moments: outputs before the loss
	steps   int

	lr [1]float64 // the learning rate of a classifier
}

// NewLearner compiles a step. build lays the modules, which it receives as functions, over the
// inputs that it makes, and returns the loss to descend and what else a step shall give. A module
// that learns may be laid once only, since its batch norm is updated there.
func NewLearner(b backends.Backend, name string, modules []*Module, build func(g *Graph, nets []func(x *Node) *model.Graphed) (loss *Node, extra []*Node)) (*Learner, error) {
	l := &Learner{modules: modules, at: make([]int, len(modules))}
	for _, frozen := range []bool{false, true} { // those that learn come first: their tensors are carried
		for k, m := range modules {
			if m.Frozen != frozen {
				continue
			}
			l.at[k] = l.rate
			l.rate += len(m.State) + m.moments()
			if !m.Frozen {
				l.carried = l.rate
			}
		}
	}
	for range modules {
		r := make([]float32, 1)
		l.rates, l.boxed = append(l.rates, r), append(l.boxed, r)
	}
	var err error
	if l.f, err = gx.NewFunction(b, name, l.carried, func(g *Graph) []*Node { return l.graph(g, build) }); err != nil {
		return nil, err
	}
	for k, m := range modules {
		if err := l.load(k, m.State, nil); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// NewClassifier compiles a step of one network that learns to classify. The step's inputs are images [batch,H,W,3], labels
// [batch] and weights [batch]; loss builds the scalar to minimise from the images' losses and weights. Beside it a step
// gives the images' losses before the update, [batch]. A Run loads its own state before it trains.
func NewClassifier(b backends.Backend, n *model.Network, state model.State, batch int, opt SGD, loss Loss) (*Learner, error) {
	l, err := NewLearner(b, "train "+n.Arch, []*Module{{Net: n, State: state, SGD: opt}}, func(g *Graph, nets []func(*Node) *model.Graphed) (*Node, []*Node) {
		x := gx.Input(g, "x", batch, n.Height, n.Width, 3)
		y := Parameter(g, "y", shapes.Make(dtypes.Int32, batch))
		w := gx.Input(g, "w", batch)
		each := CrossEntropy(nets[0](x).Logits, y)
		return loss(each, w), []*Node{each}
	})
	if err == nil {
		l.Batch = batch
	}
	return l, err
}

// graph lays the whole step.
func (l *Learner) graph(g *Graph, build func(g *Graph, nets []func(x *Node) *model.Graphed) (*Node, []*Node)) []*Node {
	params, moments := l.inputs(g)
	rates := make([]*Node, len(l.modules))
	for k := range l.modules {
		rates[k] = gx.Input(g, fmt.Sprintf("rate%d", k))
	}
	return l.descend(g, params, moments, rates, build)
}

// inputs makes the parameters of all modules.
func (l *Learner) inputs(g *Graph) (params []map[string]*Node, moments []map[string][]*Node) {
	params, moments = make([]map[string]*Node, len(l.modules)), make([]map[string][]*Node, len(l.modules))
	for _, frozen := range []bool{false, true} {
		for k, m := range l.modules {
			if m.Frozen == frozen {
				params[k], moments[k] = model.Parameters(g, fmt.Sprintf("m%d.", k), m.State), m.momentInputs(g, k)
			}
		}
	}
	return params, moments
}

// descend lays what follows from the inputs.
func (l *Learner) descend(g *Graph, params []map[string]*Node, moments []map[string][]*Node, rates []*Node, build func(g *Graph, nets []func(x *Node) *model.Graphed) (*Node, []*Node)) []*Node {
	laid := make([]*model.Graphed, len(l.modules))
	nets := make([]func(*Node) *model.Graphed, len(l.modules))
	for k, m := range l.modules {
		nets[k] = func(x *Node) *model.Graphed {
			if laid[k] != nil && !m.Frozen {
				panic(fmt.Errorf("module %d is laid twice", k))
			}
			laid[k] = m.lay(g, params[k], x)
			return laid[k]
		}
	}
	loss, extra := build(g, nets)
	var weights []*Node
	for k, m := range l.modules {
		for _, t := range m.State {
			if t.Kind == model.Weight && !m.Frozen {
				weights = append(weights, params[k][t.Name])
			}
		}
	}
	grads := Gradient(loss, weights...)
	var out []*Node
	for k, m := range l.modules {
		if !m.Frozen {
			var next []*Node
			next, grads = m.next(laid[k], params[k], moments[k], grads, rates[k])
			out = append(out, next...)
		}
	}
	return append(append(out, loss), extra...)
}

// lay applies the module's network to x.
func (m *Module) lay(g *Graph, params map[string]*Node, x *Node) *model.Graphed {
	if m.Weight != nil {
		own := map[string]*Node{}
		for name, w := range params {
			own[name] = m.Weight(g, name, w)
		}
		params = own
	}
	b := model.NewBuilder(g, !m.Frozen && m.Fixed == nil, params)
	b.Frozen = !b.Training
	return m.Net.Lay(b, x)
}

// momentInputs makes the parameters of a module's moments.
func (m *Module) momentInputs(g *Graph, k int) map[string][]*Node {
	moments := map[string][]*Node{}
	m.eachMoment(func(t *model.Tensor, i int) {
		moments[t.Name] = append(moments[t.Name], gx.Input(g, fmt.Sprintf("moment%d.%d.%s", i, k, t.Name), t.Dims...))
	})
	return moments
}

// next returns a module's tensors and moments after the step, in the order of the inputs, and the gradients that are left
// for other modules.
func (m *Module) next(laid *model.Graphed, params map[string]*Node, moments map[string][]*Node, grads []*Node, rate *Node) (out, rest []*Node) {
	var kept []*Node
	for _, t := range m.State {
		p := params[t.Name]
		if t.Kind == model.Buffer {
			if u := laid.Updates[t.Name]; u != nil {
				p = u
			}
			out = append(out, p)
			continue
		}
		ms := moments[t.Name]
		if m.Fixed == nil || !m.Fixed(t.Name) {
			p, ms = m.update(p, ms, grads[0], rate)
		}
		grads = grads[1:]
		out, kept = append(out, p), append(kept, ms...)
	}
	return append(out, kept...), grads
}

func (m *Module) update(p *Node, moments []*Node, g, rate *Node) (*Node, []*Node) {
	if m.Adam {
		return adamUpdate(p, moments, g, rate)
	}
	o := m.SGD
	if o == (SGD{}) {
		o = DefaultSGD()
	}
	p, momentum := o.update(p, moments[0], g, rate)
	return p, []*Node{momentum}
}

// eachMoment visits the module's moments in the order of their inputs: number i of a tensor.
func (m *Module) eachMoment(visit func(t *model.Tensor, i int)) {
	if m.Frozen {
		return
	}
	each := 1
	if m.Adam {
		each = 2
	}
	for _, t := range m.State {
		for i := 0; t.Kind == model.Weight && i < each; i++ {
			visit(t, i)
		}
	}
}

// moments counts them.
func (m *Module) moments() int {
	n := 0
	m.eachMoment(func(*model.Tensor, int) { n++ })
	return n
}

// load puts tensors and moments in place of module k's; without moments they start at zero.
func (l *Learner) load(k int, state model.State, moments [][]float32) error {
	own := l.modules[k].State
	if len(state) != len(own) {
		return fmt.Errorf("the network has %d tensors, the state %d", len(own), len(state))
	}
	for i, t := range state {
		if t.Name != own[i].Name {
			return fmt.Errorf("tensor %d of the state is %s, expected %s", i, t.Name, own[i].Name)
		}
		if err := l.f.Set(l.at[k]+i, t.Data); err != nil {
			return err
		}
	}
	fresh := l.newMoments(k)
	if moments == nil {
		moments = fresh
	}
	if len(moments) != len(fresh) {
		return fmt.Errorf("the network has %d momenta, the state %d", len(fresh), len(moments))
	}
	for i, data := range moments {
		if err := l.f.Set(l.at[k]+len(own)+i, data); err != nil {
			return err
		}
	}
	return nil
}

// store copies module k's tensors and, unless nil, moments out.
func (l *Learner) store(k int, state model.State, moments [][]float32) error {
	for i, t := range state {
		if err := l.f.Get(l.at[k]+i, t.Data); err != nil {
			return err
		}
	}
	for i, data := range moments {
		if err := l.f.Get(l.at[k]+len(state)+i, data); err != nil {
			return err
		}
	}
	return nil
}

// newMoments returns zeros of the sizes of module k's moments.
func (l *Learner) newMoments(k int) [][]float32 {
	var all [][]float32
	l.modules[k].eachMoment(func(t *model.Tensor, _ int) {
		size := 1
		for _, d := range t.Dims {
			size *= d
		}
		all = append(all, make([]float32, size))
	})
	return all
}

// Store copies what was learnt into the modules' states.
func (l *Learner) Store() error {
	for k, m := range l.modules {
		if !m.Frozen {
			if err := l.store(k, m.State, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// Step descends once, with a learning rate for each module, on the inputs that build made, []float32 or []int32 each. It
// returns the loss before the update. A loss that is no number is returned together with a *DivergedError.
func (l *Learner) Step(rates []float64, inputs ...any) (float64, error) {
	l.steps++
	for k, m := range l.modules {
		r := rates[k]
		if m.Adam {
			r = adamRate(r, l.steps)
		}
		l.rates[k][0] = float32(r)
		if err := l.f.Set(l.rate+k, l.boxed[k]); err != nil {
			return 0, err
		}
	}
	if err := l.f.Call(l.rate+len(l.modules), inputs...); err != nil {
		return 0, err
	}
	loss, err := l.f.Number(l.carried)
	if err == nil && (math.IsNaN(loss) || math.IsInf(loss, 0)) {
		err = &DivergedError{Step: l.steps, Loss: loss}
	}
	return loss, err
}

// Extra returns what build gave beside the loss, a single element, in the last step.
func (l *Learner) Extra(k int) (float64, error) { return l.f.Number(l.carried + 1 + k) }

// classify is a classifier's step on a batch, whose losses it fills.
func (l *Learner) classify(b *Batch, rate float64) (float64, error) {
	l.lr[0] = rate
	loss, err := l.Step(l.lr[:], b.inputs...)
	if err != nil {
		return loss, err
	}
	return loss, l.f.Get(l.carried+1, b.Losses)
}

// Arithmetic returns how many multiplications and additions a step does and what one core can do a second, or zeros on engines
// that don't know.
func (l *Learner) Arithmetic() (flops, peak float64) { return l.f.Arithmetic() }

// Explain describes the compiled step as a table, on engines that can.
func (l *Learner) Explain() (string, error) { return l.f.Explain() }
