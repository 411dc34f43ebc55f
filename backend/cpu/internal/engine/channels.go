package engine

import (
	"math"
	"unsafe"

	"github.com/unpoison/unpoison/backend/cpu/internal/kernel"
)

// Channel-wise loops over [pixels, C] float32 data, and the batch norm made of them. A network's
// batch norm is cut into its statistics (a sum over the batch), the two coefficients that follow
// from them, and the affine map that applies them: the map can then join any stage that reads it.

// channelLoop is a channel-wise kernel over data of c channels. coef holds coefRows rows of c
// coefficients; sums, sumRows rows of c float64 that are added to.
type channelLoop struct {
	c, pixels         int
	run               func(*kernel.Args)
	dst               unsafe.Pointer
	src               [3]unsafe.Pointer
	coef              []float32
	coefRows, sumRows int
	sums              []float64
}

// do runs the kernel over whole groups of 64 floats and returns the index of the first float that
// is left to the caller: all of them where neither the channels divide 64 nor 64 the channels.
func (l *channelLoop) do(w *worker) (rest int) {
	const g = kernel.Group
	switch {
	case l.c <= g && g%l.c == 0:
		per := g / l.c
		l.block(w, 0, l.pixels/per, g, 0)
		return l.pixels / per * g
	case l.c%g == 0:
		for b := 0; b < l.c; b += g {
			l.block(w, b, l.pixels, l.c, b)
		}
		return l.pixels * l.c
	}
	return 0
}

// block runs count groups that lie stride floats apart from float first on, which is of channel0.
func (l *channelLoop) block(w *worker, first, count, stride, channel0 int) {
	const g = kernel.Group
	if count == 0 {
		return
	}
	c := l.c
	for k := range l.coefRows {
		row := l.coef[k*c : (k+1)*c]
		for i := 0; i < g; i += min(c, g) {
			copy(w.coef[k*g+i:(k+1)*g], row[channel0:])
		}
	}
	clear(w.sums[:l.sumRows*g])
	w.args = kernel.Args{
		Dst: floatAt(l.dst, first), Src0: floatAt(l.src[0], first), Src1: floatAt(l.src[1], first), Src2: floatAt(l.src[2], first),
		Count: count, Stride: stride * 4,
		Coef: unsafe.Pointer(&w.coef[0]), Sums: unsafe.Pointer(&w.sums[0]),
	}
	l.run(&w.args)
	for k := range l.sumRows {
		for i := range g {
			l.sums[k*c+channel0+i%min(c, g)] += float64(w.sums[k*g+i])
		}
	}
}

func floatAt(p unsafe.Pointer, i int) unsafe.Pointer {
	if p == nil {
		return nil
	}
	return unsafe.Add(p, 4*i)
}

// affineLike builds OpAffine, OpAffineRelu, OpAffineMask, OpAffine2 and OpAffine2Add.
func affineLike(n *Node) fn {
	row := n.Shape.rowSize()
	c := n.Shape.Dims[n.Shape.Rank()-1]
	k := kernel.Active
	coefAt := map[Op]int{OpAffine: 1, OpAffineRelu: 1, OpAffineMask: 2, OpAffine2: 2, OpAffine2Add: 2}[n.Op]
	coefRows := n.In[coefAt].Shape.Dims[0]
	run := map[Op]func(*kernel.Args){
		OpAffine: k.Affine, OpAffineRelu: k.AffineRelu, OpAffineMask: k.AffineMask,
		OpAffine2: k.Affine2, OpAffine2Add: k.Affine2Add,
	}[n.Op]
	return func(w *worker, out unsafe.Pointer, in []unsafe.Pointer, rows int) {
		coef := slice[float32](in[coefAt], coefRows*c)
		var src [3]unsafe.Pointer
		src[0] = in[0]
		if coefAt == 2 {
			src[1] = in[1]
		}
		if len(in) == 4 {
			src[2] = in[3]
		}
		total := rows * row
		o, x := slice[float32](out, total), slice[float32](in[0], total)
		l := channelLoop{c: c, pixels: total / c, run: run, dst: out, src: src, coef: coef, coefRows: coefRows}
		for i := l.do(w); i < total; i++ {
			ch := i % c
			switch n.Op {
			case OpAffine:
				o[i] = coef[ch]*x[i] + coef[c+ch]
			case OpAffineRelu:
				o[i] = max(0, coef[ch]*x[i]+coef[c+ch])
			case OpAffineMask:
				if y := slice[float32](in[1], total); coef[ch]*y[i]+coef[c+ch] >= 0 {
					o[i] = x[i]
				} else {
					o[i] = 0
				}
			default:
				v := coef[ch]*x[i] + (coef[c+ch]*slice[float32](in[1], total)[i] + coef[2*c+ch])
				if len(in) == 4 {
					v += slice[float32](in[3], total)[i]
				}
				o[i] = v
			}
		}
	}
}

