package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/model"
)

// reference is what testdata/reference.py wrote.
type reference struct {
	Features      []float32 `json:"features"`
	Labels        []int32   `json:"labels"`
	Planted       []bool    `json:"planted"`
	CleanFeatures []float32 `json:"clean_features"`
	CleanLabels   []int32   `json:"clean_labels"`
	Spectral      []float64 `json:"spectral"`
	Clustering    []float64 `json:"activation-clustering"`
	SCAn          []float64 `json:"scan"`
	Maps          []float32 `json:"maps"`
	Gram          []float64 `json:"gram"`
	Shares        []float64 `json:"shares"`
	Rates         []int     `json:"rates"`
	Losses        []float32 `json:"losses"`
	Fits          []bool    `json:"fits"`
	Ratios        []float64 `json:"ratios"`
	Confused      []bool    `json:"confused"`
}

func readReference(t *testing.T) (*reference, *Input) {
	t.Helper()
	raw := testfile.Read(t, "testdata/reference.json")
	var r reference
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	classes := []string{"a", "b", "c"}
	in := &Input{
		Data: &dataset.Set{Classes: classes, Labels: r.Labels}, Features: r.Features,
		Clean: &dataset.Set{Classes: classes, Labels: r.CleanLabels}, CleanFeatures: r.CleanFeatures, Rate: 0.08,
	}
	return &r, in
}

func near(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Abs(got[i]-want[i]) > 1e-4*(1+math.Abs(want[i])) {
			t.Fatalf("%s, image %d: %g, want %g", what, i, got[i], want[i])
		}
	}
}

