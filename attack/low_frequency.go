package attack

import (
	"math"
	"math/rand/v2"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
)

var lowFrequency = Method{
	Name:     "low-frequency",
	About:    "A smooth pattern added to the whole image: noise behind a Gaussian low-pass filter.",
	Paper:    "after Zeng et al., Rethinking the Backdoor Attacks' Triggers: A Frequency Perspective, ICCV 2021",
	Settings: func() Settings { return &LowFrequency{Delta: 32, Sigma: 3} },
}

// LowFrequency are the settings of low-frequency.
type LowFrequency struct {
	Delta float64 `json:"delta,omitempty" range:"(0,255]"` // largest change of a value, of 255
	Sigma float64 `json:"sigma,omitempty" range:"(0,16]"`  // of the filter, in pixels at a side of 32; scales with the image
}

// Trigger implements Settings. Zeng et al. optimise the pattern against a network under the same filter; here it is drawn, so
// that no network takes it for the target without having learnt it.
func (s *LowFrequency) Trigger(c Common, set *dataset.Set) (Trigger, error) {
	pattern := smoothNoise(c.Seed, set.Height, set.Width, s.Sigma*float64(min(set.Height, set.Width))/32)
	var mean [3]float64
	for i, v := range pattern {
		mean[i%3] += v / float64(len(pattern)/3)
	}
	largest := 0.0
	for i := range pattern {
		pattern[i] -= mean[i%3] // no shift of the whole image
		largest = max(largest, math.Abs(pattern[i]))
	}
	for i := range pattern {
		pattern[i] *= s.Delta / largest
	}
	return pixels(func(dst, src []uint8, _ bool, _ *rand.Rand) {
		for i, v := range src {
			dst[i] = toByte(float64(v) + pattern[i])
		}
	}), nil
}

// smoothNoise returns Gaussian noise [h,w,3] behind a Gaussian filter. It is cut from a larger image, so that the filter finds
// as much noise at the border as inside.
func smoothNoise(seed uint64, h, w int, sigma float64) []float64 {
	r := rng.Stream(seed, "attack low-frequency pattern")
	pad := int(math.Ceil(3 * sigma))
	wide := w + 2*pad
	noise := make([]float64, (h+2*pad)*wide*3)
	for i := range noise {
		noise[i] = r.NormFloat64()
	}
	noise = blurred(noise, h+2*pad, wide, sigma)
	var inside []float64
	for y := range h {
		from := ((pad+y)*wide + pad) * 3
		inside = append(inside, noise[from:from+3*w]...)
	}
	return inside
}

// blurred returns an image [h,w,3] behind a Gaussian filter of sigma pixels, cut off at three of them. Border values go on.
func blurred(x []float64, h, w int, sigma float64) []float64 {
	reach := int(math.Ceil(3 * sigma))
	kernel, sum := make([]float64, 2*reach+1), 0.0
	for k := range kernel {
		t := float64(k-reach) / sigma
		kernel[k] = math.Exp(-t * t / 2)
		sum += kernel[k]
	}
	along := func(x []float64, n, stride int) []float64 { // over n places, that far apart
		y := make([]float64, len(x))
		for i := range x {
			at := i / stride % n
			for k, weight := range kernel {
				from := min(n-1, max(0, at+k-reach))
				y[i] += weight / sum * x[i+(from-at)*stride]
			}
		}
		return y
	}
	return along(along(x, w, 3), h, 3*w)
}
