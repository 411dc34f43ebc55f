package checkpoint

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/internal/base/pickle"
)

// The ways in which people save a network (testdata/make_more.py) all give the same weights.
func TestPyTorchSavedInManyWays(t *testing.T) {
	_, want, _, err := Load("testdata/half.pt")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("testdata/torch")
	if err != nil || len(entries) < 13 {
		t.Fatal(len(entries), err)
	}
	for _, e := range entries {
		n, got, info, err := Load(filepath.Join("testdata/torch", e.Name()))
		if err != nil {
			t.Error(err)
			continue
		}
		if n.Arch != "small-cnn" {
			t.Errorf("%s is taken for %s", e.Name(), n.Arch)
		}
		for k := range want {
			if !slices.Equal(want[k].Data, got[k].Data) {
				t.Errorf("%s: other values in %s", e.Name(), want[k].Name)
				break
			}
		}
		if several := e.Name() == "model-and-ema.pt"; several != (len(info.Others) > 0) || several != (info.Weights == "model") {
			t.Errorf("%s: weights of %q, others %q", e.Name(), info.Weights, info.Others)
		}
	}
	_, ema, info, err := LoadWeights("testdata/torch/model-and-ema.pt", "ema.shadow")
	if err != nil || info.Weights != "ema.shadow" || math.Abs(float64(ema[0].Data[0]-want[0].Data[0]/2)) > 1e-3 {
		t.Errorf("the averaged weights: %+v, %v", info, err)
	}
	for _, key := range []string{"ema", "optimizer"} {
		if _, _, _, err := LoadWeights("testdata/torch/model-and-ema.pt", key); err == nil {
			t.Errorf("weights of %q were found", key)
		}
	}
}

// Small sets of tensors beside a large one, such as an optimizer's, are passed over, but for one that was asked for.
func TestASmallNetworkBesideALargeOne(t *testing.T) {
	one := torchTuple("0", 1, 0, pickle.Tuple{int64(1)}, pickle.Tuple{int64(1)})
	file := dict("head", dict("w", one), "optimizer", dict("m", one), "backbone", dict("a", one, "b", one, "c", one))
	for weights, want := range map[string][]string{"": {"backbone"}, "nope": {"backbone"}, "head": {"head", "backbone"}} {
		sets, err := collect(file, nil, weights)
		if err != nil {
			t.Fatal(err)
		}
		var places []string
		for _, s := range sets {
			places = append(places, s.place)
		}
		if !slices.Equal(places, want) {
			t.Errorf("weights %q: %q, expected %q", weights, places, want)
		}
	}
}
