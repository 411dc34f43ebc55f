package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"
)

func TestProductAgreesWithGeneric(t *testing.T) {
	for _, s := range Sets() {
		r := rand.New(rand.NewPCG(11, 12))
		for range 200 {
			blocks := 1 + r.IntN(2)
			if len(s.product[blocks]) == 0 {
				blocks = 1
			}
			positions, rows, channels, cols := 1+r.IntN(4), 1+r.IntN(40), 1+r.IntN(20), 16*blocks*(1+r.IntN(2))
			in, w := floats(r, positions*rows*channels), floats(r, positions*channels*cols)
			got := floats(r, positions*rows*cols)
			want := append([]float32(nil), got...)
			args := func(o []float32, block int) *ProductArgs {
				return &ProductArgs{
					Out: ptr(o, 16*block), In: ptr(in, 0), Weight: ptr(w, 16*block), Positions: positions,
					InRow: channels * 4, OutRow: cols * 4, WeightRow: cols * 4, Channels: channels,
				}
			}
			s.Product(args(got, 0), blocks, rows, rows*channels*4, rows*cols*4)
			for b := range blocks {
				generic.Product(args(want, b), 1, rows, rows*channels*4, rows*cols*4)
			}
			near(t, fmt.Sprintf("%s product of %d rows, %d blocks", s.Name, rows, blocks), got, want, 1e-4)
		}
	}
}

func TestTransformsAgreeWithGeneric(t *testing.T) {
	for _, s := range Sets() {
		r := rand.New(rand.NewPCG(13, 14))
		for range 50 {
			tiles, groups := 1+r.IntN(9), 1+r.IntN(4)
			c, width := 16*groups, 2*tiles+2
			pixels, positions := floats(r, 4*width*c), floats(r, 16*tiles*c)
			for _, k := range []struct {
				name string
				of   func(*Set) raw
				out  bool
			}{
				{"input", func(s *Set) raw { return s.winogradInput }, false},
				{"grad", func(s *Set) raw { return s.winogradGrad }, false},
				{"output", func(s *Set) raw { return s.winogradOutput }, true},
			} {
				run := func(f raw) []float32 {
					src, dst := pixels, append([]float32(nil), positions...)
					if k.out {
						src, dst = positions, append([]float32(nil), pixels...)
					}
					f((*byte)(unsafe.Pointer(&WinogradArgs{
						Dst: ptr(dst, 0), Src: ptr(src, 0), Tiles: tiles, Groups: groups, PixelsNext: c * 4, Pixel: c * 4, Row: width * c * 4, Position: tiles * c * 4,
					})))
					return dst
				}
				near(t, s.Name+" "+k.name, run(k.of(s)), run(k.of(&generic)), 1e-5)
			}
		}
	}
}

func TestLinesAgreeWithGeneric(t *testing.T) {
	for _, s := range Sets() {
		r := rand.New(rand.NewPCG(17, 18))
		for range 50 {
			tiles, groups, apart := 1+r.IntN(9), 1+r.IntN(4), r.IntN(3)*16
			from, to := floats(r, 6*(tiles*16*groups+apart)), floats(r, 6*(tiles*16*groups*2+apart))
			for name, of := range map[string]func(*Set) raw{
				"in":  func(s *Set) raw { return s.winogradLineIn },
				"out": func(s *Set) raw { return s.winogradLineOut },
			} {
				run := func(f raw) []float32 {
					dst := append([]float32(nil), to...)
					f((*byte)(unsafe.Pointer(&LineArgs{
						Dst: ptr(dst, 0), Src: ptr(from, 0), Tiles: tiles, Groups: groups, DstNext: 64 * groups,
						DstStep: 4 * (tiles*16*groups*2 + apart), SrcStep: 4 * (tiles*16*groups + apart),
					})))
					return dst
				}
				near(t, s.Name+" line "+name, run(of(s)), run(of(&generic)), 1e-5)
			}
		}
	}
}

func TestWinogradOffsets(t *testing.T) {
	var w WinogradArgs
	var p ProductArgs
	var l LineArgs
	for _, o := range []struct {
		name      string
		got, want uintptr
	}{
		{"WinogradArgs.PixelsNext", unsafe.Offsetof(w.PixelsNext), 32},
		{"WinogradArgs.Position", unsafe.Offsetof(w.Position), 64},
		{"LineArgs.SrcNext", unsafe.Offsetof(l.SrcNext), 40},
		{"LineArgs.DstStep", unsafe.Offsetof(l.DstStep), 48},
		{"ProductArgs.Positions", unsafe.Offsetof(p.Positions), 24},
		{"ProductArgs.OutNext", unsafe.Offsetof(p.OutNext), 72},
	} {
		if o.got != o.want {
			t.Errorf("%s lies at %d, the generated code reads %d", o.name, o.got, o.want)
		}
	}
}

// BenchmarkWinograd times the transforms of a strip of tiles and the products at its positions, as the engine runs
// them: the transforms by what they load and store, the products by what they multiply and add.
func BenchmarkWinograd(b *testing.B) {
	for _, s := range Sets() {
		for _, c := range []struct{ ch, tiles int }{{16, 16}, {32, 16}, {64, 32}} {
			r := rand.New(rand.NewPCG(15, 16))
			width, apart := 2*c.tiles+2, c.tiles*c.ch+16
			pixels, in, out, w := floats(r, 4*width*c.ch), floats(r, 16*apart), floats(r, 16*apart), floats(r, 16*c.ch*c.ch)
			for _, k := range []struct {
				name  string
				run   raw
				moved int // floats a tile and channel
				out   bool
			}{{"input", s.winogradInput, 32, false}, {"grad", s.winogradGrad, 20, false}, {"output", s.winogradOutput, 20, true}} {
				b.Run(fmt.Sprintf("%s/%s%d", s.Name, k.name, c.ch), func(b *testing.B) {
					a := WinogradArgs{Tiles: c.tiles, Groups: c.ch / 16, PixelsNext: c.ch * 4, Pixel: c.ch * 4, Row: width * c.ch * 4, Position: apart * 4}
					for b.Loop() {
						args := a
						args.Dst, args.Src = ptr(in, 0), ptr(pixels, 0)
						if k.out {
							args.Dst, args.Src = ptr(pixels, 0), ptr(in, 0)
						}
						k.run((*byte)(unsafe.Pointer(&args)))
					}
					b.ReportMetric(float64(4*k.moved*c.tiles*c.ch)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
				})
			}
			b.Run(fmt.Sprintf("%s/product%d", s.Name, c.ch), func(b *testing.B) {
				blocks := s.Blocks(c.ch)
				for b.Loop() {
					for co := 0; co < c.ch; co += 16 * blocks {
						s.Product(&ProductArgs{
							Out: ptr(out, co), In: ptr(in, 0), Weight: ptr(w, co), Positions: 16,
							InRow: c.ch * 4, OutRow: c.ch * 4, WeightRow: c.ch * 4, Channels: c.ch,
						}, blocks, c.tiles, 4*apart, 4*apart)
					}
				}
				b.ReportMetric(float64(2*16*c.tiles*c.ch*c.ch)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
