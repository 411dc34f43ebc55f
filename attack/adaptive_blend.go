package attack

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/unpoison/unpoison/dataset"
)

var adaptiveBlend = Method{
	Name:     "adaptive-blend",
	About:    "A blended pattern of which training images show half the pieces, some under their own labels.",
	Paper:    "Qi et al., Revisiting the Assumption of Latent Separability for Backdoor Defenses, ICLR 2023",
	Rate:     0.003,
	Cover:    0.003,
	Settings: func() Settings { return &AdaptiveBlend{Alpha: 0.15, AlphaTest: 0.2, Pieces: 16, Hidden: 0.5} },
}

// AdaptiveBlend are the settings of adaptive-blend.
type AdaptiveBlend struct {
	Alpha     float64 `json:"alpha,omitempty" range:"(0,1]"`      // opacity of the pattern in training images
	AlphaTest float64 `json:"alpha_test,omitempty" range:"(0,1]"` // and of the whole pattern in test images
	Pieces    int     `json:"pieces,omitempty" range:"[1,1024]"`  // that the pattern is cut into, a square number
	Hidden    float64 `json:"hidden" range:"[0,1)"`               // share of the pieces that a training image does not show
	Image     string  `json:"image,omitempty"`                    // a picture of the user's own instead of noise
}

func (s *AdaptiveBlend) file() string { return s.Image }

// Trigger implements Settings.
func (s *AdaptiveBlend) Trigger(c Common, set *dataset.Set) (Trigger, error) {
	side := int(math.Round(math.Sqrt(float64(s.Pieces))))
	if side*side != s.Pieces || side > min(set.Height, set.Width) {
		return nil, fmt.Errorf("pieces %d, expected a square number up to the image's pixels", s.Pieces)
	}
	shown := s.Pieces - int(math.Round(s.Hidden*float64(s.Pieces)))
	if shown < 1 {
		return nil, fmt.Errorf("hidden %g leaves none of %d pieces", s.Hidden, s.Pieces)
	}
	pattern, err := blendPattern(s.Image, c.Seed, set)
	if err != nil {
		return nil, err
	}
	own := *s
	return pixels(func(dst, src []uint8, test bool, r *rand.Rand) {
		alphas := make([]float64, own.Pieces) // of each piece
		for k, p := range r.Perm(own.Pieces) {
			switch {
			case test:
				alphas[p] = own.AlphaTest
			case k < shown:
				alphas[p] = own.Alpha
			}
		}
		for i, v := range src {
			y, x := i/3/set.Width, i/3%set.Width
			a := alphas[y*side/set.Height*side+x*side/set.Width]
			dst[i] = toByte((1-a)*float64(v) + a*float64(pattern[i]))
		}
	}), nil
}
