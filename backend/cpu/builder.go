package cpu

import (
	"reflect"
	"slices"
	"unsafe"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/notimplemented"
	"github.com/gomlx/gomlx/backends/shapeinference"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/pkg/errors"

	"github.com/unpoison/unpoison/backend/cpu/internal/engine"
)

// The operations that the engine does not have; GoMLX reports them by name.
var unsupported = map[backends.OpType]bool{
	backends.OpTypeInvalid: true,
	backends.OpTypeComplex: true, backends.OpTypeConj: true, backends.OpTypeReal: true, backends.OpTypeImag: true,
	backends.OpTypeFFT: true, backends.OpTypeAllReduce: true, backends.OpTypeCollectiveBroadcast: true, backends.OpTypeAllGather: true,
	backends.OpTypeSelectAndScatterSum: true,
	backends.OpTypeEqualTotalOrder:     true, backends.OpTypeNotEqualTotalOrder: true, backends.OpTypeLessThanTotalOrder: true,
	backends.OpTypeLessOrEqualTotalOrder: true, backends.OpTypeGreaterThanTotalOrder: true, backends.OpTypeGreaterOrEqualTotalOrder: true,
}

// op is a node with the shape as GoMLX sees it.
type op struct {
	node  *engine.Node
	shape shapes.Shape
	owner *builder
}

// builder captures a computation. It embeds the refusal of everything that it does not implement.
type builder struct {
	notimplemented.Builder
	backend *Backend
	name    string
	graph   *engine.Graph
	inputs  []shapes.Shape
	done    bool
}

var _ backends.Builder = (*builder)(nil)

func newBuilder(b *Backend, name string) *builder {
	return &builder{
		Builder: notimplemented.Builder{ErrFn: func(op backends.OpType) error {
			return errors.Errorf("backend %s does not support the operation %s", Name, op)
		}},
		backend: b, name: name, graph: engine.NewGraph(),
	}
}

// Name implements backends.Builder.
func (b *builder) Name() string { return b.name }

// OpShape implements backends.Builder.
func (b *builder) OpShape(x backends.Op) (shapes.Shape, error) {
	o, err := b.own(x)
	if err != nil {
		return shapes.Invalid(), err
	}
	return o.shape, nil
}

func (b *builder) own(x backends.Op) (*op, error) {
	o, ok := x.(*op)
	if !ok || o == nil || o.owner != b {
		return nil, errors.Errorf("%T is no operation of this computation (%s)", x, b.name)
	}
	if b.done {
		return nil, errors.Errorf("computation %s is compiled already", b.name)
	}
	return o, nil
}

func (b *builder) ownAll(xs ...backends.Op) ([]*op, error) {
	ops := make([]*op, len(xs))
	for i, x := range xs {
		o, err := b.own(x)
		if err != nil {
			return nil, err
		}
		ops[i] = o
	}
	return ops, nil
}

func toShape(s shapes.Shape) (engine.Shape, error) {
	t, ok := types[s.DType]
	if !ok {
		return engine.Shape{}, errors.Errorf("backend %s has no type %s", Name, s.DType)
	}
	return engine.Shape{Type: t, Dims: slices.Clone(s.Dimensions)}, nil
}

// add appends a node with the given GoMLX shape.
func (b *builder) add(kind engine.Op, s shapes.Shape, attr any, in ...*op) (*op, error) {
	es, err := toShape(s)
	if err != nil {
		return nil, err
	}
	nodes := make([]*engine.Node, len(in))
	for i, o := range in {
		nodes[i] = o.node
	}
	return &op{b.graph.Add(kind, es, attr, nodes...), s, b}, nil
}

