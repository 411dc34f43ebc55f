package kernel

import "unsafe"

// The matrices of Winograd's F(2×2, 3×3) as gen/winograd.go has them.
var (
	winogradIn     = [][]float32{{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, -1, 0, 1}} // Bᵀ
	winogradSpread = [][]float32{{1, 0}, {1, 1}, {1, -1}, {0, 1}}                           // A
)

// genericWinograd computes T p Tᵀ of each tile's side×side pixels p: its 16 positions.
func genericWinograd(side int, t [][]float32) raw {
	return func(b *byte) {
		a := as[WinogradArgs](b)
		for tile := range a.Tiles {
			src := unsafe.Add(a.Src, tile*(a.PixelsNext+64*a.Groups))
			dst := unsafe.Add(a.Dst, tile*(a.PositionsNext+64*a.Groups))
			for c := range 16 * a.Groups {
				for i := range 4 {
					for j := range 4 {
						sum := float32(0)
						for y := range side {
							for x := range side {
								if w := t[i][y] * t[j][x]; w != 0 {
									sum += w * *f32(src, y*a.Row+x*a.Pixel+4*c)
								}
							}
						}
						*f32(dst, (4*i+j)*a.Position+4*c) = sum
					}
				}
			}
		}
	}
}

// genericWinogradOutput computes Aᵀ m A of each tile's positions m: its 2×2 pixels.
func genericWinogradOutput(b *byte) {
	a := as[WinogradArgs](b)
	for tile := range a.Tiles {
		dst := unsafe.Add(a.Dst, tile*(a.PixelsNext+64*a.Groups))
		src := unsafe.Add(a.Src, tile*(a.PositionsNext+64*a.Groups))
		for c := range 16 * a.Groups {
			for y := range 2 {
				for x := range 2 {
					sum := float32(0)
					for i := range 4 {
						for j := range 4 {
							if w := winogradSpread[i][y] * winogradSpread[j][x]; w != 0 {
								sum += w * *f32(src, (4*i+j)*a.Position+4*c)
							}
						}
					}
					*f32(dst, y*a.Row+x*a.Pixel+4*c) = sum
				}
			}
		}
	}
}

// The matrices of F(4, 3) as gen/winograd4.go has them.
var (
	winogradLineB = [][]float32{ // Bᵀ
		{4, 0, -5, 0, 1, 0}, {0, -4, -4, 1, 1, 0}, {0, 4, -4, -1, 1, 0}, {0, -2, -1, 2, 1, 0}, {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1},
	}
	winogradLineA = [][]float32{{1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}} // Aᵀ
)

// genericLine computes T d of each tile's six values d.
func genericLine(t [][]float32) raw {
	return func(b *byte) {
		a := as[LineArgs](b)
		for tile := range a.Tiles {
			src := unsafe.Add(a.Src, tile*(a.SrcNext+64*a.Groups))
			dst := unsafe.Add(a.Dst, tile*(a.DstNext+64*a.Groups))
			for c := range 16 * a.Groups {
				for i, row := range t {
					sum := float32(0)
					for k, weight := range row {
						sum += weight * *f32(src, k*a.SrcStep+4*c)
					}
					*f32(dst, i*a.DstStep+4*c) = sum
				}
			}
		}
	}
}

func genericProduct(rows int) raw {
	return func(b *byte) {
		a := as[ProductArgs](b)
		inStep, outStep := a.InNext+4*a.Channels, a.OutNext+(rows-1)*a.OutRow
		for n := range a.Positions {
			w := unsafe.Add(a.Weight, n*a.Channels*a.WeightRow)
			for r := range rows {
				in := unsafe.Add(a.In, n*inStep+r*a.InRow)
				var acc [16]float32
				for c := range a.Channels {
					x, row := *f32(in, 4*c), (*[16]float32)(unsafe.Add(w, c*a.WeightRow))
					for i := range acc {
						acc[i] += x * row[i]
					}
				}
				*(*[16]float32)(unsafe.Add(a.Out, n*outStep+r*a.OutRow)) = acc
			}
		}
	}
}
