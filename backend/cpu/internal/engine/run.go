package engine

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
	"unsafe"

	"github.com/unpoison/unpoison/backend/cpu/internal/kernel"
)

// Program is a compiled graph. Run may be called from several goroutines; the runs take turns.
type Program struct {
	Inputs, Outputs []Shape
	Names           []string // of the inputs
	Threads         int      // that a run uses; 0: GOMAXPROCS

	levels  []*level
	arena   []byte
	consts  []unsafe.Pointer
	scratch int

	mu      sync.Mutex
	bufs    [2][]unsafe.Pointer // inputs, outputs of the run in progress
	workers []*worker
	job     job
	times   map[*Node]time.Duration // if set, runs are serial and add each node's time
}

// worker holds the memory that one goroutine computes with. Its argument structs live here since
// the kernels are called through function values.
type worker struct {
	row  int // first row of the call in progress
	conv kernel.ConvArgs
	grad kernel.WeightGradArgs

	transform kernel.WinogradArgs
	lines     kernel.LineArgs
	product   kernel.ProductArgs
	positions []float32

	args    kernel.Args
	coef    [3 * kernel.Group]float32
	sums    [2 * kernel.Group]float32
	f32     []float32
	wideBuf []float32
	f64     []float64
	scratch []byte
	dimsBuf [2][]int
	in      []unsafe.Pointer
}

// float32s returns n floats of any content; the next call may return the same.
func (w *worker) float32s(n int) []float32 {
	if cap(w.f32) < n {
		w.f32 = make([]float32, n)
	}
	return w.f32[:n]
}

// wide returns n floats of any content, apart from those of float32s.
func (w *worker) wide(n int) []float32 {
	if cap(w.wideBuf) < n {
		w.wideBuf = make([]float32, n)
	}
	return w.wideBuf[:n]
}

// atPositions returns n floats of any content for Winograd's positions.
func (w *worker) atPositions(n int) []float32 {
	if cap(w.positions) < n {
		w.positions = make([]float32, n)
	}
	return w.positions[:n]
}

// float64s returns n zeros; the next call may return the same memory.
func (w *worker) float64s(n int) []float64 {
	if cap(w.f64) < n {
		w.f64 = make([]float64, n)
	}
	clear(w.f64[:n])
	return w.f64[:n]
}

// step is a node of a stage, or a whole node, with its operands found.
type step struct {
	node  *Node
	in    []ref
	out   ref
	parts *interval
}

// ref finds an operand: kind and offset, and how far it moves a row.
type ref struct {
	kind     placeKind
	index    int
	offset   int
	rowBytes int
}

// Compile rewrites, schedules and plans the graph, which must not be used afterwards.
func (g *Graph) Compile(outputs []*Node) (*Program, error) {
	p := &Program{}
	p.job = job{program: p, done: make(chan struct{}, 1)}
	for _, n := range g.params {
		p.Inputs = append(p.Inputs, n.Shape)
		p.Names = append(p.Names, n.Name)
	}
	for _, o := range outputs {
		p.Outputs = append(p.Outputs, o.Shape)
	}
	outputs = g.rewrite(outputs)
	outputs = g.ownOutputs(outputs)
	var err error
	if p.levels, err = g.schedule(); err != nil {
		return nil, err
	}
	var arena int
	arena, p.scratch = g.plan(p.levels, outputs)
	if arena >= 4*hugePage {
		debug.FreeOSMemory() // an earlier program's arena may be garbage by now: two need not be there at once
	}
	p.arena = aligned(arena)
	for _, n := range g.nodes {
		if n.Op == OpConst {
			p.consts = append(p.consts, ptrOf(g.consts[n]))
		}
	}
	for i, l := range p.levels {
		for _, s := range l.stages {
			for k := range s.steps {
				st := &s.steps[k]
				st.find(st.node)
			}
		}
		l.divide(i%2 == 1)
	}
	return p, nil
}

// ownOutputs gives every output a node of its own that can be computed straight into its buffer.
func (g *Graph) ownOutputs(outputs []*Node) []*Node {
	taken := map[*Node]bool{}
	out := make([]*Node, len(outputs))
	for i, o := range outputs {
		b, off := base(o)
		if off == 0 && b.Op != OpParam && b.Op != OpConst && b.Shape.Size() == o.Shape.Size() && !taken[b] {
			taken[b] = true
			out[i] = b
			continue
		}
		out[i] = g.Add(OpCopy, o.Shape, nil, o)
		taken[out[i]] = true
	}
	return out
}

const hugePage = 2 << 20

func aligned(n int) []byte {
	if n == 0 {
		return nil
	}
	to := align
	if n >= 4*hugePage {
		to = hugePage
	}
	b := make([]byte, n+to)
	skip := int(-uintptr(ptrOf(b)) & uintptr(to-1))
	b = b[skip : skip+n]
	if to == hugePage {
		hugePages(b[:n&^(hugePage-1)])
	}
	return b
}

func (s *step) find(n *Node) {
	s.node = n
	for i, in := range n.In {
		b, off := base(in)
		r := ref{b.place.kind, b.place.index, b.place.offset + off, 0}
		if n.rowIn[i] {
			r.rowBytes = in.Shape.rowSize() * in.Shape.Type.Size()
		}
		s.in = append(s.in, r)
	}
	s.out = ref{kind: n.place.kind, index: n.place.index, offset: n.place.offset}
	if n.class == classRow {
		s.out.rowBytes = n.Shape.rowSize() * n.Shape.Type.Size()
	}
}

