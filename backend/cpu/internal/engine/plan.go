package engine

import (
	"slices"
	"unsafe"
)

type placeKind uint8

const (
	nowhere placeKind = iota
	inParam
	inConst
	inOutput
	inArena
	inScratch // a worker's own memory: it lives within one tile of one stage
)

// place is where a node's bytes lie: at an offset of the arena or the scratch, or in buffer index.
type place struct {
	kind   placeKind
	index  int
	offset int
}

const align = 64

// interval is a piece of memory needed from one time to another, both included.
type interval struct {
	from, to, bytes int
	offset          int
}

// pack gives intervals offsets such that those that overlap in time do not overlap in memory, the
// largest first, each as low as it fits. It returns the total size.
func packIntervals(items []*interval) int {
	order := slices.Clone(items)
	slices.SortStableFunc(order, func(a, b *interval) int { return b.bytes - a.bytes })
	total := 0
	var placed []*interval
	for _, it := range order {
		it.bytes = (it.bytes + align - 1) &^ (align - 1)
		var clash []*interval
		for _, p := range placed {
			if p.from <= it.to && it.from <= p.to {
				clash = append(clash, p)
			}
		}
		slices.SortFunc(clash, func(a, b *interval) int { return a.offset - b.offset })
		at := 0
		for _, p := range clash {
			if at+it.bytes <= p.offset {
				break
			}
			at = max(at, p.offset+p.bytes)
		}
		it.offset = at
		total = max(total, at+it.bytes)
		placed = append(placed, it)
	}
	return total
}

// The chunks of a loop: few enough that their parts of the sums are cheap to join, many enough to
// share evenly. They depend on the shapes alone, never on the number of workers.
const (
	minChunks   = 16        // where there are so many rows
	maxChunks   = 64        // of loops whose sums are small
	sumBytes    = 512 << 10 // of all parts of one sum together: aim for
	maxSumBytes = 64 << 20  // and at most
	tileBytes   = 64 << 10  // aim for the largest node of a tile
	cacheBytes  = 768 << 10 // of a convolution's images in a tile
	serialCost  = 1 << 15   // elements below which a loop is not worth sharing
	joinBytes   = 128 << 10 // of the parts of sums: aim for what is joined at a time
)

// plan places every node and cuts the stages into chunks and tiles.
func (g *Graph) plan(levels []*level, outputs []*Node) (arena, scratch int) {
	for i, p := range g.params {
		p.place = place{kind: inParam, index: i}
	}
	at := 0
	for _, n := range g.nodes {
		if n.Op == OpConst {
			n.place = place{kind: inConst, index: at}
			at++
		}
	}
	for i, o := range outputs {
		o.place = place{kind: inOutput, index: i}
	}
	last := map[*Node]int{}
	shared := map[*Node]bool{} // read outside its own loop
	for _, n := range g.nodes {
		if n.class == classView || n.class == classLeaf {
			continue
		}
		for i, in := range n.In {
			b, _ := base(in)
			last[b] = max(last[b], n.level)
			if _, ok := n.rowSource(i); !ok || b.level != n.level {
				shared[b] = true
			}
		}
	}
	var arenaItems []*interval
	type owner struct {
		n  *Node
		it *interval
	}
	var owners []owner
	for lv, l := range levels {
		for _, n := range l.whole {
			if n.place.kind == nowhere {
				it := &interval{from: lv, to: max(lv, last[n]), bytes: n.Shape.Bytes()}
				arenaItems = append(arenaItems, it)
				n.place.kind = inArena
				owners = append(owners, owner{n, it})
			}
		}
		for _, s := range l.stages {
			s.cut()
			var scratchItems []*interval
			var scratchOwners []owner
			for i, n := range s.nodes {
				if n.class == classReduce {
					it := &interval{from: lv, to: lv, bytes: s.chunks * n.red.bytes}
					arenaItems = append(arenaItems, it)
					s.steps = append(s.steps, step{node: n, parts: it})
				} else {
					s.steps = append(s.steps, step{node: n})
				}
				if n.place.kind != nowhere {
					continue
				}
				if n.class == classRow && !shared[n] {
					end := i
					for j := i + 1; j < len(s.nodes); j++ {
						for k := range s.nodes[j].In {
							if b, _ := base(s.nodes[j].In[k]); b == n {
								end = j
							}
						}
					}
					it := &interval{from: i, to: end, bytes: s.rows() * n.Shape.rowSize() * n.Shape.Type.Size()}
					scratchItems = append(scratchItems, it)
					n.place.kind = inScratch
					scratchOwners = append(scratchOwners, owner{n, it})
					continue
				}
				it := &interval{from: lv, to: max(lv, last[n]), bytes: n.Shape.Bytes()}
				arenaItems = append(arenaItems, it)
				n.place.kind = inArena
				owners = append(owners, owner{n, it})
			}
			scratch = max(scratch, packIntervals(scratchItems))
			for _, o := range scratchOwners {
				o.n.place.offset = o.it.offset
			}
		}
	}
	arena = packIntervals(arenaItems)
	for _, o := range owners {
		o.n.place.offset = o.it.offset
	}
	return arena, scratch
}

// cut chooses chunk and tile of a stage from the shapes of its nodes.
func (s *stage) cut() {
	biggest, part, images, heavy := 1, 1, 1, 1
	for _, n := range s.nodes {
		if p, ok := n.Attr.(*convPlan); ok {
			images = max(images, p.images())
			if p.positions()*p.c*p.op*4 > cacheBytes {
				heavy = max(heavy, p.images())
			}
		}
		for _, m := range append([]*Node{n}, n.In...) {
			if m.Shape.Rank() > 0 && m.Shape.Dims[0] == s.extent {
				biggest = max(biggest, m.Shape.rowSize()*m.Shape.Type.Size())
			}
		}
		if n.class == classReduce {
			part = max(part, n.red.bytes)
			s.cost += n.In[0].Shape.Size()
		}
		s.cost += n.Shape.Size()
	}
	most := min(maxSumBytes/part, max(minChunks, min(sumBytes/part, maxChunks)))
	chunks := max(1, min(most, s.extent))
	if s.extent > minChunks*8 && part == 1 {
		chunks = s.extent / 8
	}
	if s.cost < serialCost && part == 1 {
		chunks = 1
	}
	s.chunk = max(1, (s.extent+chunks-1)/chunks)
	s.chunks = (s.extent + s.chunk - 1) / s.chunk
	s.tile = max(1, min(s.chunk, max(images, tileBytes/biggest)))
	// Convolutions whose weights the cache does not hold take several chunks at a time, as far as enough groups are left to
	// share. The sums stay those of the chunks.
	s.group = 1
	if heavy > s.chunk {
		s.group = max(1, min((heavy+s.chunk-1)/s.chunk, s.chunks/minChunks))
	}
}

func ptrOf(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }
