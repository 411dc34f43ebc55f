package attack

import (
	"fmt"
	"math"
	"math/rand/v2"
)

var sig = Method{
	Name:       "sig",
	About:      "A sine wave along the columns, x + Δ·sin(2πjf/W), on images of the target class only.",
	Paper:      "Barni et al., A New Backdoor Attack in CNNs by Training Set Corruption Without Label Poisoning, 2019",
	CleanLabel: true,
	New: func(c Config, h, w int) (Trigger, error) {
		if c.Delta <= 0 || c.Delta > 255 || c.Frequency <= 0 {
			return nil, fmt.Errorf("delta %g and frequency %g, expected 0 < delta ≤ 255 and a positive frequency", c.Delta, c.Frequency)
		}
		s := &wave{h: h, w: w, add: make([]float64, w)}
		for j := range s.add {
			s.add[j] = c.Delta * math.Sin(2*math.Pi*float64(j)*c.Frequency/float64(w))
		}
		return s, nil
	},
}

type wave struct {
	ready
	h, w int
	add  []float64
}

func (s *wave) Apply(dst, src []uint8, _ bool, _ *rand.Rand) {
	for i, v := range src {
		dst[i] = toByte(float64(v) + s.add[i/3%s.w])
	}
}