// TestAgreesWithNumPy compares the scores with those of short twins in NumPy.
func TestAgreesWithNumPy(t *testing.T) {
	r, in := readReference(t)
	for _, c := range []struct {
		d    Detector
		want []float64
	}{{Spectral{}, r.Spectral}, {ActivationClustering{}, r.Clustering}, {SCAn{}, r.SCAn}} {
		if err := in.Check(c.d); err != nil {
			t.Fatal(err)
		}
		out, err := c.d.Detect(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		near(t, c.d.Name(), out.Scores, c.want)
		// What was planted in the first label ranks before its other images.
		var order []float32
		for _, s := range out.Scores[:50] {
			order = append(order, float32(-s))
		}
		if q := evaluate.RankQuality(evaluate.Order(order), 12, r.Planted[:50]); q.AUROC < 0.8 {
			t.Errorf("%s: AUROC within the label %.2f", c.d.Name(), q.AUROC)
		}
	}
	var got []float64
	for _, v := range gram(r.Maps, 4, nil) {
		got = append(got, float64(v))
	}
	near(t, "gram", got, r.Gram)
}

// Labels without images, or with too few, change nothing of what is said of the others.
func TestEmptyLabelsAreNoLabels(t *testing.T) {
	_, in := readReference(t)
	few := *in
	classes := []string{"a", "b", "c", "none", "few", "none either"}
	width := len(in.Features) / in.Data.Len()
	few.Data = &dataset.Set{Classes: classes, Labels: append(slices.Clone(in.Data.Labels), 4, 4)}
	few.Clean = &dataset.Set{Classes: classes, Labels: in.Clean.Labels}
	few.Features = append(slices.Clone(in.Features), make([]float32, 2*width)...)
	for _, d := range []Detector{SCAn{}, ActivationClustering{}} {
		want, err := d.Detect(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Detect(context.Background(), &few)
		if err != nil {
			t.Fatal(err)
		}
		n := in.Data.Len()
		if !slices.Equal(got.Scores[:n], want.Scores) || !slices.Equal(got.Flagged[:n], want.Flagged) || got.Scores[n] != 0 || got.Flagged[n] {
			t.Errorf("%s: other scores beside empty labels", d.Name())
		}
	}
}

// TestConfusedAgreesWithNumPy compares the likelihood ratios of confusion training, and what it flags by them.
func TestConfusedAgreesWithNumPy(t *testing.T) {
	r, in := readReference(t)
	var ratios []float64
	own := make([]float32, len(r.Fits)) // logits
	for i, fits := range r.Fits {
		if fits {
			own[i] = 1
		}
	}
	for _, images := range byLabel(in.Data) {
		ratios = append(ratios, likelihoodRatio(images, r.Features, r.Losses, own))
	}
	near(t, "likelihood ratio", ratios, r.Ratios)
	out := confused(byLabel(in.Data), r.Features, r.Losses, own)
	if !slices.Equal(out.Flagged, r.Confused) {
		t.Errorf("flagged %v, want %v", out.Flagged, r.Confused)
	}
	alone := confused(byLabel(in.Data)[1:], r.Features, r.Losses, own) // the highest ratio is below 1.5
	if slices.Contains(alone.Flagged, true) {
		t.Errorf("flagged %v without the planted class, want nothing", alone.Flagged)
	}
	at := slices.Index(r.Confused, true)
	own[at] = 0.55 // fitted, and not flagged
	if some := confused(byLabel(in.Data), r.Features, r.Losses, own); some.Flagged[at] || !slices.Contains(some.Flagged, true) {
		t.Errorf("flagged %v with a logit of 0.55, image %d", some.Flagged, at)
	}
}

// The rate of channels that are left out is the authors' choice.
func TestDropRateAgreesWithNumPy(t *testing.T) {
	r, _ := readReference(t)
	n := len(dropRates)
	enough := 0
	for k, want := range r.Rates {
		var of [2][]dropShift
		for side := range of {
			for _, share := range r.Shares[(2*k+side)*n:][:n] {
				of[side] = append(of[side], dropShift{share: share})
			}
		}
		if of[0][n-1].share >= dropShifted {
			enough++
		}
		if got := bestRate(of[0], of[1]); got != want {
			t.Errorf("case %d: the rate %g, want %g", k, dropRates[got], dropRates[want])
		}
	}
	if enough == 0 || enough == len(r.Rates) {
		t.Errorf("in %d of %d cases enough clean images change their class", enough, len(r.Rates))
	}
}

// small is a network for a set, and what computes it.
func small(t *testing.T, set *dataset.Set) (backends.Backend, *model.Network) {
	t.Helper()
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.New("small-cnn", len(set.Classes), set.Height, set.Width)
	if err != nil {
		t.Fatal(err)
	}
	return b, n
}

// A network that makes no numbers has no accuracy that says how far to scale it.
func TestParameterScalingRefusesNoNumbers(t *testing.T) {
	set := signs.Render(1, 60, 0).Train
	b, n := small(t, set)
	state := n.Init(1)
	for _, x := range state {
		for k := range x.Data {
			x.Data[k] = float32(math.NaN())
		}
	}
	_, err := ParameterScaling{}.Detect(context.Background(), &Input{Backend: b, Network: n, State: state, Data: set, Clean: set})
	if !errors.Is(err, evaluate.ErrNotFinite) {
		t.Fatal(err)
	}
}

// SCALE-UP counts under how many of the published scales an image keeps its label, and flags it from three of the five on.
func TestScaleUpCountsThePublishedScales(t *testing.T) {
	set := signs.Render(1, 60, 0).Train
	b, n := small(t, set)
	in := &Input{Backend: b, Network: n, State: n.Init(1), Data: set}
	got, err := ScaleUp{}.Detect(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	eval, err := evaluate.Of(b, n, in.State)
	if err != nil {
		t.Fatal(err)
	}
	kept := make([]int, set.Len())
	for _, scale := range []int{3, 5, 7, 9, 11} {
		scaled := set.Clone()
		for k, v := range scaled.Pixels {
			scaled.Pixels[k] = uint8(min(255, scale*int(v)))
		}
		if err := eval.Logits(context.Background(), scaled, func(i int, z []float32) {
			kept[i] += stat.Bit(evaluate.TopClass(z) == int(set.Labels[i]))
		}); err != nil {
			t.Fatal(err)
		}
	}
	for i, k := range kept {
		if math.Abs(got.Scores[i]-float64(k)/5) > 1e-9 || got.Flagged[i] != (k >= 3) {
			t.Errorf("image %d keeps its label under %d scales: score %g, flagged %v", i, k, got.Scores[i], got.Flagged[i])
		}
	}
	if slices.Max(kept) < 3 || slices.Min(kept) > 2 {
		t.Errorf("all images are alike: %v", kept)
	}
}

// TestNeeds wants an error that names what a detector was not given.
func TestNeeds(t *testing.T) {
	set := &dataset.Set{Classes: []string{"a", "b"}, Labels: []int32{0, 1}}
	for _, d := range Builtin() {
		err := (&Input{Data: set}).Check(d)
		if (err == nil) != (d.Needs() == 0) {
			t.Errorf("%s needs %v, got the error %v", d.Name(), d.Needs(), err)
		}
	}
	if got := fmt.Sprint(Clean | Rate); got != "clean images, the rate" {
		t.Errorf("needs read %q", got)
	}
}

// TestFolded keeps the mean over channels.
func TestFolded(t *testing.T) {
	got := folded([]float32{1, 3, 5, 7, 2, 2, 4, 4}, 4, 2)
	for i, want := range []float32{2, 6, 2, 4} {
		if got[i] != want {
			t.Fatalf("folded %v", got)
		}
	}
}
