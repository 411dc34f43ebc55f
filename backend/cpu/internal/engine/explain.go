package engine

import (
	"fmt"
	"strings"
	"time"
	"unsafe"

	"github.com/unpoison/unpoison/backend/cpu/internal/kernel"
)

// flops returns the multiplications and additions of a convolution or weight gradient, 0 for others.
func (n *Node) flops() int {
	p, ok := n.Attr.(*convPlan)
	if !ok {
		return 0
	}
	taps := 0 // over all output pixels
	for _, ph := range p.phases {
		taps += ph.ny * ph.nx * len(ph.taps)
	}
	return 2 * n.extent() * taps * p.c * p.o
}

// executed returns how many of flops are really done: Winograd's way takes 16 multiplications instead of 36, or 36
// instead of 144, and the additions of its transforms are not counted.
func (n *Node) executed() int {
	if p, ok := n.Attr.(*convPlan); ok && p.wino > 0 {
		return n.flops() * p.positions() / (9 * p.wino * p.wino)
	}
	return n.flops()
}

// Arithmetic returns how many multiplications and additions of convolutions, linear layers and their gradients a run
// does.
func (p *Program) Arithmetic() float64 {
	sum := 0
	for _, l := range p.levels {
		for _, n := range l.whole {
			sum += n.executed()
		}
		for _, s := range l.stages {
			for _, n := range s.nodes {
				sum += n.executed()
			}
		}
	}
	return float64(sum)
}

// Explain runs the program once to warm up and rounds times on one worker, and describes it as a table: per
// level the whole nodes and the loops, per node its shape, bytes, floating-point operations of a direct convolution, time
// a run, speed, and the share of the core's peak that what is really multiplied and added takes.
func (p *Program) Explain(inputs, outputs []unsafe.Pointer, rounds int) (string, error) {
	if err := p.Run(inputs, outputs); err != nil {
		return "", err
	}
	p.mu.Lock()
	p.times = map[*Node]time.Duration{}
	p.mu.Unlock()
	for range rounds {
		if err := p.Run(inputs, outputs); err != nil {
			return "", err
		}
	}
	p.mu.Lock()
	times := p.times
	p.times = nil
	p.mu.Unlock()

	var b strings.Builder
	var total time.Duration
	totalFlops := 0
	fmt.Fprintf(&b, "%-22s %-24s %9s %9s %9s %8s %6s\n", "node", "shape", "KB", "MFLOP", "ms", "GFLOP/s", "peak %")
	peak := kernel.Active.Peak()
	line := func(n *Node) {
		t := times[n] / time.Duration(rounds)
		f := n.flops()
		total += t
		totalFlops += f
		speed, share := "", ""
		if f > 0 && t > 0 {
			speed = fmt.Sprintf("%.0f", float64(f)/t.Seconds()/1e9)
			share = fmt.Sprintf("%.0f", 100*float64(n.executed())/t.Seconds()/peak)
		}
		fmt.Fprintf(&b, "  %-20s %-24s %9.1f %9.1f %9.3f %8s %6s\n", fmt.Sprintf("%%%d %s", n.ID, n.Op), n.Shape, float64(n.Shape.Bytes())/1024, float64(f)/1e6, t.Seconds()*1e3, speed, share)
	}
	for i, l := range p.levels {
		fmt.Fprintf(&b, "level %d\n", i)
		for _, n := range l.whole {
			line(n)
		}
		for _, s := range l.stages {
			fmt.Fprintf(&b, " loop over %d rows in %d chunks, %d at a time\n", s.extent, s.chunks, s.rows())
			for _, n := range s.nodes {
				line(n)
			}
		}
	}
	fmt.Fprintf(&b, "arena %.1f MB, scratch a worker %.1f MB, %.0f MFLOP, %.1f ms on one worker, peak %.0f GFLOP/s\n",
		float64(len(p.arena))/(1<<20), float64(p.scratch)/(1<<20), float64(totalFlops)/1e6, total.Seconds()*1e3, peak/1e9)
	return b.String(), nil
}
