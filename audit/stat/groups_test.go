package stat

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// cloud is some images of a label: where their features lie, and how isolation ranks them.
type cloud struct {
	label   int32
	n       int
	at      []float64 // its mean; the variation is shared, and not the same in every direction
	suspect bool      // ranked first, mostly
}

// draw returns features, labels, ranks and which images are suspects.
func draw(clouds []cloud) (features []float32, labels []int32, rank []int, suspect []bool) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range clouds {
		for range c.n {
			common := r.NormFloat64()
			for j, m := range c.at {
				features = append(features, float32(m+float64(j+1)*r.NormFloat64()+2*common))
			}
			labels, suspect = append(labels, c.label), append(suspect, c.suspect)
		}
	}
	scores := make([]float32, len(labels))
	for i := range scores {
		scores[i] = float32(r.NormFloat64())
		if !suspect[i] {
			scores[i] += 3
		}
	}
	rank = make([]int, len(labels))
	order := Iota(len(scores))
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	for k, i := range order {
		rank[i] = k
	}
	return features, labels, rank, suspect
}

func TestGroupsFindWhatIsPlanted(t *testing.T) {
	origin := []float64{0, 0, 0, 0, 0}
	features, labels, rank, suspect := draw([]cloud{
		{label: 0, n: 300, at: origin},
		{label: 0, n: 250, at: []float64{10, 0, 0, 5, -20}, suspect: true},
		{label: 1, n: 500, at: []float64{30, 0, 0, 0, 0}},
		{label: 2, n: 40, at: []float64{0, 40, 0, 0, 0}}, // few honest images among planted ones of two kinds
		{label: 2, n: 300, at: []float64{20, 40, 0, 0, 0}, suspect: true},
		{label: 2, n: 300, at: []float64{0, 80, 0, 0, 0}, suspect: true},
		{label: 3, n: 10, at: origin},
	})
	all := Groups(features, labels, rank, 4)
	for _, c := range []int{0, 2} {
		g := all[c]
		wrong := 0
		for k, i := range g.Images {
			if (g.Sorted[k] > Half) != suspect[i] {
				wrong++
			}
		}
		if share := float64(wrong) / float64(len(g.Images)); share > 0.02 {
			t.Errorf("label %d: %.3f of the images are on the wrong side", c, share)
		}
		if g.Early < 0.9 || g.Bimodality < 0.6 || g.Distance < 6 {
			t.Errorf("label %d: early %.3f, bimodality %.3f, distance %.2f", c, g.Early, g.Bimodality, g.Distance)
		}
	}
	if g := all[1]; g.Distance > 4 || g.Bimodality > 0.5 {
		t.Errorf("one kind of images: distance %.2f, bimodality %.3f", g.Distance, g.Bimodality)
	}
	if all[3] != nil {
		t.Error("ten images were parted")
	}
}

// What two labels share in variation has no say: features may be turned and stretched.
func TestGroupsDoNotDependOnScale(t *testing.T) {
	clouds := []cloud{{label: 0, n: 200, at: []float64{0, 0, 0}}, {label: 0, n: 150, at: []float64{10, 10, 0}, suspect: true}, {label: 1, n: 200, at: []float64{9, 9, 9}}}
	features, labels, rank, _ := draw(clouds)
	was := Groups(features, labels, rank, 2)[0]
	for i := range labels {
		f := features[3*i : 3*i+3]
		f[0], f[1], f[2] = 7*(f[0]+f[1]), f[1]-2*f[2], 100+f[2]/5
	}
	now := Groups(features, labels, rank, 2)[0]
	differ := 0
	for k := range was.P {
		if (was.P[k] > Half) != (now.P[k] > Half) {
			differ++
		}
	}
	if differ > 3 || math.Abs(was.Distance-now.Distance) > 0.1 {
		t.Errorf("%d of %d images changed sides, the distance from %.2f to %.2f", differ, len(was.P), was.Distance, now.Distance)
	}
}

// Features that do not vary at all, or hold one image a label, are no reason to fail.
func TestGroupsOfNothing(t *testing.T) {
	labels := make([]int32, 100)
	for _, g := range Groups(make([]float32, 300), labels, Iota(100), 2) {
		if g != nil && (g.Distance > 0 || math.IsNaN(g.Bimodality)) {
			t.Errorf("equal images lie %g apart, bimodality %g", g.Distance, g.Bimodality)
		}
	}
	if g := Groups([]float32{1, 2}, []int32{0, 1}, []int{0, 1}, 2); g[0] != nil || g[1] != nil {
		t.Error("single images were parted")
	}
}
