package train

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
)

func TestSchedules(t *testing.T) {
	for name, want := range map[string][3]float64{ // at 0, 0.5 and 1
		"constant": {1, 1, 1}, "step": {1, 0.1, 0.01}, "cosine": {1, 0.5, 0}, "one-cycle": {0.1, 0.625, 0},
	} {
		s, err := ScheduleNamed(name, 1)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range []float64{0, 0.5, 1} {
			if math.Abs(s(p)-want[i]) > 1e-9 {
				t.Errorf("%s at %g is %g, want %g", name, p, s(p), want[i])
			}
		}
	}
	if _, err := ScheduleNamed("nope", 1); err == nil {
		t.Error("an unknown schedule was accepted")
	}
}

// tiny is a phase of six steps an epoch, and a network that learns in it.
func tiny(t testing.TB, epochs int, loss Loss) (*Phase, *Learner, model.State) {
	t.Helper()
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.New("small-cnn", 10, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	state := n.Init(0)
	l, err := NewClassifier(b, n, state, 32, DefaultSGD(), loss)
	if err != nil {
		t.Fatal(err)
	}
	set := signs.Render(1, 200, 0).Train
	return &Phase{
		Name: "test", Data: set, Indices: rng.Iota(set.Len()), Batch: 32, Epochs: epochs, Schedule: OneCycle(0.05, 0.2),
		Augment: augment.Standard(32, true), Seed: 3,
	}, l, state
}

// TestStoppedAnywhereGoesOnTheSame stops after some numbers of steps, within and at the end of epochs.
func TestStoppedAnywhereGoesOnTheSame(t *testing.T) {
	p, l, state := tiny(t, 2, Mean)
	fresh := state.Clone()
	run := func(stopAt int) []float32 {
		if err := l.load(0, fresh, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var pos Position
		steps := 0
		err := p.Run(ctx, l.classify, &pos, Hooks{Step: func(Progress) {
			if steps++; steps == stopAt {
				cancel()
			}
		}})
		if stopAt > 0 {
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("stopped at step %d: %v", stopAt, err)
			}
			m := l.newMoments(0)
			if err := l.store(0, state, m); err != nil {
				t.Fatal(err)
			}
			if err := l.load(0, fresh, nil); err != nil { // nothing is left in the buffers
				t.Fatal(err)
			}
			if err := l.load(0, state, m); err != nil {
				t.Fatal(err)
			}
			err = p.Run(context.Background(), l.classify, &pos, Hooks{})
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Store(); err != nil {
			t.Fatal(err)
		}
		var all []float32
		for _, x := range state {
			all = append(all, x.Data...)
		}
		return all
	}
	want := run(0)
	for _, at := range []int{1, 6, 11} { // an epoch has 6 steps
		if !slices.Equal(run(at), want) {
			t.Errorf("stopped after step %d, the bytes differ", at)
		}
	}
}

func TestDivergenceIsAnError(t *testing.T) {
	p, l, _ := tiny(t, 5, Mean)
	p.Schedule = Constant(1e6)
	var d *DivergedError
	if err := p.Run(context.Background(), l.classify, nil, Hooks{}); !errors.As(err, &d) || d.Phase != "test" || d.Epoch != 1 {
		t.Errorf("got %v", err)
	}
}

// TestStepDoesNotAllocate: after the first, a step allocates nothing.
func TestStepDoesNotAllocate(t *testing.T) {
	p, l, _ := tiny(t, 1, Mean)
	if err := Loop(context.Background(), p.Data, p.Batch, 0, 1, p.filler(1), func(_ int, b *Batch) error {
		if n := testing.AllocsPerRun(10, func() {
			if _, err := l.classify(b, 0.01); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%g allocations a step", n)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestLoopStops: with learn's error, without waiting for batches that nobody takes, and the filling ends before.
func TestLoopStops(t *testing.T) {
	set := signs.Render(1, 4, 0).Train
	enough := errors.New("enough")
	filled := 0 // the race detector sees whether filling goes on
	err := Loop(context.Background(), set, 2, 5, 1000, func(int, *Batch) { filled++ }, func(k int, _ *Batch) error {
		if k == 7 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || filled < 3 || filled > 6 {
		t.Errorf("%v after %d batches were filled", err, filled)
	}
}

// A class is taught by what is kept of it, by an image that is shown under its label, and by none that is shown under another.
func TestUntaught(t *testing.T) {
	set := &dataset.Set{Classes: []string{"a", "b", "c", "d"}, Labels: []int32{0, 0, 1, 2}} // d has no image
	b := int32(1)
	for _, c := range []struct {
		kept []int
		more []Example
		want []string
	}{
		{[]int{0, 2, 3}, nil, nil},
		{[]int{0}, nil, []string{"b", "c"}},
		{[]int{0}, []Example{{Image: 3, Label: &b}}, []string{"c"}},
		{nil, []Example{{Image: 1}, {Image: 3}}, []string{"b"}},
	} {
		if got := Untaught(set, c.kept, c.more); !slices.Equal(got, c.want) {
			t.Errorf("%v: %q, expected %q", c, got, c.want)
		}
	}
}
