package kernel

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"unsafe"
)

func floats(r *rand.Rand, n int) []float32 {
	f := make([]float32, n)
	for i := range f {
		f[i] = float32(r.NormFloat64())
	}
	return f
}

func ptr(f []float32, i int) unsafe.Pointer { return unsafe.Pointer(&f[i]) }

func near(t *testing.T, what string, got, want []float32, tol float64) {
	t.Helper()
	for i := range want {
		if d := math.Abs(float64(got[i] - want[i])); d > tol*(1+math.Abs(float64(want[i]))) {
			t.Fatalf("%s: element %d is %g, the generic kernel says %g", what, i, got[i], want[i])
		}
	}
}

func TestConvAgreesWithGeneric(t *testing.T) {
	for _, s := range Sets() {
		r := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			blocks := 1 + r.IntN(2)
			if len(s.conv[blocks]) == 0 {
				blocks = 1
			}
			pixels, cin, ntaps, step := 1+r.IntN(40), 1+r.IntN(20), 1+r.IntN(9), 1+r.IntN(3)
			cout := 16 * blocks * (1 + r.IntN(2))
			in, w := floats(r, (pixels*step+20)*cin), floats(r, ntaps*cin*cout)
			taps := make([]Tap, ntaps)
			for i := range taps {
				taps[i] = Tap{In: r.IntN(20) * cin * 4, Weight: r.IntN(ntaps) * cin * cout * 4}
			}
			out := floats(r, pixels*cout)
			want := append([]float32(nil), out...)
			args := func(o []float32) *ConvArgs {
				return &ConvArgs{
					Out: ptr(o, 0), In: ptr(in, 0), Weight: ptr(w, 0), Taps: &taps[0], Taps2: 2 * ntaps,
					InPix: step * cin * 4, OutPix: cout * 4, WeightRow: cout * 4, Accumulate: r.IntN(2), InChannels: cin,
				}
			}
			a := args(out)
			b := args(want)
			b.Accumulate = a.Accumulate
			s.Conv(a, blocks, pixels)
			for blk := range blocks {
				c := *b
				c.Out, c.Weight = unsafe.Add(b.Out, 64*blk), unsafe.Add(b.Weight, 64*blk)
				generic.Conv(&c, 1, pixels)
			}
			near(t, fmt.Sprintf("%s conv %d pixels, %d blocks", s.Name, pixels, blocks), out, want, 1e-4)
		}
	}
}

func TestWeightGradAgreesWithGeneric(t *testing.T) {
	for _, s := range Sets() {
		r := rand.New(rand.NewPCG(3, 4))
		for _, tile := range s.tile {
			for range 20 {
				rows, cols, step := 1+r.IntN(5), 1+r.IntN(9), 1+r.IntN(2)
				cin, cout := tile.Channels+r.IntN(3), 16*(tile.Blocks+r.IntN(2))
				width := cols*step + 3
				x, dy := floats(r, rows*step*width*cin), floats(r, rows*cols*cout)
				got := floats(r, 3*cin*cout)
				want := append([]float32(nil), got...)
				args := func(o []float32) *WeightGradArgs {
					return &WeightGradArgs{
						DW: ptr(o, 0), X: ptr(x, 0), DY: ptr(dy, 0), Rows: rows, Cols: cols,
						XPix: step * cin * 4, XRow: step * width * cin * 4, DYPix: cout * 4, DYRow: cols * cout * 4,
						XCol: cin * 4, DWCol: cin * cout * 4, DWInput: cout * 4,
					}
				}
				tile.run((*byte)(unsafe.Pointer(args(got))))
				genericWeightGrad(tile.Cols, tile.Channels, tile.Blocks)((*byte)(unsafe.Pointer(args(want))))
				near(t, fmt.Sprintf("%s tile %d×%d×%d", s.Name, tile.Cols, tile.Channels, tile.Blocks), got, want, 1e-4)
			}
		}
	}
}

