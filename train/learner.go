package train

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/backends"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
)

// Module is a network in a Learner: one that learns, by SGD or Adam, or one that only looks.
type Module struct {
	Net    *model.Network
	State  model.State // Store writes here what was learnt
	Frozen bool
	Adam   bool // else SGD with momentum, DefaultSGD
	// Fixed, unless nil, names weights that stay; batch norm then keeps its running statistics.
	Fixed func(name string) bool
	// Weight, unless nil, gives what the network computes with in place of a tensor.
	Weight func(g *Graph, name string, w *Node) *Node
}

// Adam's constants, as the input-aware attack's authors chose them for generators.
const (
	adamBeta1, adamBeta2, adamEpsilon = 0.5, 0.9, 1e-8
)

// Learner trains several networks in one graph. A step's inputs follow the modules' tensors.
type Learner struct {
	f       *gx.Function
	modules []*Module
	first   int // input that follows tensors, moments and rates
	rates   int // input of the first learning rate
	extra   int // first output that build returned beside the loss
	steps   int
}

// NewLearner compiles a step. build lays the modules, which it receives as functions, over the
// inputs that it makes, and returns the loss to descend and what else a step shall give. A module
// that learns may be laid once only, since its batch norm is updated there.
func NewLearner(b backends.Backend, name string, modules []*Module, build func(g *Graph, nets []func(x *Node) *model.Graphed) (loss *Node, extra []*Node)) (*Learner, error) {
	l := &Learner{modules: modules}
	carry := 0
	for _, m := range modules {
		if !m.Frozen {
			carry += len(m.State)
			for _, t := range m.State {
				if t.Kind == model.Weight {
					carry += m.moments()
				}
			}
		}
	}
	var err error
	l.f, err = gx.NewFunction(b, name, carry, func(g *Graph) []*Node {
		at := 0
		params := make([]map[string]*Node, len(modules))
		moments := make([]map[string][]*Node, len(modules))
		lay := func(k int) {
			m := modules[k]
			params[k] = model.Parameters(g, fmt.Sprintf("m%d.", k), m.State)
			at += len(m.State)
			moments[k] = map[string][]*Node{}
			if m.Frozen {
				return
			}
			for _, t := range m.State {
				for i := 0; t.Kind == model.Weight && i < m.moments(); i++ {
					moments[k][t.Name] = append(moments[k][t.Name], gx.Input(g, fmt.Sprintf("moment%d.%d.%s", i, k, t.Name), t.Dims...))
					at++
				}
			}
		}
		for k, m := range modules { // those that learn come first: their tensors are carried
			if !m.Frozen {
				lay(k)
			}
		}
		for k, m := range modules {
			if m.Frozen {
				lay(k)
			}
		}
		l.rates = at
		rates := make([]*Node, len(modules))
		for k := range modules {
			rates[k] = gx.Input(g, fmt.Sprintf("rate%d", k))
			at++
		}
		l.first = at
		laid := make([]*model.Graphed, len(modules))
		nets := make([]func(*Node) *model.Graphed, len(modules))
		for k, m := range modules {
			nets[k] = func(x *Node) *model.Graphed {
				if laid[k] != nil && !m.Frozen {
					panic(fmt.Errorf("module %d is laid twice", k))
				}
				p := params[k]
				if m.Weight != nil {
					p = map[string]*Node{}
					for name, w := range params[k] {
						p[name] = m.Weight(g, name, w)
					}
				}
				b := model.NewBuilder(g, !m.Frozen && m.Fixed == nil, p)
				b.Frozen = !b.Training
				laid[k] = m.Net.Lay(b, x)
				return laid[k]
			}
		}
		loss, extra := build(g, nets)
		var weights []*Node
		for k, m := range modules {
			for _, t := range m.State {
				if t.Kind == model.Weight && !m.Frozen {
					weights = append(weights, params[k][t.Name])
				}
			}
		}
		grads := Gradient(loss, weights...)
		var out []*Node
		for k, m := range modules {
			if m.Frozen {
				continue
			}
			var states, kept []*Node
			for _, t := range m.State {
				p := params[k][t.Name]
				if t.Kind == model.Buffer {
					if u := laid[k].Updates[t.Name]; u != nil {
						p = u
					}
					states = append(states, p)
					continue
				}
				if m.Fixed != nil && m.Fixed(t.Name) {
					states, kept = append(states, p), append(kept, moments[k][t.Name]...)
					grads = grads[1:]
					continue
				}
				p, ms := m.update(p, moments[k][t.Name], grads[0], rates[k])
				grads = grads[1:]
				states, kept = append(states, p), append(kept, ms...)
			}
			out = append(append(out, states...), kept...)
		}
		l.extra = len(out) + 1
		return append(append(out, loss), extra...)
	})
	if err != nil {
		return nil, err
	}
	at := 0
	load := func(m *Module) error {
		for _, t := range m.State {
			if err := l.f.Set(at, t.Data); err != nil {
				return err
			}
			at++
		}
		if m.Frozen {
			return nil
		}
		for _, t := range m.State {
			if t.Kind == model.Weight {
				at += m.moments() // they start at zero
			}
		}
		return nil
	}
	for _, frozen := range []bool{false, true} {
		for _, m := range modules {
			if m.Frozen == frozen {
				if err := load(m); err != nil {
					return nil, err
				}
			}
		}
	}
	return l, nil
}

func (m *Module) moments() int {
	if m.Adam {
		return 2
	}
	return 1
}

func (m *Module) update(p *Node, moments []*Node, g, rate *Node) (*Node, []*Node) {
	if !m.Adam {
		p, mo := DefaultSGD.Update(p, moments[0], g, rate)
		return p, []*Node{mo}
	}
	first := Add(MulScalar(moments[0], adamBeta1), MulScalar(g, 1-adamBeta1))
	second := Add(MulScalar(moments[1], adamBeta2), MulScalar(Mul(g, g), 1-adamBeta2))
	return Sub(p, Mul(rate, Div(first, AddScalar(Sqrt(second), adamEpsilon)))), []*Node{first, second}
}

// Step descends once, with a learning rate for each module, and returns the loss.
func (l *Learner) Step(rates []float64, inputs ...any) (float64, error) {
	l.steps++
	for k, m := range l.modules {
		r := rates[k]
		if m.Adam { // both moments' bias, corrected
			t := float64(l.steps)
			r *= math.Sqrt(1-math.Pow(adamBeta2, t)) / (1 - math.Pow(adamBeta1, t))
		}
		if err := l.f.Set(l.rates+k, []float32{float32(r)}); err != nil {
			return 0, err
		}
	}
	if err := l.f.Call(l.first, inputs...); err != nil {
		return 0, err
	}
	loss, err := l.f.Number(l.extra - 1)
	if err == nil && (math.IsNaN(loss) || math.IsInf(loss, 0)) {
		err = fmt.Errorf("the optimisation diverged at step %d; try a lower rate or another seed", l.steps)
	}
	return loss, err
}

// Store copies the modules' tensors out.
func (l *Learner) Store() error {
	at := 0
	for _, m := range l.modules {
		if m.Frozen {
			continue
		}
		for _, t := range m.State {
			if err := l.f.Get(at, t.Data); err != nil {
				return err
			}
			at++
		}
		for _, t := range m.State {
			if t.Kind == model.Weight {
				at += m.moments()
			}
		}
	}
	return nil
}

// Extra returns what build gave beside the loss, a single element, in the last step.
func (l *Learner) Extra(k int) (float64, error) { return l.f.Number(l.extra + k) }
