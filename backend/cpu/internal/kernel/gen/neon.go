package main

import (
	"fmt"
	"strings"
)

// neon writes Go assembly for arm64. General registers are handed out once a kernel; R16 to R18 and R26 to R30
// belong to the linker, the platform, the assembler and Go's runtime.
type neon struct {
	isa
	text, stubs strings.Builder
	general     int // how many general registers the kernel has
	pinned      int // vector registers from 0 that stay what they are
	next        int // the temporary to hand out next
	owner       [32]int
	values      int
}

// vec is a value in a vector register.
type vec struct {
	reg, value int
	loaded     bool // fresh from memory: nobody else's
}

func (n *neon) line(format string, args ...any) { fmt.Fprintf(&n.text, "\t"+format+"\n", args...) }

func (n *neon) label(name string) { fmt.Fprintf(&n.text, "%s:\n", name) }

// start opens a kernel and returns the register with its argument pointer.
func (n *neon) start(name string) string {
	n.general, n.pinned, n.next = 0, 0, 0
	fmt.Fprintf(&n.text, "\n// func %s(a *byte)\nTEXT ·%s(SB), NOSPLIT, $0-8\n", name, name)
	fmt.Fprintf(&n.stubs, "\n//go:noescape\nfunc %s(a *byte)\n", name)
	a := n.gp()
	n.line("MOVD a+0(FP), %s", a)
	return a
}

// gp hands out a general register.
func (n *neon) gp() string {
	r := n.general
	if r > 15 {
		r += 3
	}
	if r > 25 {
		panic("no general register is left")
	}
	n.general++
	return fmt.Sprintf("R%d", r)
}

func (n *neon) gps(count int) []string {
	r := make([]string, count)
	for i := range r {
		r[i] = n.gp()
	}
	return r
}

func (n *neon) field(a string, off int) string {
	r := n.gp()
	n.line("MOVD %d(%s), %s", off, a, r)
	return r
}

func (n *neon) own(reg int) vec {
	n.values++
	n.owner[reg] = n.values
	return vec{reg: reg, value: n.values}
}

// pin hands out count neighbouring registers for good, or until unpin.
func (n *neon) pin(count int) []vec {
	v := make([]vec, count)
	for i := range v {
		if n.pinned == n.regs {
			panic("no vector register is left")
		}
		v[i] = n.own(n.pinned)
		n.pinned++
	}
	n.next = n.pinned
	return v
}

func (n *neon) unpin(pinned int) { n.pinned, n.next = pinned, pinned }

// temp hands out the registers that are not pinned in turn. A value that lives longer than a round is lost: at finds
// out.
func (n *neon) temp() vec {
	if n.next == n.regs {
		n.next = n.pinned
	}
	n.next++
	return n.own(n.next - 1)
}

// at returns the register of v.
func (n *neon) at(v vec) int {
	if n.owner[v.reg] != v.value {
		panic(fmt.Sprintf("V%d holds another value by now", v.reg))
	}
	return v.reg
}

// list names neighbouring registers, as loads and stores of several take them.
func (n *neon) list(vs []vec, shape string) string {
	s := make([]string, len(vs))
	for i, v := range vs {
		s[i] = fmt.Sprintf("V%d.%s", n.at(v), shape)
		if v.reg != vs[0].reg+i {
			panic("registers are no neighbours")
		}
	}
	return "[" + strings.Join(s, ", ") + "]"
}

// word writes an instruction that Go's assembler does not know, in GNU's words beside it.
func (n *neon) word(code uint32, format string, args ...any) {
	n.line("WORD $0x%08X // "+format, append([]any{code}, args...)...)
}

// three writes an instruction of two sources and a destination, all of four floats.
func (n *neon) three(name string, code uint32, a, b, to vec) {
	d, x, y := n.at(to), n.at(a), n.at(b)
	n.word(code|uint32(y<<16|x<<5|d), "%s v%d.4s, v%d.4s, v%d.4s", name, d, x, y)
}