// reduction is a sum over the rows of a stage. Each chunk of rows adds to a part of its own; the
// parts are then joined in their order, so that the result does not depend on who computed what.
type reduction struct {
	bytes int // of one part
	// add adds rows to a part that starts as zero bytes.
	add func(w *worker, part unsafe.Pointer, in []unsafe.Pointer, rows int)
	// join makes elements [lo,hi) of the split axis of out from parts that lie bytes apart, and may spoil those.
	join  func(w *worker, out, parts unsafe.Pointer, count, lo, hi int)
	split int
}

// sumParts adds floats [lo,hi) of the other parts, size floats apart, to those of the first, in order.
func sumParts(w *worker, parts unsafe.Pointer, count, size, lo, hi int) {
	whole := (hi - lo) / kernel.Group
	tail := lo + whole*kernel.Group
	sum := slice[float32](parts, hi)
	first := unsafe.Add(parts, lo*4)
	a := &w.args
	*a = kernel.Args{Dst: first, Src0: first, Count: whole}
	for c := 1; c < count; c++ {
		a.Src1 = unsafe.Add(first, c*size*4)
		kernel.Active.Add(a)
		for i, v := range slice[float32](unsafe.Add(parts, c*size*4), hi)[tail:] {
			sum[tail+i] += v
		}
	}
}

// batchNormStats: mean and biased variance a channel. A part holds count, means and sums of squared
// deviations; parts merge by Chan, Golub and LeVeque's formula in float64.
func batchNormStats(n *Node) *reduction {
	in := n.In[0].Shape
	c := in.Dims[in.Rank()-1]
	row := in.rowSize()
	merge := func(a, b []float64, nb float64) { // a: count, means, deviations; b: means, deviations
		na := a[0]
		t := na + nb
		for i := range c {
			d := b[i] - a[1+i]
			a[1+i] += d * nb / t
			a[1+c+i] += b[c+i] + d*d*na*nb/t
		}
		a[0] = t
	}
	sum, squares := kernel.Active.Sum, kernel.Active.SumSquares
	return &reduction{
		bytes: 8 * (1 + 2*c),
		split: 1,
		add: func(w *worker, part unsafe.Pointer, p []unsafe.Pointer, rows int) {
			total := rows * row
			pixels := total / c
			x := slice[float32](p[0], total)
			stat := w.float64s(2 * c)
			means, dev := stat[:c], stat[c:]
			src := [3]unsafe.Pointer{p[0]}
			l := channelLoop{c: c, pixels: pixels, run: sum, src: src, sums: means, sumRows: 1}
			for i := l.do(w); i < total; i++ {
				means[i%c] += float64(x[i])
			}
			m32 := w.float32s(c)
			for i := range means {
				means[i] /= float64(pixels)
				m32[i] = float32(means[i])
			}
			l = channelLoop{c: c, pixels: pixels, run: squares, src: src, coef: m32, coefRows: 1, sums: dev, sumRows: 1}
			for i := l.do(w); i < total; i++ {
				d := float64(x[i] - m32[i%c])
				dev[i%c] += d * d
			}
			for i := range means { // the deviations are from the rounded mean
				d := means[i] - float64(m32[i])
				dev[i] -= d * d * float64(pixels)
			}
			merge(slice[float64](part, 1+2*c), stat, float64(pixels))
		},
		join: func(_ *worker, out, parts unsafe.Pointer, count, _, _ int) {
			all := slice[float64](parts, count*(1+2*c))
			a := all[:1+2*c]
			for k := 1; k < count; k++ {
				b := all[k*(1+2*c):]
				if b[0] > 0 {
					merge(a, b[1:1+2*c], b[0])
				}
			}
			o := slice[float32](out, 2*c)
			for i := range c {
				o[i] = float32(a[1+i])
				o[c+i] = float32(a[1+c+i] / a[0])
			}
		},
	}
}

