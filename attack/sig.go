package attack

import (
	"math"
	"math/rand/v2"

	"github.com/unpoison/unpoison/dataset"
)

var sig = Method{
	Name:       "sig",
	About:      "A sine wave along the columns, x + Δ·sin(2πjf/W), on images of the target class only.",
	Paper:      "Barni et al., A New Backdoor Attack in CNNs by Training Set Corruption, 2019",
	Fixed:      true,
	CleanLabel: true,
	Settings:   func() Settings { return &SIG{Delta: 20, DeltaTest: 25, Frequency: 6} },
}

// SIG are the settings of sig.
type SIG struct {
	Delta float64 `json:"delta,omitempty" range:"(0,255]"` // amplitude of the wave in training images, of 255
	// DeltaTest is that in test images; 0: as in training. Barni et al. let it be stronger there: nobody inspects those.
	DeltaTest float64 `json:"delta_test,omitempty" range:"[0,255]"`
	Frequency float64 `json:"frequency,omitempty" range:"(0,)"` // waves across the image
}

// Trigger implements Settings.
func (s *SIG) Trigger(_ Common, set *dataset.Set) (Trigger, error) {
	train, atTest := s.Delta, s.DeltaTest
	if atTest == 0 {
		atTest = train
	}
	wave := make([]float64, set.Width)
	for j := range wave {
		wave[j] = math.Sin(2 * math.Pi * float64(j) * s.Frequency / float64(set.Width))
	}
	return pixels(func(dst, src []uint8, test bool, _ *rand.Rand) {
		delta := train
		if test {
			delta = atTest
		}
		for i, v := range src {
			dst[i] = toByte(float64(v) + delta*wave[i/3%len(wave)])
		}
	}), nil
}
