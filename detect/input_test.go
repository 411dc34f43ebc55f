package detect

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/model"
)

// Every detector refuses what it can't use, whether or not anybody called Check.
func TestWrongInputIsRefused(t *testing.T) {
	ctx := context.Background()
	d := signs.Render(1, 40, 20)
	b, n := small(t, d.Train)
	whole := Input{Backend: b, Network: n, State: n.Init(1), Data: d.Train, Clean: d.Test, Rate: 0.1, Losses: make([]float32, 40)}
	if err := whole.Prepare(ctx); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(in *Input){
		"nothing":       func(in *Input) { *in = Input{} },
		"a label":       func(in *Input) { in.Data = d.Train.Clone(); in.Data.Labels[2] = 99 },
		"a clean label": func(in *Input) { in.Clean = d.Test.Clone(); in.Clean.Labels[2] = 99 },
		"a size":        func(in *Input) { in.Clean = d.Test.Clone(); in.Clean.Height, in.Clean.Width = 16, 64 },
		"classes": func(in *Input) {
			in.Clean = d.Test.Clone()
			in.Clean.Classes = in.Clean.Classes[:9]
			in.Clean.Labels[0] = 0
		},
		"features":       func(in *Input) { in.Features = in.Features[1:] },
		"logits":         func(in *Input) { in.CleanLogits = in.CleanLogits[1:] },
		"widths":         func(in *Input) { in.CleanFeatures = in.CleanFeatures[:20] },
		"no number":      func(in *Input) { in.Features = slices.Clone(in.Features); in.Features[3] = float32(math.NaN()) },
		"infinite logit": func(in *Input) { in.Logits = slices.Clone(in.Logits); in.Logits[3] = float32(math.Inf(1)) },
	} {
		in := whole
		change(&in)
		for _, by := range Builtin() {
			if out, err := by.Detect(ctx, &in); err == nil {
				t.Errorf("%s: %s says %+v", name, by.Name(), out)
			}
		}
	}
	for want, in := range map[string]Input{
		"features and logits": {Backend: b, Network: n, State: whole.State, Data: d.Train, Clean: d.Test, Rate: 0.1},
		"clean images":        {Backend: b, Network: n, State: whole.State, Data: d.Train, Features: whole.Features, Logits: whole.Logits, Rate: 0.1},
		"got NaN":             {Data: d.Train, Features: whole.Features, Rate: math.NaN()},
	} {
		by := map[string]Detector{"clean images": SCAn{}}[want]
		if by == nil {
			by = Spectral{}
		}
		if _, err := by.Detect(ctx, &in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, expected %q", err, want)
		}
	}
	if err := (&Input{Data: d.Train}).Prepare(ctx); err == nil {
		t.Error("features of no network")
	}
}

// A detector that scales batch norms says that there are none.
func TestNoBatchNorms(t *testing.T) {
	d := signs.Render(1, 40, 20)
	n, err := (&model.Architecture{Name: "bare", Build: bare}).New(len(d.Train.Classes), d.Train.Height, d.Train.Width)
	if err != nil {
		t.Fatal(err)
	}
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	in := &Input{Backend: b, Network: n, State: n.Init(1), Data: d.Train, Clean: d.Test}
	if _, err := (ParameterScaling{}).Detect(context.Background(), in); err == nil || !strings.Contains(err.Error(), "bare has none") {
		t.Error(err)
	}
}
