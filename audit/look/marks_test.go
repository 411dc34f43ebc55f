package look

import (
	"context"
	"math"
	"testing"

	"github.com/unpoison/unpoison/rng"
)

// A mark on images of labels that are hard to tell for all of their images contradicts no label, and neither do images of which nothing
// is known.
func TestWeighComparesWithinLabels(t *testing.T) {
	labels, shows := make([]int32, 400), make([]int, 400)
	carriers := make([]float32, 400)
	for i := range labels {
		labels[i] = int32(i % 4)
		shows[i] = int(labels[i])
		if labels[i] < 2 && i%8 < 4 { // half of the images of two labels show another class
			shows[i] = 3
		}
		if labels[i] < 2 && i/8%2 == 0 {
			carriers[i] = 1
		}
	}
	c := seen(t, labels, shows, []string{"a", "b", "c", "d"})
	r, err := c.Weigh(context.Background(), carriers)
	if err != nil || r == nil || r.Contradicted() || math.Abs(r.Suspects-r.Rest) > 0.05 {
		t.Errorf("a mark on hard labels: %+v, %v", r, err)
	}
	c.content.missing = make([]bool, len(labels))
	for i, p := range carriers {
		c.content.missing[i] = p > 0
	}
	if r, err := c.Weigh(context.Background(), carriers); err != nil || r != nil {
		t.Errorf("suspects without features: %+v, %v", r, err)
	}
}

// Where nobody looks at labels, a pattern under one is no more than a mark.
func TestPixelsAloneSayNoPoison(t *testing.T) {
	for epochs, want := range []Says{Shortcut, CantTell} { // with an ordinary network, what it does settles it
		c := seen(t, make([]int32, 20), make([]int, 20), []string{"a", "b"})
		c.Settings.Content, c.Settings.PlainEpochs = false, epochs
		carriers := c.Unasked()
		for i := range 10 {
			carriers[i] = 1
		}
		if err := c.Add(context.Background(), Evidence{Look: ByPixels, Says: Poisoned, Carriers: carriers}); err != nil {
			t.Fatal(err)
		}
		if e := c.Evidence()[0]; e.Says != want || c.open(e) != (want == CantTell) {
			t.Errorf("%d epochs: %+v", epochs, e)
		}
	}
}

// Where networks know a label little, suspects with right labels still lie where the label's images do under the pattern.
func TestSuspectsArePlaced(t *testing.T) {
	drawn := func(n int, mean float64, number int) (logs []float32) {
		r := rng.Stream(1, "logs", number)
		for range n {
			logs = append(logs, float32(mean+r.NormFloat64()))
		}
		return logs
	}
	others := drawn(500, -4, 0)
	for name, k := range map[string]struct {
		suspects, own []float32
		want          bool
	}{
		"right":          {drawn(300, -3.5, 1), drawn(160, -3.5, 2), true},
		"wrong":          {drawn(300, -4, 1), drawn(160, -3.5, 2), false},
		"nothing known":  {drawn(300, -4, 1), drawn(160, -4, 2), false},
		"few of its own": {drawn(300, -3.5, 1), drawn(20, -3.5, 2), false},
	} {
		if got := (groups{k.suspects, k.own, others}).placed(); got != k.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if m := (groups{{0, float32(math.Log(0.5))}}).mean(0); math.Abs(m-0.75) > 1e-6 {
		t.Errorf("the mean is %g", m)
	}
}
