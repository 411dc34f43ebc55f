package repair

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // a network's layers read as mathematics

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/testkit/planted"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// backdoor is a small network that was trained on poisoned signs, which all tests share and none changes.
type backdoor struct {
	engine          *cpu.Backend
	net             *model.Network
	state           model.State
	train           *dataset.Set
	poisoned        []bool
	clean           *dataset.Set // a few images
	test, triggered *dataset.Set
}

var trained struct {
	sync.Once
	b *backdoor
}

func backdoored(t *testing.T) *backdoor {
	t.Helper()
	trained.Do(func() {
		p := planted.Render(t, 5, 600, 100)
		b := &backdoor{train: p.Train, poisoned: p.Poisoned, clean: p.Clean.Subset(rng.Shuffle(1, "clean", p.Clean.Len())[:160]), test: p.Test, triggered: p.Triggered}
		var err error
		if b.engine, err = cpu.New(""); err != nil {
			t.Fatal(err)
		}
		if b.net, err = model.New("small-cnn", 10, 32, 32); err != nil {
			t.Fatal(err)
		}
		b.state = b.net.Init(0)
		tune := &train.Phase{Name: "test", Data: p.Train, Indices: rng.Iota(p.Train.Len()), Batch: 32, Epochs: 12, Schedule: train.OneCycle(0.1, 0.2)}
		if err := tune.Tune(context.Background(), b.engine, &train.Module{Net: b.net, State: b.state}, nil); err != nil {
			t.Fatal(err)
		}
		trained.b = b
	})
	if trained.b == nil {
		t.Fatal("there is no network to repair")
	}
	return trained.b
}

func (b *backdoor) accuracy(t *testing.T, s model.State, set *dataset.Set) float64 {
	t.Helper()
	e, err := evaluate.Of(b.engine, b.net, s)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Accuracy(context.Background(), set)
	if err != nil {
		t.Fatal(err)
	}
	return r.Accuracy
}

func TestMethodsRepair(t *testing.T) {
	b := backdoored(t)
	before := b.state.Clone()
	ca, asr := b.accuracy(t, b.state, b.test), b.accuracy(t, b.state, b.triggered)
	if asr < 0.9 {
		t.Fatalf("the backdoor works on %.2f of the triggered images only", asr)
	}
	for _, m := range Methods() {
		t.Run(m.Name, func(t *testing.T) {
			j := &Job{Backend: b.engine, Network: b.net, State: b.state, Clean: b.clean, Options: Defaults(m.Name, b.clean.Len())}
			j.Options.Batch, j.Options.Flip, j.Options.Rate, j.Options.Epochs = 32, false, 0.02, 5
			j.Options.Beta /= 10 // the network is small
			out, err := Run(context.Background(), m, j)
			if err != nil {
				t.Fatal(err)
			}
			for i := range before {
				if !slices.Equal(before[i].Data, j.State[i].Data) {
					t.Fatalf("tensor %s of the network to repair was changed", before[i].Name)
				}
			}
			newCA, newASR := b.accuracy(t, out.State, b.test), b.accuracy(t, out.State, b.triggered)
			t.Logf("CA %.3f to %.3f, ASR %.3f to %.3f, chose %v", ca, newCA, asr, newASR, out.Chose)
			if newCA < ca-0.15 {
				t.Errorf("accuracy fell from %.3f to %.3f", ca, newCA)
			}
			if m.Name != "fp" {
				return
			}
			again, err := Run(context.Background(), m, j)
			if err != nil {
				t.Fatal(err)
			}
			for i := range out.State {
				if !slices.Equal(out.State[i].Data, again.State[i].Data) {
					t.Fatal("the same seed gives another network")
				}
			}
			w, _ := out.State.Classifier()
			gone := 0
			for c := range w.Dims[0] {
				if !slices.ContainsFunc(w.Data[c*w.Dims[1]:(c+1)*w.Dims[1]], func(v float32) bool { return v != 0 }) {
					gone++
				}
			}
			if float64(gone) != out.Chose["pruned"] {
				t.Errorf("%d channels are gone, %g were pruned", gone, out.Chose["pruned"])
			}
		})
	}
}

func TestBezierMeetsItsEnds(t *testing.T) {
	s := func(v float32) model.State { return model.State{{Name: "w", Data: []float32{v}}} }
	a, b, m := s(1), s(3), s(10)
	for at, want := range map[float64]float64{0: 1, 1: 3, 0.5: 0.25 + 5 + 0.75} {
		if got := bezier(a, b, m, at)[0].Data[0]; math.Abs(float64(got)-want) > 1e-6 {
			t.Errorf("at %g: %g, expected %g", at, got, want)
		}
	}
	if got := bezier(a, b, nil, 0.5)[0].Data[0]; got != 2 {
		t.Errorf("half-way on the line: %g", got)
	}
}

