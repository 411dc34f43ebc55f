package engine

import "slices"

// level is a step of the program: whole nodes in order, then all chunks of its stages in any order, then
// the sums that they make. What a level reads was made in an earlier one or by its whole nodes; a stage
// reads nothing of another's in its level.
type level struct {
	whole        []*Node
	stages       []*stage
	loops, joins tasks
}

// tasks are pieces of work that don't depend on each other.
type tasks struct {
	list      []task
	shared    bool // there is enough to do for several goroutines
	from, to  int  // those of the largest loop, in the order of its rows
	backwards bool // or in the opposite order
}

// stage is one loop over rows in which several nodes run in turn.
type stage struct {
	extent int
	nodes  []*Node

	chunk, chunks int // rows a part of the reductions, number of parts
	tile          int // rows at a time
	group         int // chunks at a time; if more than one, tile is a chunk
	cost          int // elements computed and summed
	steps         []step
}

// rows returns how many rows a step takes at a time.
func (s *stage) rows() int {
	if s.group > 1 {
		return s.group * s.chunk
	}
	return s.tile
}

// divide makes the level's tasks, the largest first: small ones at the end keep all busy until it. Every other
// level goes backwards: what the one before wrote last is then still in the cache.
func (l *level) divide(backwards bool) {
	order := slices.Clone(l.stages)
	slices.SortStableFunc(order, func(a, b *stage) int { return b.cost/b.chunks*b.group - a.cost/a.chunks*a.group })
	l.loops.backwards = backwards
	bytes, most := 0, 0
	for _, s := range order {
		switch {
		case s.cost < serialCost:
			l.loops.list = append(l.loops.list, task{stage: s, hi: s.chunks})
		default:
			l.loops.shared = true
			groups := (s.chunks + s.group - 1) / s.group
			for g := range groups {
				if backwards {
					g = groups - 1 - g
				}
				l.loops.list = append(l.loops.list, task{stage: s, lo: g * s.group, hi: min((g+1)*s.group, s.chunks)})
			}
			if s.cost > most {
				most = s.cost
				l.loops.to = len(l.loops.list)
				l.loops.from = l.loops.to - groups
			}
		}
		for i := range s.steps {
			st := &s.steps[i]
			if st.parts == nil {
				continue
			}
			red := st.node.red
			all := s.chunks * red.bytes
			bytes += all
			pieces := max(1, min(all/joinBytes, red.split))
			for k := range pieces {
				l.joins.list = append(l.joins.list, task{s, st, k * red.split / pieces, (k + 1) * red.split / pieces})
			}
		}
	}
	l.joins.shared = bytes >= 2*joinBytes
}

// schedule gives every node a level and returns the program in order.
func (g *Graph) schedule() ([]*level, error) {
	for _, n := range g.nodes {
		if err := build(n); err != nil {
			return nil, err
		}
	}
	for _, n := range g.nodes {
		n.level = g.levelOf(n)
	}
	if err := g.recompute(); err != nil {
		return nil, err
	}
	var levels []*level
	for _, n := range g.nodes {
		if n.class == classLeaf || n.class == classView {
			continue
		}
		for len(levels) <= n.level {
			levels = append(levels, &level{})
		}
		l := levels[n.level]
		if n.class == classWhole {
			l.whole = append(l.whole, n)
			continue
		}
		i := slices.IndexFunc(l.stages, func(s *stage) bool { return s.extent == n.extent() })
		if i < 0 {
			i = len(l.stages)
			l.stages = append(l.stages, &stage{extent: n.extent()})
		}
		l.stages[i].nodes = append(l.stages[i].nodes, n)
	}
	return levels, nil
}

func (g *Graph) levelOf(n *Node) int {
	if n.class == classLeaf || n.class == classView {
		return 0
	}
	lv := 0
	for i, in := range n.In {
		b, _ := base(in)
		switch b.class {
		case classLeaf:
		case classWhole:
			lv = max(lv, b.level) // whole nodes of a level run before its loops
		case classRow:
			if _, ok := n.rowSource(i); ok {
				lv = max(lv, b.level)
			} else {
				lv = max(lv, b.level+1)
			}
		default:
			lv = max(lv, b.level+1)
		}
	}
	return lv
}

// recompute copies cheap nodes into every later level that reads them, so that only their input is
// kept: in training, the backward pass applies batch norm and ReLU again instead of storing them.
func (g *Graph) recompute() error {
	type key struct {
		n     *Node
		level int
	}
	copies := map[key]*Node{}
	var nodes []*Node
	for _, n := range g.nodes {
		for i := range n.In {
			b, ok := n.rowSource(i)
			if !ok || !b.cheap() || b.level == n.level {
				continue
			}
			k := key{b, n.level}
			c := copies[k]
			if c == nil {
				c = &Node{Op: b.Op, Shape: b.Shape, Attr: b.Attr, In: b.In, level: n.level}
				if err := build(c); err != nil {
					return err
				}
				copies[k] = c
				nodes = append(nodes, c)
			}
			if n.In[i] == b {
				n.In[i] = c
				continue
			}
			v := &Node{Op: OpView, Shape: n.In[i].Shape, Attr: 0, In: []*Node{c}, class: classView}
			nodes = append(nodes, v)
			n.In[i] = v
		}
		nodes = append(nodes, n)
	}
	for i, n := range nodes {
		n.ID = i
	}
	g.nodes = nodes
	return nil
}