// batchNormGradSums: Σv and Σv·x̂ a channel, x̂ = (x−mean)/√(var+ε). Inputs v, x, mean, variance.
func batchNormGradSums(n *Node) *reduction {
	in := n.In[0].Shape
	c := in.Dims[in.Rank()-1]
	row := in.rowSize()
	eps := n.Attr.(float64)
	gradSums := kernel.Active.GradSums
	return &reduction{
		bytes: 8 * 2 * c,
		split: 1,
		add: func(w *worker, part unsafe.Pointer, p []unsafe.Pointer, rows int) {
			total := rows * row
			v, x, mean, variance := slice[float32](p[0], total), slice[float32](p[1], total), slice[float32](p[2], c), slice[float32](p[3], c)
			sums := w.float64s(2 * c)
			l := channelLoop{c: c, pixels: total / c, run: gradSums, src: [3]unsafe.Pointer{p[0], p[1]}, coef: mean, coefRows: 1, sums: sums, sumRows: 2}
			for i := l.do(w); i < total; i++ {
				sums[i%c] += float64(v[i])
				sums[c+i%c] += float64(v[i] * (x[i] - mean[i%c]))
			}
			s := slice[float64](part, 2*c)
			for i := range c {
				s[i] += sums[i]
				s[c+i] += sums[c+i] / math.Sqrt(float64(variance[i])+eps)
			}
		},
		join: func(_ *worker, out, parts unsafe.Pointer, count, _, _ int) {
			all, o := slice[float64](parts, count*2*c), slice[float32](out, 2*c)
			for i := range o {
				var s float64
				for k := range count {
					s += all[k*2*c+i]
				}
				o[i] = float32(s)
			}
		},
	}
}

// batchNormCoef: from scale, offset, mean, variance the map y = c0·x + c1.
func batchNormCoef(n *Node) fn {
	eps := n.Attr.(float64)
	c := n.Shape.Dims[1]
	return func(_ *worker, out unsafe.Pointer, p []unsafe.Pointer, _ int) {
		o := slice[float32](out, 2*c)
		scale, offset, mean, variance := slice[float32](p[0], c), slice[float32](p[1], c), slice[float32](p[2], c), slice[float32](p[3], c)
		for i := range c {
			a := float64(scale[i]) / math.Sqrt(float64(variance[i])+eps)
			o[i] = float32(a)
			o[c+i] = float32(float64(offset[i]) - float64(mean[i])*a)
		}
	}
}

// batchNormGradCoef: from sums, scale, mean, variance the map dx = c0·v + c1·x + c2, which is
// scale/√(var+ε) · (v − Σv/M − x̂·Σ(v·x̂)/M) (Ioffe and Szegedy 2015, section 3).
func batchNormGradCoef(n *Node) fn {
	a := n.Attr.(GradCoefAttr)
	c := n.Shape.Dims[1]
	m := float64(a.Count)
	return func(_ *worker, out unsafe.Pointer, p []unsafe.Pointer, _ int) {
		o := slice[float32](out, 3*c)
		sums, scale, mean, variance := slice[float32](p[0], 2*c), slice[float32](p[1], c), slice[float32](p[2], c), slice[float32](p[3], c)
		for i := range c {
			r := 1 / math.Sqrt(float64(variance[i])+a.Epsilon)
			c0 := float64(scale[i]) * r
			c1 := -c0 * r * float64(sums[c+i]) / m
			o[i] = float32(c0)
			o[c+i] = float32(c1)
			o[2*c+i] = float32(-c0*float64(sums[i])/m - c1*float64(mean[i]))
		}
	}
}
