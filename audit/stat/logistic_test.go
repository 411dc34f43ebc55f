package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Above agrees with counting pairs by their weights, and lies within what chance gives where marks mean nothing.
func TestAboveCountsPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	beyond := 0
	for range 200 {
		all := make([]Ranked, 60)
		for k := range all {
			all[k] = Ranked{At: float64(r.IntN(20)), Marked: r.IntN(3) == 0, Weight: float64(1 + r.IntN(5))}
		}
		pairs, both := 0.0, 0.0
		for _, a := range all {
			for _, b := range all {
				if a.Marked && !b.Marked {
					both += a.Weight * b.Weight
					if a.At > b.At {
						pairs += a.Weight * b.Weight
					} else if a.At == b.At {
						pairs += 0.5 * a.Weight * b.Weight
					}
				}
			}
		}
		share, z := Above(all)
		if math.Abs(share-pairs/both) > 1e-12 {
			t.Fatalf("%g, counted %g", share, pairs/both)
		}
		if math.Abs(z) > 3 {
			beyond++
		}
	}
	if beyond > 4 {
		t.Errorf("%d of 200 lie beyond three deviations", beyond)
	}
	if share, z := Above([]Ranked{{At: 1, Marked: true, Weight: 1}}); share != 0.5 || z != 0 {
		t.Errorf("one alone: %g, %g", share, z)
	}
	none := math.NaN()
	if share, _ := Above([]Ranked{{none, true, 1}, {none, false, 1}, {0, true, 1}, {-1, false, 1}}); share != 0.625 {
		t.Errorf("%g with values that are no numbers, expected 0.625", share)
	}
}

// FitLogistic finds the law that labels were drawn by, and nothing where the number says nothing.
func TestFitLogistic(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	const a, b = -1.0, 1.5
	var x, y, none []float64
	for range 20000 {
		v := 2 * r.NormFloat64()
		x = append(x, v)
		y = append(y, float64(Bit(r.Float64() < Logistic(a+b*v))))
		none = append(none, float64(Bit(r.Float64() < 0.3)))
	}
	if f := FitLogistic(x, y); math.Abs(f.Intercept-a) > 0.1 || math.Abs(f.Slope-b) > 0.1 {
		t.Errorf("%+v, expected %g and %g", f, a, b)
	}
	if f := FitLogistic(x, none); math.Abs(f.LogRatio(2)) > 0.1 {
		t.Errorf("a number that says nothing has a ratio of %g", f.LogRatio(2))
	}
	// Whatever separates, the ratio is finite and grows.
	f := FitLogistic([]float64{-2, -1, 1, 2}, []float64{0, 0, 1, 1})
	if lo, hi := f.LogRatio(-2), f.LogRatio(2); math.IsNaN(lo) || math.IsInf(hi, 0) || lo >= hi {
		t.Errorf("%+v: %g, %g", f, lo, hi)
	}
}

// Flips that a network has learnt as a floor are found again, and the other labels keep theirs.
func TestUnfloored(t *testing.T) {
	const rate, classes = 0.1, 4
	r := rand.New(rand.NewPCG(3, 3))
	var logits [][]float32
	var labels []int32
	for range 4000 {
		shows := r.IntN(classes)
		row := make([]float64, classes)
		for c := range row {
			row[c] = (1 - rate) * 0.001
			if c == shows {
				row[c] = (1 - rate) * 0.997
			}
		}
		row[0] += rate
		label := int32(shows)
		if r.Float64() < rate {
			label = 0
		}
		z := make([]float32, classes)
		for c, v := range row {
			z[c] = float32(math.Log(v))
		}
		logits, labels = append(logits, z), append(labels, label)
	}
	p := NewSoftmax(logits, 1)
	own := Unfloored(p, labels, classes)
	var mine []float64
	for i, l := range labels {
		want := p.At(i, int(l))
		if l == 0 {
			want = (want - rate) / (1 - rate)
		}
		if math.Abs(own[i]-want) > 0.02 {
			t.Fatalf("image %d has %g of its label, expected %g", i, own[i], want)
		}
		if l == 0 {
			mine = append(mine, own[i])
		}
	}
	others := len(labels) - len(mine)
	if f := counted(mine, others, 0); math.Abs(f.Rate-rate) > 0.01 || f.Evidence < 500 {
		t.Errorf("flips %+v, expected a rate of %g", f, rate)
	}
	if f := counted(mine, others, 0.2); f.Evidence != 0 {
		t.Errorf("%g nats for flips that are usual", f.Evidence)
	}
}
