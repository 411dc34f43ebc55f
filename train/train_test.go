package train

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/model"
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

func tinyPhase(epochs int, loss Loss) (*Phase, *Step, model.State, error) {
	d := signs.Render(1, 200, 0)
	b, err := cpu.New("")
	if err != nil {
		return nil, nil, nil, err
	}
	n, err := model.New("small-cnn", 10, 32, 32)
	if err != nil {
		return nil, nil, nil, err
	}
	s, err := NewStep(b, n, 32, DefaultSGD, loss)
	if err != nil {
		return nil, nil, nil, err
	}
	all := make([]int, 200)
	for i := range all {
		all[i] = i
	}
	return &Phase{
		Name: "test", Data: d.Train, Indices: all, Epochs: epochs, Schedule: OneCycle(0.05, 0.2),
		Augment: augment.Standard(32, true), Seed: 3,
	}, s, n.Init(0), nil
}

// TestStoppedAnywhereGoesOnTheSame stops after every possible number of steps.
func TestStoppedAnywhereGoesOnTheSame(t *testing.T) {
	run := func(stopAt int) []float32 {
		p, s, state, err := tinyPhase(2, Mean)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Load(state, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var pos Position
		steps := 0
		err = p.Run(ctx, s, &pos, Hooks{Step: func(Progress) {
			if steps++; steps == stopAt {
				cancel()
			}
		}})
		if stopAt > 0 {
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("stopped at step %d: %v", stopAt, err)
			}
			m := s.Momenta()
			if err := s.Store(state, m); err != nil {
				t.Fatal(err)
			}
			p2, s2, _, err := tinyPhase(2, Mean)
			if err != nil {
				t.Fatal(err)
			}
			if err := s2.Load(state, m); err != nil {
				t.Fatal(err)
			}
			if err := p2.Run(context.Background(), s2, &pos, Hooks{}); err != nil {
				t.Fatal(err)
			}
			s = s2
		} else if err != nil {
			t.Fatal(err)
		}
		if err := s.Store(state, nil); err != nil {
			t.Fatal(err)
		}
		var all []float32
		for _, x := range state {
			all = append(all, x.Data...)
		}
		return all
	}
	want := run(0)
	for _, at := range []int{1, 5, 6, 7, 11} { // an epoch has 6 steps
		if !slices.Equal(run(at), want) {
			t.Errorf("stopped after step %d, the bytes differ", at)
		}
	}
}

func TestDivergenceIsAnError(t *testing.T) {
	p, s, state, err := tinyPhase(5, Mean)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Load(state, nil); err != nil {
		t.Fatal(err)
	}
	p.Schedule = Constant(1e6)
	var d *DivergedError
	if err := p.Run(context.Background(), s, &Position{}, Hooks{}); !errors.As(err, &d) {
		t.Errorf("got %v", err)
	}
}

// TestStepDoesNotAllocate: after the first, a step allocates nothing.
func TestStepDoesNotAllocate(t *testing.T) {
	_, s, state, err := tinyPhase(1, Mean)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Load(state, nil); err != nil {
		t.Fatal(err)
	}
	x, y, w := make([]float32, 32*32*32*3), make([]int32, 32), make([]float32, 32)
	if n := testing.AllocsPerRun(20, func() {
		if _, err := s.Run(x, y, w, 0.01, nil); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%g allocations a step", n)
	}
}