func TestLoopsAgreeWithGeneric(t *testing.T) {
	type loop struct {
		name string
		of   func(*Set) raw
		flat bool
	}
	loops := []loop{
		{"affine", func(s *Set) raw { return s.affine }, false},
		{"affineRelu", func(s *Set) raw { return s.affineRelu }, false},
		{"affine2", func(s *Set) raw { return s.affine2 }, false},
		{"affine2Add", func(s *Set) raw { return s.affine2Add }, false},
		{"affineMask", func(s *Set) raw { return s.affineMask }, false},
		{"sum", func(s *Set) raw { return s.sum }, false},
		{"sumSquares", func(s *Set) raw { return s.sumSquares }, false},
		{"gradSums", func(s *Set) raw { return s.gradSums }, false},
		{"add", func(s *Set) raw { return s.add }, true},
		{"sub", func(s *Set) raw { return s.sub }, true},
		{"mul", func(s *Set) raw { return s.mul }, true},
		{"addScalar", func(s *Set) raw { return s.addScalar }, true},
		{"mulScalar", func(s *Set) raw { return s.mulScalar }, true},
		{"relu", func(s *Set) raw { return s.relu }, true},
		{"reluGrad", func(s *Set) raw { return s.reluGrad }, true},
	}
	for _, s := range Sets() {
		r := rand.New(rand.NewPCG(5, 6))
		for _, l := range loops {
			groups, stride := 1+r.IntN(4), Group*(1+r.IntN(2))
			if l.flat {
				stride = Group
			}
			n := groups * stride
			src := [3][]float32{floats(r, n), floats(r, n), floats(r, n)}
			co := floats(r, 3*Group)
			run := func(f raw) (dst, sums []float32) {
				dst, sums = make([]float32, n), make([]float32, max(n, 2*Group))
				a := &Args{ptr(dst, 0), ptr(src[0], 0), ptr(src[1], 0), ptr(src[2], 0), groups, stride * 4, ptr(co, 0), ptr(sums, 0)}
				f((*byte)(unsafe.Pointer(a)))
				return
			}
			d1, s1 := run(l.of(s))
			d2, s2 := run(l.of(&generic))
			near(t, s.Name+" "+l.name, d1, d2, 1e-4)
			near(t, s.Name+" "+l.name+" sums", s1, s2, 1e-4)
		}
	}
}

// TestLoopsKeepWhatIsNoNumber runs the loops that compare on numbers at the edges: NaN is no less than 0, and its ReLU
// is NaN.
func TestLoopsKeepWhatIsNoNumber(t *testing.T) {
	edges := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1)), 1, -1, math.SmallestNonzeroFloat32}
	x, v, co := make([]float32, Group), make([]float32, Group), make([]float32, 2*Group)
	for i := range x {
		x[i], v[i], co[i] = edges[i%len(edges)], float32(i+1), 1
	}
	for _, s := range Sets() {
		for _, l := range []struct {
			name string
			run  raw
			src  [2][]float32
			want func(i int) float32
		}{
			{"relu", s.relu, [2][]float32{x, x}, func(i int) float32 { return max(x[i], 0) }},
			{"affineRelu", s.affineRelu, [2][]float32{x, x}, func(i int) float32 { return max(x[i], 0) }},
			{"reluGrad", s.reluGrad, [2][]float32{v, x}, nil},
			{"affineMask", s.affineMask, [2][]float32{v, x}, nil},
		} {
			got := make([]float32, Group)
			l.run((*byte)(unsafe.Pointer(&Args{Dst: ptr(got, 0), Src0: ptr(l.src[0], 0), Src1: ptr(l.src[1], 0), Count: 1, Stride: Group * 4, Coef: ptr(co, 0)})))
			for i := range got {
				want := float32(0)
				if l.want != nil {
					want = l.want(i)
				} else if x[i] >= 0 {
					want = v[i]
				}
				if got[i] != want && !(got[i] != got[i] && want != want) {
					t.Errorf("%s %s of %g is %g, expected %g", s.Name, l.name, x[i], got[i], want)
				}
			}
		}
	}
}

func TestArgumentOffsets(t *testing.T) {
	var c ConvArgs
	var w WeightGradArgs
	var a Args
	for _, o := range []struct {
		name      string
		got, want uintptr
	}{
		{"ConvArgs.Taps2", unsafe.Offsetof(c.Taps2), 32},
		{"ConvArgs.WeightRow", unsafe.Offsetof(c.WeightRow), 56},
		{"ConvArgs.InChannels", unsafe.Offsetof(c.InChannels), 72},
		{"WeightGradArgs.Rows", unsafe.Offsetof(w.Rows), 24},
		{"WeightGradArgs.XCol", unsafe.Offsetof(w.XCol), 72},
		{"WeightGradArgs.DWInput", unsafe.Offsetof(w.DWInput), 88},
		{"Args.Count", unsafe.Offsetof(a.Count), 32},
		{"Args.Sums", unsafe.Offsetof(a.Sums), 56},
	} {
		if o.got != o.want {
			t.Errorf("%s lies at %d, the generated code reads %d", o.name, o.got, o.want)
		}
	}
}