const (
	faddCode  = 0x4E20D400
	fsubCode  = 0x4EA0D400
	fmulCode  = 0x6E20DC00
	fmlaCode  = 0x4F801000 // by element
	fmaxCode  = 0x4E20F400
	fcmgeCode = 0x6EA0C800 // with 0
	ldrCode   = 0x3CE06800 // 16 bytes at a register and another
	strCode   = 0x3CA06800
)

// fmaLane adds a times element lane of b.
func (n *neon) fmaLane(a, b vec, lane int, to vec) {
	d, x, y := n.at(to), n.at(a), n.at(b)
	n.word(fmlaCode|uint32(lane&1<<21|y<<16|lane>>1<<11|x<<5|d), "fmla v%d.4s, v%d.4s, v%d.s[%d]", d, x, y, lane)
}

func (n *neon) copy(v vec) vec {
	if v.loaded {
		return v
	}
	r := n.temp()
	n.line("VMOV V%d.B16, V%d.B16", n.at(v), r.reg)
	return r
}

func (n *neon) add(a, b vec) vec { r := n.temp(); n.three("fadd", faddCode, a, b, r); return r }
func (n *neon) sub(a, b vec) vec { r := n.temp(); n.three("fsub", fsubCode, a, b, r); return r }
func (n *neon) mul(a, b vec) vec { r := n.temp(); n.three("fmul", fmulCode, a, b, r); return r }
func (n *neon) addTo(v, to vec)  { n.three("fadd", faddCode, to, v, to) }
func (n *neon) subTo(v, to vec)  { n.three("fsub", fsubCode, to, v, to) }
func (n *neon) fmaTo(a, b, to vec) {
	n.line("VFMLA V%d.S4, V%d.S4, V%d.S4", n.at(b), n.at(a), n.at(to))
}

func (n *neon) relu(v, zero vec) vec { r := n.temp(); n.three("fmax", fmaxCode, v, zero, r); return r }

func (n *neon) keep(v, where, _ vec) vec {
	r, x := n.temp(), n.at(where)
	n.word(fcmgeCode|uint32(x<<5|r.reg), "fcmge v%d.4s, v%d.4s, #0", r.reg, x)
	n.line("VAND V%d.B16, V%d.B16, V%d.B16", n.at(v), r.reg, r.reg)
	return r
}

// clear sets registers to 0.
func (n *neon) clear(vs []vec) {
	for _, v := range vs {
		r := n.at(v)
		n.line("VEOR V%d.B16, V%d.B16, V%d.B16", r, r, r)
	}
}

// loadPair loads 32 bytes into two registers.
func (n *neon) loadPair(base string, off int, a, b vec) {
	n.line("FLDPQ %d(%s), (F%d, F%d)", off, base, n.at(a), n.at(b))
}

func (n *neon) storePair(a, b vec, base string, off int) {
	n.line("FSTPQ (F%d, F%d), %d(%s)", n.at(a), n.at(b), off, base)
}

// repeat ends a loop: it counts down and goes back to the label until the count is 0.
func (n *neon) repeat(count, label string) {
	n.line("SUBS $1, %s", count)
	n.line("BNE %s", label)
}

// neonKernels returns the assembly of all kernels and their declarations in Go.
func neonKernels() (text, stubs string) {
	n := &neon{isa: neonSet}
	for _, p := range n.convPixels(1) {
		n.conv(p)
	}
	for _, r := range n.convPixels(1) {
		n.product(r)
	}
	n.winograd()
	for _, t := range n.weightGradTiles() {
		n.weightGrad(t[1])
	}
	n.channelKernels()
	n.flatKernels()
	n.peak()
	const first = "// Code generated by command: go run . DO NOT EDIT.\n\n//go:build arm64\n\n"
	return first + "#include \"textflag.h\"\n" + n.text.String(), first + "package kernel\n" + n.stubs.String()
}