// ret turns a typed nil into an untyped one.
func ret(o *op, err error) (backends.Op, error) {
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Parameter implements backends.Builder.
func (b *builder) Parameter(name string, s shapes.Shape, sharding *backends.ShardingSpec) (backends.Op, error) {
	if sharding != nil {
		return nil, errors.Errorf("backend %s has one device: no sharding", Name)
	}
	es, err := toShape(s)
	if err != nil {
		return nil, err
	}
	b.inputs = append(b.inputs, s)
	return &op{b.graph.Param(name, es), s, b}, nil
}

// Constant implements backends.Builder.
func (b *builder) Constant(flat any, dims ...int) (backends.Op, error) {
	v := reflect.ValueOf(flat)
	if v.Kind() != reflect.Slice {
		return nil, errors.Errorf("a constant needs a slice, got %T", flat)
	}
	s := shapes.Make(dtypes.FromGoType(v.Type().Elem()), dims...)
	if s.Size() != v.Len() {
		return nil, errors.Errorf("a constant of shape %s needs %d elements, got %d", s, s.Size(), v.Len())
	}
	es, err := toShape(s)
	if err != nil {
		return nil, err
	}
	data := slices.Clone(unsafe.Slice((*byte)(v.UnsafePointer()), es.Bytes()))
	return &op{b.graph.Const(es, data), s, b}, nil
}

// Compile implements backends.Builder.
func (b *builder) Compile(outputs []backends.Op, shardings []*backends.ShardingSpec) (backends.Executable, error) {
	if len(shardings) > 0 {
		return nil, errors.Errorf("backend %s has one device: no sharding", Name)
	}
	outs, err := b.ownAll(outputs...)
	if err != nil {
		return nil, err
	}
	e := &Executable{inputs: b.inputs}
	nodes := make([]*engine.Node, len(outs))
	for i, o := range outs {
		nodes[i] = o.node
		e.outputs = append(e.outputs, o.shape)
	}
	b.done = true
	if e.program, err = b.graph.Compile(nodes); err != nil {
		return nil, errors.WithMessagef(err, "compiling %s", b.name)
	}
	e.program.Threads = b.backend.threads
	return e, nil
}

func (b *builder) unary(t backends.OpType, kind engine.Op, x backends.Op) (backends.Op, error) {
	o, err := b.own(x)
	if err != nil {
		return nil, err
	}
	s, err := shapeinference.UnaryOp(t, o.shape)
	if err != nil {
		return nil, err
	}
	return ret(b.add(kind, s, nil, o))
}

// spread broadcasts o to dims where it is neither of that size nor a single element.
func (b *builder) spread(o *op, dims []int) (*op, error) {
	s := shapes.Make(o.shape.DType, dims...)
	if slices.Equal(o.shape.Dimensions, dims) || o.shape.Size() == 1 {
		return o, nil
	}
	axes := make([]int, len(dims))
	for i := range axes {
		axes[i] = i
	}
	return b.add(engine.OpBroadcast, s, engine.BroadcastAttr{Axes: axes}, o)
}

func (b *builder) binary(t backends.OpType, kind engine.Op, lhs, rhs backends.Op) (backends.Op, error) {
	return b.zip(kind, lhs, rhs, func(l, r shapes.Shape) (shapes.Shape, error) { return shapeinference.BinaryOp(t, l, r) })
}

func (b *builder) compare(t backends.OpType, kind engine.Op, lhs, rhs backends.Op) (backends.Op, error) {
	return b.zip(kind, lhs, rhs, func(l, r shapes.Shape) (shapes.Shape, error) { return shapeinference.ComparisonOp(t, l, r) })
}

func (b *builder) zip(kind engine.Op, lhs, rhs backends.Op, infer func(l, r shapes.Shape) (shapes.Shape, error)) (backends.Op, error) {
	o, err := b.ownAll(lhs, rhs)
	if err != nil {
		return nil, err
	}
	s, err := infer(o[0].shape, o[1].shape)
	if err != nil {
		return nil, err
	}
	for i := range o {
		if o[i], err = b.spread(o[i], s.Dimensions); err != nil {
			return nil, err
		}
	}
	return ret(b.add(kind, s, nil, o...))
}

func (b *builder) reduce(kind engine.Op, x backends.Op, axes []int) (backends.Op, error) {
	o, err := b.own(x)
	if err != nil {
		return nil, err
	}
	if len(axes) == 0 {
		axes = iota0(o.shape.Rank())
	}
	s, err := shapeinference.ReduceOp(o.shape, axes)
	if err != nil {
		return nil, err
	}
	s.DType = o.shape.DType
	return ret(b.add(kind, s, slices.Clone(axes), o))
}

func iota0(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func (b *builder) view(o *op, offset int, s shapes.Shape) (*op, error) {
	es, err := toShape(s)
	if err != nil {
		return nil, err
	}
	return &op{b.graph.View(o.node, es, offset), s, b}, nil
}