func (p *Program) at(r *ref, w *worker, row int) unsafe.Pointer {
	var b unsafe.Pointer
	switch r.kind {
	case inParam:
		b = p.bufs[0][r.index]
	case inOutput:
		b = p.bufs[1][r.index]
	case inConst:
		b = p.consts[r.index]
	case inArena:
		b = ptrOf(p.arena)
	case inScratch:
		return unsafe.Add(ptrOf(w.scratch), r.offset)
	}
	return unsafe.Add(b, r.offset+row*r.rowBytes)
}

// Run computes the outputs. inputs and outputs point to the elements, in the order of Inputs and
// Outputs; outputs must not overlap inputs.
func (p *Program) Run(inputs, outputs []unsafe.Pointer) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(inputs) != len(p.Inputs) || len(outputs) != len(p.Outputs) {
		return fmt.Errorf("the program takes %d inputs and %d outputs, got %d and %d", len(p.Inputs), len(p.Outputs), len(inputs), len(outputs))
	}
	p.bufs = [2][]unsafe.Pointer{inputs, outputs}
	defer func() { p.bufs = [2][]unsafe.Pointer{} }()
	threads := runtime.GOMAXPROCS(0)
	if p.Threads > 0 {
		threads = min(threads, p.Threads)
	}
	for len(p.workers) < threads {
		p.workers = append(p.workers, &worker{scratch: aligned(p.scratch)})
	}
	for _, l := range p.levels {
		for _, n := range l.whole {
			p.whole(n)
		}
		p.perform(l.loops, threads)
		p.perform(l.joins, threads)
	}
	return nil
}

func (p *Program) whole(n *Node) {
	w := p.workers[0]
	w.row = 0
	w.in = w.in[:0]
	for _, in := range n.In {
		b, off := base(in)
		r := ref{kind: b.place.kind, index: b.place.index, offset: b.place.offset + off}
		w.in = append(w.in, p.at(&r, w, 0))
	}
	rows := 1
	if n.Shape.Rank() > 0 {
		rows = n.Shape.Dims[0]
	}
	out := ref{kind: n.place.kind, index: n.place.index, offset: n.place.offset}
	start := p.now()
	n.fn(w, p.at(&out, w, 0), w.in, rows)
	p.clock(n, start)
}

func (p *Program) now() time.Time {
	if p.times == nil {
		return time.Time{}
	}
	return time.Now()
}

func (p *Program) clock(n *Node, start time.Time) {
	if p.times != nil {
		p.times[n] += time.Since(start)
	}
}

// perform does tasks that don't depend on each other.
func (p *Program) perform(t tasks, threads int) {
	if threads > 1 && t.shared && p.times == nil {
		p.job.share(min(threads, len(t.list)), t)
		return
	}
	for i := range t.list {
		p.do(p.workers[0], &t.list[i])
	}
}

func (p *Program) do(w *worker, t *task) {
	if st := t.step; st != nil {
		st.node.red.join(w, p.at(&st.out, nil, 0), unsafe.Add(ptrOf(p.arena), st.parts.offset), t.stage.chunks, t.lo, t.hi)
		return
	}
	for c := t.lo; c < t.hi; c += t.stage.group {
		p.chunks(t.stage, w, c, min(c+t.stage.group, t.hi))
	}
}

// chunks runs all steps of a stage on the rows of chunks [first,last): a tile at a time, or on all of a group at once.
func (p *Program) chunks(s *stage, w *worker, first, last int) {
	lo, hi := first*s.chunk, min(last*s.chunk, s.extent)
	for i := range s.steps {
		if st := &s.steps[i]; st.parts != nil {
			size := st.node.red.bytes
			clear(slice[byte](unsafe.Add(ptrOf(p.arena), st.parts.offset+first*size), (last-first)*size))
		}
	}
	most := s.rows()
	for row := lo; row < hi; row += most {
		rows := min(most, hi-row)
		for i := range s.steps {
			st := &s.steps[i]
			start := p.now()
			if st.parts != nil {
				for at := row; at < row+rows; at += s.tile { // of a group, a tile is a chunk
					p.add(s, st, w, row, at, min(s.tile, row+rows-at))
				}
			} else {
				w.row, w.in = row, w.in[:0]
				for k := range st.in {
					w.in = append(w.in, p.at(&st.in[k], w, row))
				}
				st.node.fn(w, p.at(&st.out, w, row), w.in, rows)
			}
			p.clock(st.node, start)
		}
	}
}

// add adds rows from at on to their chunk's part of a sum; what lies in scratch begins with row first.
func (p *Program) add(s *stage, st *step, w *worker, first, at, rows int) {
	w.row, w.in = at, w.in[:0]
	for k := range st.in {
		r := &st.in[k]
		x := p.at(r, w, at)
		if r.kind == inScratch {
			x = unsafe.Add(x, (at-first)*r.rowBytes)
		}
		w.in = append(w.in, x)
	}
	red := st.node.red
	red.add(w, unsafe.Add(ptrOf(p.arena), st.parts.offset+at/s.chunk*red.bytes), w.in, rows)
}
