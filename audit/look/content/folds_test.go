package content

import (
	"math"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// Clusters stay together, and each fold has about its share of cases and of controls, even where clusters hold only either.
func TestBalancedKeepsClustersTogether(t *testing.T) {
	const folds = 5
	r := rng.Stream(1, "balanced")
	cases, controls, in := rng.Iota(100), []int(nil), map[int]int{}
	for i := range 300 {
		controls = append(controls, 100+i)
		in[100+i] = 10 + r.IntN(20) // 10 to 19: both
	}
	for i := range cases {
		in[i] = r.IntN(20)
	}
	fold := balanced(cases, controls, in, folds)
	of := map[int]int{}
	var n [2][folds]int
	for i, f := range fold {
		if other, ok := of[in[i]]; ok && other != f {
			t.Fatalf("cluster %d is in folds %d and %d", in[i], other, f)
		}
		of[in[i]] = f
		n[stat.Bit(i >= 100)][f]++
	}
	for f := range folds {
		if n[0][f] < 12 || n[0][f] > 30 || n[1][f] < 36 || n[1][f] > 90 {
			t.Errorf("fold %d has %d of 100 cases and %d of 300 controls", f, n[0][f], n[1][f])
		}
	}
}

// Copies of one image, whatever their label, are in one fold, though that is more than its share: a network that learnt one would
// know the others.
func TestCopiesStayInOneFold(t *testing.T) {
	const copies, n = 30, 120
	set := &dataset.Set{Height: 16, Width: 16, Classes: []string{"a", "b"}, Labels: make([]int32, n)}
	r := rng.Stream(1, "copies")
	first := make([]uint8, 16*16*3)
	for k := range first {
		first[k] = uint8(r.IntN(256))
	}
	for i := range n {
		for k, v := range first {
			if i >= copies {
				v = uint8(r.IntN(256))
			}
			set.Pixels = append(set.Pixels, v^uint8(k&i&1)) // all have the same colours
		}
	}
	c, err := look.NewCase(&train.Run{Data: set}, look.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	l := lesson{question: question{labels: []int{0}}, cases: rng.Iota(40), alike: rng.Iota(n)[40:]}
	fold := foldsOf(c, l, 5, 0)
	n0 := map[int]bool{}
	for i := range n {
		if i < copies && fold[i] != fold[0] {
			t.Errorf("copy %d is in fold %d, the first in %d", i, fold[i], fold[0])
		}
		n0[fold[i]] = true
	}
	if len(n0) != 5 {
		t.Errorf("folds used: %v", n0)
	}
}

// Of images that are all alike, no case was judged by a network that knew another: then they have nothing in common that is known.
func TestOneWitnessIsNone(t *testing.T) {
	const n = 60
	set := &dataset.Set{Height: 16, Width: 16, Classes: []string{"a", "b"}, Labels: make([]int32, n)}
	r := rng.Stream(1, "one")
	for i := range n {
		for k := range 16 * 16 * 3 {
			v := uint8(200 * (k & 1))
			if i >= 20 {
				v = uint8(r.IntN(256))
			}
			set.Pixels = append(set.Pixels, v)
		}
	}
	b, err := engines.New("cpu", 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := look.NewCase(&train.Run{Data: set, Backend: b}, look.Settings{Steps: look.Steps{Round: 30}})
	if err != nil {
		t.Fatal(err)
	}
	l := lesson{question: question{labels: []int{0}}, cases: rng.Iota(20), matched: rng.Iota(20), alike: rng.Iota(n)[20:]}
	p := make([]float64, n)
	for i := range p {
		p[i] = 0.9
	}
	l.weigh(nil, p)
	for _, j := range l.alike {
		l.weight[j] = 0.9
	}
	got, err := tell(t.Context(), c, l, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if m := got.common(l); m.inCommon > 0 {
		t.Errorf("copies of one image have in common: %+v", m)
	}
}

func TestColoursAreShares(t *testing.T) {
	want := map[int]float64{0: 0.5, 63: 0.5}
	for k, root := range colours([]uint8{0, 0, 0, 255, 255, 255, 255, 255, 200, 0, 0, 63}) {
		if got := root * root; math.Abs(got-want[k]) > 1e-9 {
			t.Errorf("colour %d has the share %g, expected %g", k, got, want[k])
		}
	}
}
