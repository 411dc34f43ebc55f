package attack

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/unpoison/unpoison/internal/gx"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

// tensors makes a graph's parameters for a network's tensors, in their order.
func tensors(g *Graph, prefix string, spec model.State) map[string]*Node {
	params := map[string]*Node{}
	for _, t := range spec {
		params[t.Name] = Parameter(g, prefix+t.Name, shapes.Make(dtypes.Float32, t.Dims...))
	}
	return params
}

// input makes a parameter of float32.
func input(g *Graph, name string, dims ...int) *Node {
	return Parameter(g, name, shapes.Make(dtypes.Float32, dims...))
}

// module is a network in a learner: one that learns, by SGD or Adam, or one that only looks.
type module struct {
	net    *model.Network
	state  model.State
	frozen bool
	adam   bool // else SGD with momentum
}

// Adam's constants, as the input-aware attack's authors chose them for generators.
const (
	adamBeta1, adamBeta2, adamEpsilon = 0.5, 0.9, 1e-8
)

// learner trains several networks in one graph. A step's inputs follow the modules' tensors.
type learner struct {
	f       *gx.Function
	modules []*module
	first   int // input that follows tensors, moments and rates
	rates   int // input of the first learning rate
	extra   int // first output that build returned beside the loss
	steps   int
}

// newLearner compiles a step. build lays the modules, which it receives as functions, over the
// inputs that it makes, and returns the loss to descend and what else a step shall give. A module
// that learns may be laid once only, since its batch norm is updated there.
func newLearner(b backends.Backend, name string, modules []*module, build func(g *Graph, nets []func(x *Node) *model.Graphed) (loss *Node, extra []*Node)) (*learner, error) {
	l := &learner{modules: modules}
	carry := 0
	for _, m := range modules {
		if !m.frozen {
			carry += len(m.state)
			for _, t := range m.state {
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
			params[k] = tensors(g, fmt.Sprintf("m%d.", k), m.state)
			at += len(m.state)
			moments[k] = map[string][]*Node{}
			if m.frozen {
				return
			}
			for _, t := range m.state {
				for i := 0; t.Kind == model.Weight && i < m.moments(); i++ {
					moments[k][t.Name] = append(moments[k][t.Name], input(g, fmt.Sprintf("moment%d.%d.%s", i, k, t.Name), t.Dims...))
					at++
				}
			}
		}
		for k, m := range modules { // those that learn come first: their tensors are carried
			if !m.frozen {
				lay(k)
			}
		}
		for k, m := range modules {
			if m.frozen {
				lay(k)
			}
		}
		l.rates = at
		rates := make([]*Node, len(modules))
		for k := range modules {
			rates[k] = input(g, fmt.Sprintf("rate%d", k))
			at++
		}
		l.first = at
		laid := make([]*model.Graphed, len(modules))
		nets := make([]func(*Node) *model.Graphed, len(modules))
		for k, m := range modules {
			nets[k] = func(x *Node) *model.Graphed {
				if laid[k] != nil && !m.frozen {
					panic(fmt.Errorf("module %d is laid twice", k))
				}
				b := frozenBuilder(g, params[k])
				b.Training = !m.frozen
				laid[k] = m.net.Lay(b, x)
				return laid[k]
			}
		}
		loss, extra := build(g, nets)
		var weights []*Node
		for k, m := range modules {
			for _, t := range m.state {
				if t.Kind == model.Weight && !m.frozen {
					weights = append(weights, params[k][t.Name])
				}
			}
		}
		grads := Gradient(loss, weights...)
		var out []*Node
		for k, m := range modules {
			if m.frozen {
				continue
			}
			var states, kept []*Node
			for _, t := range m.state {
				if t.Kind == model.Buffer {
					states = append(states, laid[k].Updates[t.Name])
					continue
				}
				p, ms := m.update(params[k][t.Name], moments[k][t.Name], grads[0], rates[k])
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
	load := func(m *module) error {
		for _, t := range m.state {
			if err := l.f.Set(at, t.Data); err != nil {
				return err
			}
			at++
		}
		if m.frozen {
			return nil
		}
		for _, t := range m.state {
			if t.Kind == model.Weight {
				at += m.moments() // they start at zero
			}
		}
		return nil
	}
	for _, frozen := range []bool{false, true} {
		for _, m := range modules {
			if m.frozen == frozen {
				if err := load(m); err != nil {
					return nil, err
				}
			}
		}
	}
	return l, nil
}

func (m *module) moments() int {
	if m.adam {
		return 2
	}
	return 1
}

func (m *module) update(p *Node, moments []*Node, g, rate *Node) (*Node, []*Node) {
	if !m.adam {
		p, mo := train.DefaultSGD.Update(p, moments[0], g, rate)
		return p, []*Node{mo}
	}
	first := Add(MulScalar(moments[0], adamBeta1), MulScalar(g, 1-adamBeta1))
	second := Add(MulScalar(moments[1], adamBeta2), MulScalar(Mul(g, g), 1-adamBeta2))
	return Sub(p, Mul(rate, Div(first, AddScalar(Sqrt(second), adamEpsilon)))), []*Node{first, second}
}

// step descends once, with a learning rate for each module, and returns the loss.
func (l *learner) step(rates []float64, inputs ...any) (float64, error) {
	l.steps++
	for k, m := range l.modules {
		r := rates[k]
		if m.adam { // both moments' bias, corrected
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
		err = fmt.Errorf("the attack's optimisation diverged at step %d; try another seed", l.steps)
	}
	return loss, err
}

// store copies the modules' tensors out.
func (l *learner) store() error {
	at := 0
	for _, m := range l.modules {
		if m.frozen {
			continue
		}
		for _, t := range m.state {
			if err := l.f.Get(at, t.Data); err != nil {
				return err
			}
			at++
		}
		for _, t := range m.state {
			if t.Kind == model.Weight {
				at += m.moments()
			}
		}
	}
	return nil
}

// adamArray is Adam for a few numbers outside a graph.
type adamArray struct {
	first, second []float64
	t             int
}

// descend moves x against its gradient and keeps it within 0 and 1.
func (a *adamArray) descend(x, g []float32, rate float64) {
	const beta1, beta2 = 0.9, 0.999
	if a.first == nil {
		a.first, a.second = make([]float64, len(x)), make([]float64, len(x))
	}
	a.t++
	c1, c2 := 1-math.Pow(beta1, float64(a.t)), 1-math.Pow(beta2, float64(a.t))
	for i, gi := range g {
		v := float64(gi)
		a.first[i] = beta1*a.first[i] + (1-beta1)*v
		a.second[i] = beta2*a.second[i] + (1-beta2)*v*v
		x[i] = float32(min(1, max(0, float64(x[i])-rate*a.first[i]/c1/(math.Sqrt(a.second[i]/c2)+1e-8))))
	}
}
