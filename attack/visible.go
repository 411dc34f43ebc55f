package attack

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/draw"

	"github.com/unpoison/unpoison/dataset"
)

// Visibility says how far triggered images are from what they were.
type Visibility struct {
	PSNR float64 `json:"psnr"` // peak signal-to-noise ratio in dB, mean over the images; 99 where nothing changed
	// SSIM is the structural similarity (Wang et al. 2004) of luminance, mean over the images, up to 1; nil: not measured, as of
	// images that its window does not fit in.
	SSIM *float64 `json:"ssim,omitempty"`
	Linf float64  `json:"linf"` // largest change of a value, of 255
}

// Visible compares images before and after, pair by pair.
func Visible(before, after *dataset.Set) (v Visibility, err error) {
	if err := sameImages(before, after); err != nil {
		return v, err
	}
	n := before.Len()
	ssim := 0.0
	for i := range n {
		a, b := before.Image(i), after.Image(i)
		sum := 0.0
		for k := range a {
			d := float64(a[k]) - float64(b[k])
			sum += d * d
			v.Linf = max(v.Linf, math.Abs(d))
		}
		p := 99.0
		if sum > 0 {
			p = min(p, 10*math.Log10(255*255*float64(len(a))/sum))
		}
		v.PSNR += p / float64(n)
		ssim += similarity(luminance(a), luminance(b), before.Height, before.Width) / float64(n)
	}
	if n > 0 && min(before.Height, before.Width) >= window {
		v.SSIM = &ssim
	}
	return v, nil
}

// sameImages refuses images that are not as many as those before an attack, or of another size.
func sameImages(before, after *dataset.Set) error {
	if before.Len() != after.Len() || before.Height != after.Height || before.Width != after.Width {
		return fmt.Errorf("%d images of %d×%d pixels, expected the %d of %d×%d that there were before", after.Len(), after.Height, after.Width, before.Len(), before.Height, before.Width)
	}
	return nil
}

func luminance(img []uint8) []float64 {
	l := make([]float64, len(img)/3)
	for i := range l {
		l[i] = 0.299*float64(img[3*i]) + 0.587*float64(img[3*i+1]) + 0.114*float64(img[3*i+2])
	}
	return l
}

// window is the side of the squares that similarity is measured in.
const window = 7

// similarity is SSIM over all windows of 7×7 with equal weights, K1 = 0.01 and K2 = 0.03. It is 0 where there is none.
func similarity(a, b []float64, h, w int) float64 {
	const c1, c2 = (0.01 * 255) * (0.01 * 255), (0.03 * 255) * (0.03 * 255)
	total, n := 0.0, 0
	for y := 0; y+window <= h; y++ {
		for x := 0; x+window <= w; x++ {
			var sa, sb, saa, sbb, sab float64
			for dy := range window {
				for dx := range window {
					p, q := a[(y+dy)*w+x+dx], b[(y+dy)*w+x+dx]
					sa, sb, saa, sbb, sab = sa+p, sb+q, saa+p*p, sbb+q*q, sab+p*q
				}
			}
			const m = window * window
			ma, mb := sa/m, sb/m
			va, vb, cov := saa/m-ma*ma, sbb/m-mb*mb, sab/m-ma*mb
			total += (2*ma*mb + c1) * (2*cov + c2) / ((ma*ma + mb*mb + c1) * (va + vb + c2))
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return total / float64(n)
}

// Picture draws pairs of images as PNG, a column each: before, after, and the difference eight
// times as strong around grey.
func Picture(w io.Writer, before, after *dataset.Set) error {
	if err := sameImages(before, after); err != nil {
		return err
	}
	const gap = 4
	zoom := max(1, 96/max(before.Height, before.Width))
	ch, cw := before.Height*zoom, before.Width*zoom
	n := before.Len()
	out := image.NewRGBA(image.Rect(0, 0, n*(cw+gap)+gap, 3*(ch+gap)+gap))
	draw.Draw(out, out.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	difference := make([]uint8, before.ImageBytes())
	for i := range n {
		a, b := before.Image(i), after.Image(i)
		for k := range a {
			difference[k] = toByte(128 + 8*(float64(b[k])-float64(a[k])))
		}
		for row, img := range [][]uint8{a, b, difference} {
			small := image.NewRGBA(image.Rect(0, 0, before.Width, before.Height))
			for p := range before.Height * before.Width {
				copy(small.Pix[4*p:], img[3*p:3*p+3])
				small.Pix[4*p+3] = 255
			}
			at := image.Rect(gap+i*(cw+gap), gap+row*(ch+gap), gap+i*(cw+gap)+cw, gap+row*(ch+gap)+ch)
			draw.NearestNeighbor.Scale(out, at, small, small.Bounds(), draw.Src, nil)
		}
	}
	return png.Encode(w, out)
}
