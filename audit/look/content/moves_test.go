package content

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
)

// chances are probabilities of images.
func chances(p ...[]float64) *stat.Softmax {
	logs := make([][]float32, len(p))
	for i, row := range p {
		for _, v := range row {
			logs[i] = append(logs[i], float32(math.Log(v)))
		}
	}
	return stat.NewSoftmax(logs, 1)
}

// confused makes what a calibrated network says of images of eight classes that are hard to tell, two of them from each other most. Of
// the images that show the class 1 a share comes under the label 0.
func confused(seed uint64, share float64) *look.Content {
	const classes, images = 8, 8000
	r := rand.New(rand.NewPCG(seed, 7))
	c := &look.Content{}
	var all [][]float64
	for range images {
		z := make([]float64, classes)
		for k := range z {
			z[k] = 2.5 * r.NormFloat64()
		}
		z[3] = z[2] + r.NormFloat64()
		p := stat.LogSoftmax(z, 1)
		u, shows := r.Float64(), 0
		for k := range p {
			p[k] = math.Exp(p[k])
		}
		for shows < classes-1 && u > p[shows] {
			u -= p[shows]
			shows++
		}
		label := shows
		if shows == 1 && r.Float64() < share {
			label = 0
		}
		all, c.Labels, c.Own = append(all, p), append(c.Labels, int32(label)), append(c.Own, p[label])
	}
	c.P = chances(all...)
	return c
}

// Moves both ways are none, also where one way has a few images less than count as moves.
func TestFewMovesTheWayBackCount(t *testing.T) {
	evidence := func(to, back int) float64 {
		c := &look.Content{}
		var all [][]float64
		add := func(n, shows, label int) {
			for range n {
				p := []float64{0.0004, 0.0004, 0.0004}
				p[shows] = 0.9992
				all, c.Labels, c.Own = append(all, p), append(c.Labels, int32(label)), append(c.Own, p[label])
			}
		}
		for class, n := range []int{500 - back, 500 - to, 500} {
			add(n, class, class)
		}
		add(to, 1, 0)
		add(back, 0, 1)
		c.P = chances(all...)
		return flipsOf(c)[0].pair.Evidence
	}
	if got := evidence(fewest, 0); got < ofPair {
		t.Errorf("%d one way: %.1f nats", fewest, got)
	}
	for back := fewest - 2; back <= fewest; back++ {
		if got := evidence(fewest, back); got >= 1 {
			t.Errorf("%d one way and %d back: %.1f nats", fewest, back, got)
		}
	}
}

// Images that come from one class are told by the way back, which nobody goes, and confusion that goes both ways is none.
func TestMovesFromOneClass(t *testing.T) {
	for seed := range uint64(5) {
		for label, f := range flipsOf(confused(seed, 0)) {
			if f.pair.Evidence >= ofPair || f.Evidence >= evidence {
				t.Errorf("seed %d, nothing was moved: %.1f and %.1f nats for the label %d", seed, f.pair.Evidence, f.Evidence, label)
			}
		}
		content := confused(seed, 0.12)
		for label, f := range flipsOf(content) {
			if found := f.pair.Evidence >= ofPair; found != (label == 0) {
				t.Errorf("seed %d: %.1f nats for moves from %d to %d", seed, f.pair.Evidence, f.pair.from, label)
			}
			if label != 0 {
				continue
			}
			if f.pair.from != 1 || math.Abs(f.pair.Rate-0.12) > 0.03 {
				t.Errorf("seed %d: %.3f of class %d came", seed, f.pair.Rate, f.pair.from)
			}
			if f.Evidence = 0; !f.one() || *f.facts(false).From != 1 {
				t.Errorf("seed %d: not from one class", seed)
			}
			odds := f.odds(content)
			for i := range content.Labels { // an image is suspected by what it shows
				p := content.P.Row(i)
				if content.Labels[i] == 0 && (odds(i) > 0) != (f.moved(p) > max(content.Own[i], leastOwn)) {
					t.Fatalf("image %d, %v: odds %g", i, p, odds(i))
				}
			}
		}
	}
}