// BenchmarkKernels reports GFLOP/s of the hot loops on data in the second-level cache.
func BenchmarkKernels(b *testing.B) {
	for _, s := range Sets() {
		for _, c := range []struct{ ch, width int }{{16, 32}, {32, 16}, {64, 8}} {
			r := rand.New(rand.NewPCG(7, 8))
			pw := c.width + 2
			in, out, w := floats(r, pw*pw*c.ch), floats(r, c.width*c.width*c.ch), floats(r, 9*c.ch*c.ch)
			flops := float64(2 * c.width * c.width * 9 * c.ch * c.ch)
			b.Run(fmt.Sprintf("%s/conv%d", s.Name, c.ch), func(b *testing.B) {
				var taps [9]Tap
				for i := range taps {
					taps[i] = Tap{(i/3*pw + i%3) * c.ch * 4, i * c.ch * c.ch * 4}
				}
				blocks := s.Blocks(c.ch)
				a := &ConvArgs{}
				for b.Loop() {
					for co := 0; co < c.ch; co += 16 * blocks {
						for y := range c.width {
							*a = ConvArgs{
								ptr(out, y*c.width*c.ch+co), ptr(in, y*pw*c.ch), ptr(w, co), &taps[0], 18,
								c.ch * 4, c.ch * 4, c.ch * 4, 0, c.ch,
							}
							s.Conv(a, blocks, c.width)
						}
					}
				}
				b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
			b.Run(fmt.Sprintf("%s/weightGrad%d", s.Name, c.ch), func(b *testing.B) {
				t := s.tile[0]
				ch, blocks := t.Channels, t.Blocks
				a := &WeightGradArgs{}
				for b.Loop() {
					for ky := range 3 {
						for ci := 0; ci+ch <= c.ch; ci += ch {
							for co := 0; co < c.ch; co += 16 * blocks {
								*a = WeightGradArgs{
									ptr(w, ((ky*3)*c.ch+ci)*c.ch+co), ptr(in, ky*pw*c.ch+ci), ptr(out, co), c.width, c.width,
									c.ch * 4, pw * c.ch * 4, c.ch * 4, c.width * c.ch * 4, c.ch * 4, c.ch * c.ch * 4, c.ch * 4,
								}
								t.Run(a)
							}
						}
					}
				}
				b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

// BenchmarkLoops times the channel-wise and flat kernels on arrays that lie in the second-level cache
// together, and copying as what memory allows.
func BenchmarkLoops(b *testing.B) {
	const groups = 512 // 128 KB an array
	r := rand.New(rand.NewPCG(9, 10))
	arrays := [4][]float32{floats(r, groups*Group), floats(r, groups*Group), floats(r, groups*Group), floats(r, groups*Group)}
	coef, sums := floats(r, 3*Group), make([]float32, 2*Group)
	report := func(b *testing.B, streams int) {
		b.ReportMetric(float64(streams*groups*Group*4)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
	}
	b.Run("copy", func(b *testing.B) {
		for b.Loop() {
			copy(arrays[0], arrays[1])
		}
		report(b, 2)
	})
	for _, s := range Sets() {
		for _, l := range []struct {
			name    string
			run     raw
			streams int // arrays read and written
		}{
			{"affine", s.affine, 2},
			{"affineRelu", s.affineRelu, 2},
			{"affine2", s.affine2, 3},
			{"affine2Add", s.affine2Add, 4},
			{"affineMask", s.affineMask, 3},
			{"sum", s.sum, 1},
			{"sumSquares", s.sumSquares, 1},
			{"gradSums", s.gradSums, 2},
			{"add", s.add, 3},
			{"mulScalar", s.mulScalar, 2},
			{"relu", s.relu, 2},
			{"reluGrad", s.reluGrad, 3},
		} {
			b.Run(s.Name+"/"+l.name, func(b *testing.B) {
				for b.Loop() {
					a := Args{
						ptr(arrays[0], 0), ptr(arrays[1], 0), ptr(arrays[2], 0), ptr(arrays[3], 0), groups, Group * 4, ptr(coef, 0), ptr(sums, 0),
					}
					l.run((*byte)(unsafe.Pointer(&a)))
				}
				report(b, l.streams)
			})
		}
	}
}

// BenchmarkMemory copies arrays that no cache holds, on one core and on two at once.
func BenchmarkMemory(b *testing.B) {
	const size = 64 << 20
	for _, cores := range []int{1, 2} {
		b.Run(fmt.Sprint(cores), func(b *testing.B) {
			from, to := make([][]byte, cores), make([][]byte, cores)
			for c := range cores {
				from[c], to[c] = bytes.Repeat([]byte{1}, size), make([]byte, size)
			}
			for b.Loop() {
				var group sync.WaitGroup
				for c := range cores {
					group.Go(func() { copy(to[c], from[c]) })
				}
				group.Wait()
			}
			b.ReportMetric(float64(cores*size)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
		})
	}
}
