package repair

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/model"
)

// Each method gives a network of its own and leaves the one that it was given.
func TestUnlearnMethods(t *testing.T) {
	b := backdoored(t)
	before := b.state.Clone()
	o := DefaultUnlearn(0)
	o.Batch, o.Epochs, o.Scratch, o.Pretrained = 64, 1, 1, b.net.Init(7)
	j := &UnlearnJob{Backend: b.engine, Network: b.net, State: b.state, Data: b.train, Options: o}
	for i, p := range b.poisoned {
		if p && len(j.Isolated) < 30 {
			j.Isolated = append(j.Isolated, i)
		} else {
			j.Kept = append(j.Kept, i)
		}
	}
	weight, bias := b.state.Classifier()
	asr := map[string]float64{}
	for _, m := range UnlearnMethods() {
		s, err := Unlearn(context.Background(), m, j)
		if err != nil {
			t.Fatalf("%s: %v", m.Name, err)
		}
		for i := range b.state {
			if !slices.Equal(before[i].Data, b.state[i].Data) {
				t.Fatalf("%s changed the network that it was given", m.Name)
			}
			same := slices.Equal(before[i].Data, s[i].Data)
			if m.Name == "ft-last" && same == (s[i].Name == weight.Name || s[i].Name == bias.Name) {
				t.Errorf("ft-last: tensor %s changed: %v", s[i].Name, !same)
			}
		}
		asr[m.Name] = b.accuracy(t, s, b.triggered)
	}
	t.Log(asr)
	if asr["label-smooth"] < 0.5 {
		t.Errorf("smoothed labels took the backdoor out: %v", asr)
	}
	if asr["label-shuffle"] > asr["label-smooth"] {
		t.Errorf("shuffled labels unlearn less than smoothed ones: %v", asr)
	}
	if _, err := UnlearnMethodNamed("magic"); err == nil || !strings.Contains(err.Error(), "ft-all") {
		t.Errorf("an unknown method: %v", err)
	}
	m, err := UnlearnMethodNamed("ft-pretrained")
	if err != nil {
		t.Fatal(err)
	}
	other := j.Options.Pretrained.Clone()
	other[0].Dims = append([]int{1}, other[0].Dims...)
	j.Options.Pretrained = other
	if _, err := Unlearn(context.Background(), m, j); err == nil || !strings.Contains(err.Error(), other[0].Name) {
		t.Errorf("a network that fits in part is taken: %v", err)
	}
	j.Options.Pretrained = nil
	if _, err := Unlearn(context.Background(), m, j); err == nil {
		t.Error("ft-pretrained ran without a network")
	}
	j.Isolated = nil
	if _, err := Unlearn(context.Background(), m, j); err == nil {
		t.Error("nothing was unlearnt")
	}
}

// Steps get smaller with the set: a training has more than one an epoch.
func TestStepsOfSmallSets(t *testing.T) {
	for kept, want := range map[int]int{0: 128, 1 << 20: 128, 512: 128, 511: 64, 116: 16, 5: 8} {
		if got := DefaultUnlearn(kept).Batch; got != want {
			t.Errorf("%d kept images: %d a step, expected %d", kept, got, want)
		}
	}
	for images, want := range map[int]int{0: 64, 256: 64, 255: 32, 5: 8} {
		if got := Defaults("fp", images).Batch; got != want {
			t.Errorf("%d clean images: %d a step, expected %d", images, got, want)
		}
	}
}

// A network that was trained on other data gives its last layer only to classes of the same names.
func TestAForeignClassifierIsNotTaken(t *testing.T) {
	b := backdoored(t)
	data := b.train.View([]int{0, 1, 2, 3, 4, 5, 6, 7})
	o := DefaultUnlearn(0)
	o.Batch, o.Epochs, o.Rate, o.Pretrained = 8, 1, 1e-12, b.net.Init(7) // a rate that changes nothing
	other := slices.Clone(data.Classes)
	other[0] = "another"
	turned := slices.Clone(data.Classes)
	slices.Reverse(turned)
	own, _ := b.net.Init(0).Classifier()
	foreign, _ := o.Pretrained.Classifier()
	back, _ := o.Pretrained.ForClasses(turned, data.Classes)
	reversed, _ := back.Classifier()
	for name, c := range map[string]struct {
		classes []string
		want    *model.Tensor
	}{"unknown": {nil, own}, "other": {other, own}, "same": {data.Classes, foreign}, "turned": {turned, reversed}} {
		o.PretrainedClasses = c.classes
		j := &UnlearnJob{Backend: b.engine, Network: b.net, State: b.state, Data: data, Kept: []int{0, 1, 2, 3, 4, 5, 6, 7}, Options: o}
		s, err := fineTunePretrained(context.Background(), j)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := s.Classifier()
		if !slices.EqualFunc(got.Data, c.want.Data, func(x, y float32) bool { return x-y < 1e-6 && y-x < 1e-6 }) {
			t.Errorf("classes that are %s: the last layer is another one", name)
		}
	}
}

// No more gradients are computed once the context has ended.
func TestGradientsEnd(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	b := backdoored(t)
	o := DefaultUnlearn(0)
	o.Batch = 8
	j := &UnlearnJob{Backend: b.engine, Network: b.net, State: b.state, Data: b.train, Kept: []int{8, 9, 10, 11, 12, 13, 14, 15}, Isolated: []int{0, 1}, Options: o}
	visited := false
	if err := j.gradients(ctx, func(int, []float32) { visited = true }); !errors.Is(err, context.Canceled) || visited {
		t.Errorf("gradients: %v, visited: %v", err, visited)
	}
}
