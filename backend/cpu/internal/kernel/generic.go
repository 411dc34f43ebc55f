package kernel

import "unsafe"

// The plain Go twins. They define the meaning; the assembly may differ in rounding only.

func f32(p unsafe.Pointer, off int) *float32 { return (*float32)(unsafe.Add(p, off)) }

func as[T any](a *byte) *T { return (*T)(unsafe.Pointer(a)) }

func genericConv(pixels int) raw {
	return func(b *byte) {
		a := as[ConvArgs](b)
		taps := unsafe.Slice(a.Taps, a.Taps2/2)
		for p := range pixels {
			out := (*[16]float32)(unsafe.Add(a.Out, p*a.OutPix))
			var acc [16]float32
			if a.Accumulate != 0 {
				acc = *out
			}
			for _, t := range taps {
				in := unsafe.Add(a.In, p*a.InPix+t.In)
				w := unsafe.Add(a.Weight, t.Weight)
				for c := range a.InChannels {
					x, row := *f32(in, 4*c), (*[16]float32)(unsafe.Add(w, c*a.WeightRow))
					for i := range acc {
						acc[i] += x * row[i]
					}
				}
			}
			*out = acc
		}
	}
}

func genericWeightGrad(cols, channels, blocks int) raw {
	return func(b *byte) {
		a := as[WeightGradArgs](b)
		for k := range cols {
			for c := range channels {
				for blk := range blocks {
					var acc [16]float32
					for r := range a.Rows {
						x := unsafe.Add(a.X, r*a.XRow+k*a.XCol+4*c)
						dy := unsafe.Add(a.DY, r*a.DYRow+64*blk)
						for p := range a.Cols {
							v, row := *f32(x, p*a.XPix), (*[16]float32)(unsafe.Add(dy, p*a.DYPix))
							for i := range acc {
								acc[i] += v * row[i]
							}
						}
					}
					dw := (*[16]float32)(unsafe.Add(a.DW, k*a.DWCol+c*a.DWInput+64*blk))
					for i := range acc {
						dw[i] += acc[i]
					}
				}
			}
		}
	}
}

// genericChannels calls f for every float: offset in bytes, coefficient row element i.
func genericChannels(f func(a *Args, off, i int)) raw {
	return func(b *byte) {
		a := as[Args](b)
		for g := range a.Count {
			for i := range Group {
				f(a, g*a.Stride+4*i, i)
			}
		}
	}
}

func genericFlat(f func(a *Args, off int)) raw {
	return func(b *byte) {
		a := as[Args](b)
		for off := 0; off < a.Count*Group*4; off += 4 {
			f(a, off)
		}
	}
}

func coef(a *Args, k, i int) float32 { return *f32(a.Coef, (k*Group+i)*4) }

func relu(x float32) float32 { return max(x, 0) } // NaN stays NaN: a training that diverges must not look well

var generic = Set{
	Name:          "generic",
	conv:          [3][]raw{1: {nil, genericConv(1), genericConv(2), genericConv(3), genericConv(4)}},
	tile:          []Tile{{1, 1, 1, genericWeightGrad(1, 1, 1)}, {3, 2, 1, genericWeightGrad(3, 2, 1)}},
	product:       [3][]raw{1: {nil, genericProduct(1), genericProduct(2), genericProduct(3), genericProduct(4)}},
	winogradInput: genericWinograd(4, winogradIn), winogradGrad: genericWinograd(2, winogradSpread), winogradOutput: genericWinogradOutput,
	winogradLineIn: genericLine(winogradLineB), winogradLineOut: genericLine(winogradLineA),
	affine: genericChannels(func(a *Args, o, i int) {
		*f32(a.Dst, o) = coef(a, 0, i)**f32(a.Src0, o) + coef(a, 1, i)
	}),
	affineRelu: genericChannels(func(a *Args, o, i int) {
		*f32(a.Dst, o) = relu(coef(a, 0, i)**f32(a.Src0, o) + coef(a, 1, i))
	}),
	affine2: genericChannels(func(a *Args, o, i int) {
		*f32(a.Dst, o) = coef(a, 0, i)**f32(a.Src0, o) + (coef(a, 1, i)**f32(a.Src1, o) + coef(a, 2, i))
	}),
	affine2Add: genericChannels(func(a *Args, o, i int) {
		*f32(a.Dst, o) = coef(a, 0, i)**f32(a.Src0, o) + (coef(a, 1, i)**f32(a.Src1, o) + coef(a, 2, i)) + *f32(a.Src2, o)
	}),
	affineMask: genericChannels(func(a *Args, o, i int) {
		var r float32
		if coef(a, 0, i)**f32(a.Src1, o)+coef(a, 1, i) >= 0 {
			r = *f32(a.Src0, o)
		}
		*f32(a.Dst, o) = r
	}),
	sum: genericChannels(func(a *Args, o, i int) { *f32(a.Sums, 4*i) += *f32(a.Src0, o) }),
	sumSquares: genericChannels(func(a *Args, o, i int) {
		d := *f32(a.Src0, o) - coef(a, 0, i)
		*f32(a.Sums, 4*i) += d * d
	}),
	gradSums: genericChannels(func(a *Args, o, i int) {
		v, d := *f32(a.Src0, o), *f32(a.Src1, o)-coef(a, 0, i)
		*f32(a.Sums, 4*i) += v
		*f32(a.Sums, 4*(Group+i)) += v * d
	}),
	add:       genericFlat(func(a *Args, o int) { *f32(a.Dst, o) = *f32(a.Src0, o) + *f32(a.Src1, o) }),
	sub:       genericFlat(func(a *Args, o int) { *f32(a.Dst, o) = *f32(a.Src0, o) - *f32(a.Src1, o) }),
	mul:       genericFlat(func(a *Args, o int) { *f32(a.Dst, o) = *f32(a.Src0, o) * *f32(a.Src1, o) }),
	addScalar: genericFlat(func(a *Args, o int) { *f32(a.Dst, o) = *f32(a.Src0, o) + *f32(a.Coef, 0) }),
	mulScalar: genericFlat(func(a *Args, o int) { *f32(a.Dst, o) = *f32(a.Src0, o) * *f32(a.Coef, 0) }),
	relu:      genericFlat(func(a *Args, o int) { *f32(a.Dst, o) = relu(*f32(a.Src0, o)) }),
	reluGrad: genericFlat(func(a *Args, o int) {
		var r float32
		if *f32(a.Src1, o) >= 0 {
			r = *f32(a.Src0, o)
		}
		*f32(a.Dst, o) = r
	}),
}
