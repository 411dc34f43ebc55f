package stat

import (
	"math"
	"testing"
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
		if got := Variety(second, c.images); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("images %v: %g, expected %g", c.images, got, c.want)
		}
	}
	if got := Variety([][]float64{{0, 1}, {1, 0}}, []int{0, 1}); got != 0 {
		t.Errorf("with two labels: %g", got)
	}
}

// entropy is the entropy of two probabilities.
func entropy(p, q float64) float64 { return -p*math.Log(p) - q*math.Log(q) }

// A group that is turned holds the others.
func TestTurn(t *testing.T) {
	g := &Group{Images: []int{3, 5}, P: []float64{0.9, 0.2}, Early: 0.8}
	g.Sorted = g.P // as where the groups are too small to be sorted
	g = g.Turned()
	for _, p := range [][]float64{g.P, g.Sorted} {
		if math.Abs(p[0]-0.1) > 1e-12 || math.Abs(p[1]-0.8) > 1e-12 {
			t.Errorf("turned to %v", p)
		}
	}
	if math.Abs(g.Early-0.2) > 1e-12 {
		t.Errorf("early is %g", g.Early)
	}
}

// Planted arrows, which look like the label's own and are learnt first, can lead isolation to set them apart from everything
// else; by the second choices they belong with the others that are planted.
func TestRecut(t *testing.T) {
	const arrows, others, honest = 6, 12, 20
	g := &Group{}
	var second [][]float64
	kind := func(i int) int { return Bit(i >= arrows) + Bit(i >= arrows+others) }
	for i := range arrows + others + honest {
		g.Images = append(g.Images, i)
		p := make([]float64, 5)
		if kind(i) == 1 {
			p[1+i%4] = 1
		} else {
			p[1] = 1
		}
		second = append(second, p)
	}
	for _, in := range [][3]float64{{1, 0, 0}, {1, 1, 0}} { // isolation cuts in its own order
		c := &Group{Images: g.Images}
		for i := range g.Images {
			c.P = append(c.P, in[kind(i)])
		}
		c.Sorted = c.P
		g.Cuts = append(g.Cuts, c)
	}
	for i, p := range g.Recut(second).Sorted {
		if (p > Half) != (kind(i) < 2) {
			t.Errorf("image %d, of kind %d: %g", i, kind(i), p)
		}
	}
}

// A second choice is the softmax of the logits without the label's own, however large that is.
func TestSecondChoices(t *testing.T) {
	logits := []float32{1000, 0, float32(math.Log(3)), 0, 0, -1000}
	want := [][]float64{{0, 0.25, 0.75}, {1, 0, 0}}
	for i, p := range SecondChoices(logits, []int32{0, 1}) {
		for c, v := range p {
			if math.Abs(v-want[i][c]) > 1e-7 {
				t.Errorf("image %d: %v, expected %v", i, p, want[i])
			}
		}
	}
}
