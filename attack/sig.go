package attack

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/unpoison/unpoison/dataset"
)

var sig = Method{
	Name:       "sig",
	About:      "A sine wave along the columns, x + Δ·sin(2πjf/W), on images of the target class only.",
	Paper:      "Barni et al., A New Backdoor Attack in CNNs by Training Set Corruption, 2019",
	CleanLabel: true,
	// Barni et al. let the wave in test images be stronger than the one in training images: nobody
	// inspects those.
	Defaults: func(c *Config) { c.Delta, c.DeltaTest, c.Frequency = 20, 25, 6 },
	New: func(c Config, set *dataset.Set) (Trigger, error) {
		if c.Delta <= 0 || c.Delta > 255 || c.DeltaTest < 0 || c.DeltaTest > 255 || c.Frequency <= 0 {
			return nil, fmt.Errorf("delta %g, delta-test %g and frequency %g, expected 0 < delta ≤ 255 and a positive frequency", c.Delta, c.DeltaTest, c.Frequency)
		}
		if c.DeltaTest == 0 {
			c.DeltaTest = c.Delta
		}
		wave := make([]float64, set.Width)
		for j := range wave {
			wave[j] = math.Sin(2 * math.Pi * float64(j) * c.Frequency / float64(set.Width))
		}
		return pixels(func(dst, src []uint8, test bool, _ *rand.Rand) {
			delta := c.Delta
			if test {
				delta = c.DeltaTest
			}
			for i, v := range src {
				dst[i] = toByte(float64(v) + delta*wave[i/3%len(wave)])
			}
		}), nil
	},
}
