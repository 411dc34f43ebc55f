package kernel

import (
	"fmt"
	"os"
	"strings"
	"unsafe"
)

type raw = func(a *byte)

// Set is one instruction set's kernels.
type Set struct {
	Name string
	// conv[b][p] computes p pixels of 16·b channels. Where there is none for one pixel, that for two computes it twice.
	conv [3][]raw
	tile []Tile
	// product[b][r] multiplies r rows with 16·b columns.
	product [3][]raw

	// Winograd says whether convolutions are faster through the transforms and Product.
	Winograd                                    bool
	winogradInput, winogradGrad, winogradOutput raw
	winogradLineIn, winogradLineOut             raw

	affine, affineRelu, affine2, affine2Add, affineMask raw
	sum, sumSquares, gradSums                           raw
	add, sub, mul, addScalar, mulScalar, relu, reluGrad raw

	// peak multiplies and adds a.Count times to peakSums sums, without memory; nil if the set can't.
	peak     raw
	peakSums int
}

// Tile is a weight-gradient kernel: Cols kernel columns × Channels input channels × 16·Blocks
// output channels.
type Tile struct {
	Cols, Channels, Blocks int
	run                    raw
}

// Run adds the tile's sums to the gradient.
func (t *Tile) Run(a *WeightGradArgs) { t.run((*byte)(unsafe.Pointer(a))) }

// Active is the set in use: the best that the processor has, or what UNPOISON_CPU names, if it has that.
var Active, asked = choose(os.Getenv("UNPOISON_CPU"))

// Asked returns an error if UNPOISON_CPU names no set that this processor has.
func Asked() error { return asked }

// Sets lists what this processor can run, best first; the last is generic.
func Sets() []*Set { return append(native(), &generic) }

func choose(name string) (*Set, error) {
	sets := Sets()
	var names []string
	for _, s := range sets {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	if name != "" {
		return sets[0], fmt.Errorf("UNPOISON_CPU=%s: expected one of this processor's instruction sets, %s", name, strings.Join(names, ", "))
	}
	return sets[0], nil
}

// part returns how many of those left one kernel does, of which it can do most.
func part(left, most int) int {
	if left > most && left < 2*most { // two even parts rather than a full and a thin one
		return (left + 1) / 2
	}
	return min(left, most)
}

// Conv computes pixels output pixels of 16·blocks channels; pixels may exceed what one kernel does.
func (s *Set) Conv(a *ConvArgs, blocks, pixels int) {
	ks := s.conv[blocks]
	for pixels > 0 {
		p := part(pixels, len(ks)-1)
		if p == 1 && ks[1] == nil { // the only pixel: part leaves no thin one
			p, pixels, a.InPix, a.OutPix = 2, 2, 0, 0
		}
		ks[p]((*byte)(unsafe.Pointer(a)))
		if pixels -= p; pixels == 0 {
			return // a pointer past the end must not outlive the call: the collector would follow it
		}
		a.Out = unsafe.Add(a.Out, p*a.OutPix)
		a.In = unsafe.Add(a.In, p*a.InPix)
	}
}

// Product multiplies rows of a's inputs, 16·blocks columns; rows may exceed what one kernel does. a.InNext and
// a.OutNext count from the last of the rows of one kernel: Product sets them from the distances of the positions.
func (s *Set) Product(a *ProductArgs, blocks, rows, inPosition, outPosition int) {
	ks := s.product[blocks]
	most := len(ks) - 1
	out, in, w := a.Out, a.In, a.Weight
	for first := 0; first < rows; {
		r := part(rows-first, most)
		if r == 1 && ks[1] == nil {
			r, a.InRow, a.OutRow = 2, 0, 0
		}
		a.Out, a.In, a.Weight = unsafe.Add(out, first*a.OutRow), unsafe.Add(in, first*a.InRow), w
		a.InNext, a.OutNext = inPosition-4*a.Channels, outPosition-(r-1)*a.OutRow
		ks[r]((*byte)(unsafe.Pointer(a)))
		first += r
	}
}

// WinogradInput transforms 4×4 pixels a tile to positions.
func (s *Set) WinogradInput(a *WinogradArgs) { s.winogradInput((*byte)(unsafe.Pointer(a))) }

// WinogradGrad transforms 2×2 gradients of outputs to positions.
func (s *Set) WinogradGrad(a *WinogradArgs) { s.winogradGrad((*byte)(unsafe.Pointer(a))) }

// WinogradOutput transforms positions to 2×2 pixels.
func (s *Set) WinogradOutput(a *WinogradArgs) { s.winogradOutput((*byte)(unsafe.Pointer(a))) }

// WinogradLineIn transforms six values to six positions of F(4, 3).
func (s *Set) WinogradLineIn(a *LineArgs) { s.winogradLineIn((*byte)(unsafe.Pointer(a))) }

// WinogradLineOut transforms six positions of F(4, 3) to four values.
func (s *Set) WinogradLineOut(a *LineArgs) { s.winogradLineOut((*byte)(unsafe.Pointer(a))) }

// Blocks returns the widest channel block (in units of 16 channels) for channels, a multiple of 16.
func (s *Set) Blocks(channels int) int {
	if channels >= 32 && len(s.conv[2]) > 1 {
		return 2
	}
	return 1
}

// Tiles lists the shapes that the weight gradient is computed in. The smallest is of one kernel column and one block.
func (s *Set) Tiles() []Tile { return s.tile }

func call(f raw, a *Args) {
	if a.Count > 0 {
		f((*byte)(unsafe.Pointer(a)))
	}
}

// Affine computes dst = c0·src0 + c1.
func (s *Set) Affine(a *Args) { call(s.affine, a) }

// AffineRelu computes dst = max(0, c0·src0 + c1), NaN for NaN.
func (s *Set) AffineRelu(a *Args) { call(s.affineRelu, a) }

// Affine2 computes dst = c0·src0 + c1·src1 + c2.
func (s *Set) Affine2(a *Args) { call(s.affine2, a) }

// Affine2Add computes dst = c0·src0 + c1·src1 + c2 + src2.
func (s *Set) Affine2Add(a *Args) { call(s.affine2Add, a) }

// AffineMask computes dst = src0 where c0·src1 + c1 ≥ 0, else 0.
func (s *Set) AffineMask(a *Args) { call(s.affineMask, a) }

// Sum computes sums0 += src0.
func (s *Set) Sum(a *Args) { call(s.sum, a) }

// SumSquares computes sums0 += (src0 − c0)².
func (s *Set) SumSquares(a *Args) { call(s.sumSquares, a) }

// GradSums computes sums0 += src0, sums1 += src0·(src1 − c0).
func (s *Set) GradSums(a *Args) { call(s.gradSums, a) }

// Add computes dst = src0 + src1; Stride is not used by the flat kernels.
func (s *Set) Add(a *Args) { call(s.add, a) }

// Sub computes dst = src0 − src1.
func (s *Set) Sub(a *Args) { call(s.sub, a) }

// Mul computes dst = src0 · src1.
func (s *Set) Mul(a *Args) { call(s.mul, a) }

// AddScalar computes dst = src0 + c0.
func (s *Set) AddScalar(a *Args) { call(s.addScalar, a) }

// MulScalar computes dst = src0 · c0.
func (s *Set) MulScalar(a *Args) { call(s.mulScalar, a) }

// Relu computes dst = max(0, src0), NaN for NaN.
func (s *Set) Relu(a *Args) { call(s.relu, a) }

// ReluGrad computes dst = src0 where src1 ≥ 0, else 0.
func (s *Set) ReluGrad(a *Args) { call(s.reluGrad, a) }
