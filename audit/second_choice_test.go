package audit

import (
	"math"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/defense"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/train"
)

// The information is that of textbook cases: log k of k labels that are sure and equally frequent, none where all images
// have the same second choice or none in particular.
func TestVariety(t *testing.T) {
	sure := func(c int) []float64 {
		p := make([]float64, 5)
		p[c] = 1
		return p
	}
	second := [][]float64{sure(1), sure(2), sure(3), sure(4), {0, 0.25, 0.25, 0.25, 0.25}, {0, 0.5, 0.5, 0, 0}}
	for _, c := range []struct {
		images []int
		want   float64
	}{
		{[]int{0, 1, 2, 3}, 1},
		{[]int{0, 1, 0, 1}, 0.5},
		{[]int{2, 2, 2}, 0},
		{[]int{4, 4}, 0},
		{[]int{0, 5}, 0.5 * (entropy(0.75, 0.25) - 0.5*math.Ln2) / math.Ln2}, // log 4 is twice log 2
		{nil, 0},
	} {
		if got := variety(second, c.images); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("images %v: %g, expected %g", c.images, got, c.want)
		}
	}
	if got := variety([][]float64{{0, 1}, {1, 0}}, []int{0, 1}); got != 0 {
		t.Errorf("with two labels: %g", got)
	}
}

// entropy is the entropy of two probabilities.
func entropy(p, q float64) float64 { return -p*math.Log(p) - q*math.Log(q) }

// A group that is turned holds the others.
func TestTurn(t *testing.T) {
	g := &group{images: []int{3, 5}, p: []float64{0.9, 0.2}, early: 0.8}
	g.sorted = g.p // as where the groups are too small to be sorted
	g = g.turned()
	for _, p := range [][]float64{g.p, g.sorted} {
		if math.Abs(p[0]-0.1) > 1e-12 || math.Abs(p[1]-0.8) > 1e-12 {
			t.Errorf("turned to %v", p)
		}
	}
	if math.Abs(g.early-0.2) > 1e-12 {
		t.Errorf("early is %g", g.early)
	}
}

// Planted arrows, which look like the label's own and are learnt first, can lead isolation to set them apart from everything
// else; by the second choices they belong with the others that are planted.
func TestRecut(t *testing.T) {
	const arrows, others, honest = 6, 12, 20
	g := &group{}
	var second [][]float64
	kind := func(i int) int { return bit(i >= arrows) + bit(i >= arrows+others) }
	for i := range arrows + others + honest {
		g.images = append(g.images, i)
		p := make([]float64, 5)
		if kind(i) == 1 {
			p[1+i%4] = 1
		} else {
			p[1] = 1
		}
		second = append(second, p)
	}
	for _, in := range [][3]float64{{1, 0, 0}, {1, 1, 0}} { // isolation cuts in its own order
		c := &group{images: g.images}
		for i := range g.images {
			c.p = append(c.p, in[kind(i)])
		}
		c.sorted = c.p
		g.cuts = append(g.cuts, c)
	}
	for i, p := range g.recut(second).sorted {
		if (p > flagged) != (kind(i) < 2) {
			t.Errorf("image %d, of kind %d: %g", i, kind(i), p)
		}
	}
}

// What was measured: blended signs (3,000, 800, and of three classes), the rarest sign beside them, honest images that SIG left, a sign of GTSRB,
// signs of which a fifth have wrong labels, GTSRB under Dynamic.
func TestMislabelled(t *testing.T) {
	for _, c := range []struct {
		variety, rest, usual float64
		wrong, otherwise     bool
	}{
		{0.602, 0.235, 0.107, true, false},
		{0.342, 0.131, 0.078, true, false},
		{0.131, 0.342, 0.078, false, true},
		{0.338, 0.192, 0.123, true, false},
		{0.221, 0.164, 0.107, false, false},
		{0.172, 0.355, 0.288, false, false},
		{0.270, 0.174, 0.130, false, false},
		{0.656, 0.031, 0.616, false, false},
		{0.442, 0.129, 0.134, true, false},
	} {
		target := &defense.Target{Variety: c.variety, RestVariety: c.rest, UsualVariety: c.usual}
		if mislabelled(target) != c.wrong || contradicted(target) != c.otherwise {
			t.Errorf("%+v: %v, %v", c, mislabelled(target), contradicted(target))
		}
	}
}

// Where the biased network found the label's honest images, the others are suspected instead if they plainly look like images of
// other labels, and none where that is not plain; what it found stays suspected otherwise.
func TestQuestion(t *testing.T) {
	const n = 200
	set := &dataset.Set{Classes: []string{"a", "b", "c", "d", "e"}, Labels: make([]int32, n)}
	one, varied := []float64{0, 1, 0, 0, 0}, func(i int) []float64 {
		p := make([]float64, 5)
		p[1+i%4] = 1
		return p
	}
	for name, c := range map[string]struct {
		foundPlanted bool
		planted      int
		usual        float64
		says, by     string
		flagged      int
	}{
		"the planted ones":          {true, 60, 0.3, defense.Poisoned, defense.ByBiased, 60},
		"the honest ones":           {false, 60, 0.3, defense.Poisoned, defense.ByLabels, 60},
		"the honest ones, it seems": {false, 60, 0.5, defense.CantTell, defense.ByBiased, 0},
		"where all labels vary":     {false, 60, 0.9, defense.Poisoned, defense.ByBiased, n - 60},
		"beside few others":         {false, 12, 0.3, defense.Poisoned, defense.ByBiased, n - 12},
	} {
		second, found := make([][]float64, n), make([]float32, n)
		for i := range n {
			second[i] = one
			if i < c.planted {
				second[i] = varied(i)
			}
			if (i < c.planted) == c.foundPlanted {
				found[i] = 0.99
			}
		}
		d := &detector{order: isolate.Iota(n), r: &train.Run{Data: set}}
		d.r.Arrays = map[string][]float32{"targets": encode([]defense.Target{{By: defense.ByBiased, Images: n, Flagged: n - c.planted, Others: 800, Agreement: 1, Rounds: 3}})}
		changed := d.question(second, found, func(int) float64 { return c.usual })
		got, flaggedNow := decode(d.r.Arrays["targets"], set.Classes)[0], 0
		for i, p := range found {
			flaggedNow += bit(p > flagged)
			if p > flagged && (i < c.planted) != (c.flagged == c.planted) {
				t.Errorf("%s: image %d is flagged", name, i)
			}
		}
		if got.Says != c.says || got.By != c.by || flaggedNow != c.flagged || (len(changed) > 0) != (c.by == defense.ByLabels || c.says == defense.CantTell) {
			t.Errorf("%s: %d flagged, %v changed, %+v", name, flaggedNow, changed, got)
		}
	}
}

// A second choice is the softmax of the logits without the label's own, however large that is.
func TestSecondChoices(t *testing.T) {
	logits := []float32{1000, 0, float32(math.Log(3)), 0, 0, -1000}
	want := [][]float64{{0, 0.25, 0.75}, {1, 0, 0}}
	for i, p := range secondChoices(logits, []int32{0, 1}) {
		for c, v := range p {
			if math.Abs(v-want[i][c]) > 1e-7 {
				t.Errorf("image %d: %v, expected %v", i, p, want[i])
			}
		}
	}
}
