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

func TestWinogradOffsets(t *testing.T) {
	var w WinogradArgs
	var p ProductArgs
	for _, o := range []struct {
		name      string
		got, want uintptr
	}{
		{"WinogradArgs.PixelsNext", unsafe.Offsetof(w.PixelsNext), 32},
		{"WinogradArgs.Position", unsafe.Offsetof(w.Position), 64},
		{"ProductArgs.Positions", unsafe.Offsetof(p.Positions), 24},
		{"ProductArgs.OutNext", unsafe.Offsetof(p.OutNext), 72},
	} {
		if o.got != o.want {
			t.Errorf("%s lies at %d, the generated code reads %d", o.name, o.got, o.want)
		}
	}
}
