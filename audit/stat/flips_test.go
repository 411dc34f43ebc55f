package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// drawn makes labels as a calibrated network of so many classes would expect them, and sends a share of the images to label 0.
// It returns the probabilities of the labels under which the images came.
func drawn(seed uint64, images, classes int, rate float64) (own [][]float64, flipped int) {
	r := rand.New(rand.NewPCG(seed, 1))
	own = make([][]float64, classes)
	z := make([]float64, classes)
	for range images {
		for c := range z {
			z[c] = 2.5 * r.NormFloat64()
		}
		p := LogSoftmax(z, 1)
		u, label := r.Float64(), 0
		for label < classes-1 && u > math.Exp(p[label]) {
			u -= math.Exp(p[label])
			label++
		}
		if r.Float64() < rate {
			if label != 0 {
				flipped++
			}
			label = 0
		}
		own[label] = append(own[label], math.Exp(p[label]))
	}
	return own, flipped
}

// counted returns the rate of flips that MoveRate finds, and the evidence.
func counted(own []float64, others int, usual float64) Flips {
	ratios := FlipRatios(own)
	rate := MoveRate(ratios, others)
	return Flips{rate, MoveEvidence(ratios, others, rate, usual)}
}

// TestFlipRates finds the rate where labels were sent to one label, and next to nothing where none were.
func TestFlipRates(t *testing.T) {
	const images = 10000
	for seed := range uint64(20) {
		for _, rate := range []float64{0, 0.003, 0.01, 0.1} {
			own, _ := drawn(seed, images, 10, rate)
			for c := range own {
				f := counted(own[c], images-len(own[c]), 0)
				switch {
				case c > 0 || rate == 0:
					if f.Evidence > 8 { // twice this is χ² with one degree of freedom: p = 6e-5
						t.Errorf("seed %d, rate %g: %.1f nats for flips to the honest label %d", seed, rate, f.Evidence, c)
					}
				case math.Abs(f.Rate-rate) > 0.3*rate+0.001:
					t.Errorf("seed %d: rate %.4f found, %.4f true", seed, f.Rate, rate)
				case rate >= 0.01 && f.Evidence < 20:
					t.Errorf("seed %d, rate %g: only %.1f nats", seed, rate, f.Evidence)
				}
			}
		}
	}
}

// TestEvidenceIsTheGainInLikelihood compares with the formula at the rate that was found and beside it.
func TestEvidenceIsTheGainInLikelihood(t *testing.T) {
	own := []float64{0.9, 0.8, 0.001, 0.0005, 0.3}
	const others = 95
	l := func(e float64) float64 {
		sum := others * math.Log(1-e)
		for _, p := range own {
			sum += math.Log((1-e)*p+e) - math.Log(p)
		}
		return sum
	}
	f := counted(own, others, 0)
	if math.Abs(f.Evidence-l(f.Rate)) > 1e-6 {
		t.Errorf("evidence %g, the formula says %g", f.Evidence, l(f.Rate))
	}
	for _, e := range []float64{f.Rate / 1.1, f.Rate * 1.1} {
		if l(e) > f.Evidence {
			t.Errorf("a rate of %g is likelier than the one found, %g", e, f.Rate)
		}
	}
}

// TestTemperature finds by how much logits were made too sure.
func TestTemperature(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	var logits [][]float32
	var labels []int32
	for range 20000 {
		z := []float64{2 * r.NormFloat64(), 2 * r.NormFloat64(), 2 * r.NormFloat64()}
		p := LogSoftmax(z, 1)
		u, label := r.Float64(), 0
		for label < 2 && u > math.Exp(p[label]) {
			u -= math.Exp(p[label])
			label++
		}
		row := make([]float32, len(z))
		for c := range z {
			row[c] = float32(1.7 * z[c])
		}
		logits, labels = append(logits, row), append(labels, int32(label))
	}
	if got := Temperature(logits, labels); math.Abs(got-1.7) > 0.08 {
		t.Errorf("temperature %.3f, want 1.7", got)
	}
}