// Of four channels the two that never fire go first, then accuracy decides.
func TestPruneTakesSleepingChannels(t *testing.T) {
	clean := &dataset.Set{Classes: []string{"a", "b"}, Labels: []int32{0, 1, 0, 1}}
	h := []float32{
		5, 0, 0, 0.1,
		0, 4, 0, 0.1,
		5, 0, 0, 0,
		0, 4, 0, 0,
	}
	w := &model.Tensor{Dims: []int{4, 2}, Data: []float32{1, 0, 0, 1, 9, 9, 1, 1}}
	mask, n := prune(context.Background(), h, w, &model.Tensor{Data: []float32{0, 0}}, clean, 0.1)
	if !slices.Equal(mask, []float32{1, 1, 0, 0}) || n != 2 {
		t.Errorf("mask %v, %d pruned", mask, n)
	}
}

func TestWrongJobsAreRefused(t *testing.T) {
	n, err := model.New("small-cnn", 10, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	d := signs.Render(0, 40, 20).Train
	j := &Job{Network: n, Clean: d, Options: Defaults("fp", 0)}
	if _, err := Run(context.Background(), Method{Name: "fp", Run: prunedFinely}, j); err == nil || !strings.Contains(err.Error(), "40 clean images") {
		t.Errorf("too few images: %v", err)
	}
	blind, err := (&model.Architecture{Name: "blind", Build: func(b *model.Builder, x *Node, classes int) *Node {
		return b.Linear("fc", b.Tap("features", b.GlobalPool(x)), classes)
	}}).New(10, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := distilled(t.Context(), &Job{Network: blind}); err == nil || !strings.Contains(err.Error(), "blind has no tap called group1") {
		t.Errorf("nothing to compare: %v", err)
	}
	if _, err := MethodNamed("magic"); err == nil || !strings.Contains(err.Error(), "fp, mcr, nad") {
		t.Errorf("unknown method: %v", err)
	}
}

// A step takes 64 images, of few images a quarter, and never fewer than eight.
func TestDefaultsFitSmallSets(t *testing.T) {
	for images, want := range map[int]int{0: 64, 2500: 64, 256: 64, 255: 32, 60: 8, 10: 8} {
		if got := Defaults("nad", images).Batch; got != want {
			t.Errorf("%d clean images: a batch of %d, expected %d", images, got, want)
		}
	}
}

// A method that would give back the network that it was given, or one that learnt nothing, is refused.
func TestNothingToDo(t *testing.T) {
	for _, m := range Methods() {
		o := Defaults(m.Name, 0)
		if err := o.CheckFor(m.Name); err != nil {
			t.Error(err)
		}
		o.Epochs = 0
		if err := o.CheckFor(m.Name); (err == nil) != (m.Name == "fp") {
			t.Errorf("%s without epochs: %v", m.Name, err)
		}
	}
	for _, m := range UnlearnMethods() {
		for _, c := range []struct {
			epochs, scratch int
			can             bool
		}{{1, 1, true}, {0, 1, m.Name == "retrain"}, {1, 0, m.Name != "retrain" && m.Name != "self-learning"}} {
			o := DefaultUnlearn(0)
			o.Epochs, o.Scratch = c.epochs, c.scratch
			if err := o.CheckFor(m.Name); (err == nil) != c.can {
				t.Errorf("%s, %+v: %v", m.Name, c, err)
			}
		}
	}
	b := backdoored(t)
	j := &Job{Backend: b.engine, Network: b.net, State: b.state, Clean: b.clean, Options: Defaults("fp", b.clean.Len())}
	j.Options.Epochs = 0
	if out, err := Run(context.Background(), Method{Name: "fp", Run: prunedFinely}, j); err != nil || out.Chose["pruned"] == 0 {
		t.Errorf("pruning alone: %v", err)
	}
}

// Batch norm's statistics on the path are those of the clean data, however few of them there are.
func TestStatisticsAreOfTheCleanData(t *testing.T) {
	const images, side = 20, 8
	set := &dataset.Set{Height: side, Width: side, Classes: []string{"a", "b"}, Pixels: make([]uint8, images*side*side*3), Labels: make([]int32, images)}
	for i := range set.Pixels {
		set.Pixels[i] = uint8(i * 31)
	}
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.New("small-cnn", 2, side, side)
	if err != nil {
		t.Fatal(err)
	}
	j := &Job{Backend: b, Network: n, Clean: set, Options: Defaults("mcr", images)}
	one, other := n.Init(1), n.Init(1)
	for _, x := range other {
		for k := range x.Data {
			if x.Kind == model.Buffer {
				x.Data[k] += 10
			}
		}
	}
	for _, s := range []model.State{one, other} {
		if err := j.statistics(context.Background(), s); err != nil {
			t.Fatal(err)
		}
	}
	for i, x := range one {
		for k, v := range x.Data {
			if d := math.Abs(float64(v - other[i].Data[k])); d > 0.02 {
				t.Fatalf("%s: %g is left of a difference of 10", x.Name, d)
			}
		}
	}
}

// Images are shown as they are where that is asked.
func TestImagesAsTheyAre(t *testing.T) {
	j := &Job{Clean: signs.Render(1, 20, 0).Train, Options: Defaults("fp", 20)}
	if j.tuning("x").Augment == (augment.Options{}) {
		t.Error("nothing is augmented by default")
	}
	j.Options.NoAugment = true
	if a := j.tuning("x").Augment; a != (augment.Options{}) {
		t.Errorf("augmented by %+v", a)
	}
}
