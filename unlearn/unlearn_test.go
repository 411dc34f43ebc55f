package unlearn

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/testkit/planted"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

// trained returns a network trained on poisoned signs, with the isolated images known.
func trained(t *testing.T) (*cpu.Backend, *model.Network, model.State, Sets, *dataset.Set) {
	t.Helper()
	data := planted.Render(t, 5, 1500, 300)
	sets := Sets{Data: data.Train}
	for i, p := range data.Poisoned {
		switch {
		case p && len(sets.Isolated) < 75:
			sets.Isolated = append(sets.Isolated, i)
		case !p && len(sets.HeldBack) < 200:
			sets.HeldBack = append(sets.HeldBack, i)
		default:
			sets.Kept = append(sets.Kept, i)
		}
	}
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.New("small-cnn", 10, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	state := n.Init(1)
	step, err := train.NewStep(b, n, 64, train.DefaultSGD, train.Mean)
	if err != nil {
		t.Fatal(err)
	}
	if err := step.Load(state, nil); err != nil {
		t.Fatal(err)
	}
	p := &train.Phase{Name: "test", Data: data.Train, Indices: slices.Concat(sets.Kept, sets.Isolated), Epochs: 14, Schedule: train.OneCycle(0.1, 0.2)}
	if err := p.Run(context.Background(), step, &train.Position{}, train.Hooks{}); err != nil {
		t.Fatal(err)
	}
	if err := step.Store(state, nil); err != nil {
		t.Fatal(err)
	}
	return b, n, state, sets, data.Triggered
}

func options() Options {
	return Options{
		Mode: "joint", Steps: 60, Rate: 1e-2, Limit: math.Log(10), Tolerance: 0.1, Unlearnt: 0.05, Every: 20, Kept: 128, Isolated: 64, Refine: true,
	}
}

func TestUnlearnsTheTrigger(t *testing.T) {
	b, n, state, sets, triggered := trained(t)
	asr := func() float64 {
		e, err := evaluate.New(b, n)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Load(state); err != nil {
			t.Fatal(err)
		}
		r, err := e.Accuracy(context.Background(), triggered)
		if err != nil {
			t.Fatal(err)
		}
		return r.Accuracy
	}
	if before := asr(); before < 0.9 {
		t.Fatalf("the backdoor was not learnt: attack success %.2f", before)
	}
	untouched := state.Clone()

	// Poisoned images that hide among the held-back ones must not speak for the backdoor.
	sets.HeldBack = append(sets.HeldBack, sets.Isolated[:60]...)

	// With no tolerance at all the network must come back as it was.
	strict := options()
	strict.Tolerance, strict.Steps = -1, 20
	out, err := Run(context.Background(), b, n, state, sets, strict, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !out.RolledBack {
		t.Error("not rolled back")
	}
	for i := range state {
		if !slices.Equal(state[i].Data, untouched[i].Data) {
			t.Fatalf("rolled back, and %s differs", state[i].Name)
		}
	}

	out, err = Run(context.Background(), b, n, state, sets, options(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if after := asr(); after > 0.1 || !out.Unlearnt || out.RolledBack {
		t.Errorf("attack success %.2f after unlearning, outcome %+v", after, out)
	}
	if out.Dropped == 0 {
		t.Error("refinement found none of the poison that isolation missed")
	}
}

func TestWrongSetsAreRefused(t *testing.T) {
	for _, o := range []Options{{Mode: "nope"}, {Mode: "joint", Isolated: 4, Kept: 4}} {
		if _, err := Run(context.Background(), nil, nil, nil, Sets{}, o, nil); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

// Each method gives a network of its own and leaves the one that it was given.
func TestMethodsOfThePaper(t *testing.T) {
	if testing.Short() {
		t.Skip("trains networks")
	}
	b, n, state, sets, triggered := trained(t)
	before := state.Clone()
	o := DefaultTune()
	o.Batch, o.Epochs, o.Scratch, o.Pretrained = 64, 1, 2, n.Init(7)
	task := &Task{Backend: b, Network: n, State: state, Sets: sets, Options: o}
	e, err := evaluate.New(b, n)
	if err != nil {
		t.Fatal(err)
	}
	weight, bias := state.Classifier()
	asr := map[string]float64{}
	for _, name := range MethodNames() {
		s, err := RunMethod(context.Background(), name, task)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range state {
			if !slices.Equal(before[i].Data, state[i].Data) {
				t.Fatalf("%s changed the network that it was given", name)
			}
			same := slices.Equal(before[i].Data, s[i].Data)
			if name == "ft-last" && same == (s[i].Name == weight.Name || s[i].Name == bias.Name) {
				t.Errorf("ft-last: tensor %s changed: %v", s[i].Name, !same)
			}
		}
		if err := e.Load(s); err != nil {
			t.Fatal(err)
		}
		r, err := e.Accuracy(context.Background(), triggered)
		if err != nil {
			t.Fatal(err)
		}
		asr[name] = r.Accuracy
	}
	t.Log(asr)
	if asr["label-smooth"] < 0.5 {
		t.Errorf("smoothed labels took the backdoor out: %v", asr)
	}
	if asr["label-shuffle"] > asr["label-smooth"] {
		t.Errorf("shuffled labels unlearn less than smoothed ones: %v", asr)
	}
	if _, err := RunMethod(context.Background(), "magic", task); err == nil {
		t.Error("an unknown method ran")
	}
	task.Options.Pretrained = nil
	if _, err := RunMethod(context.Background(), "ft-pretrained", task); err == nil {
		t.Error("ft-pretrained ran without a network")
	}
}

// Held-back images of a label that most isolated ones carry do not judge, unless there are no others.
func TestJudges(t *testing.T) {
	d := &dataset.Set{Labels: []int32{0, 0, 1, 2}, Classes: []string{"a", "b", "c"}}
	for _, c := range []struct{ held, isolated, want []int }{
		{[]int{0, 1, 2, 3}, []int{6, 3, 2}, []int{2, 3}},
		{[]int{0, 1, 2, 3}, []int{5, 3, 2}, []int{0, 1, 2, 3}},
		{[]int{0, 1}, []int{9, 1, 0}, []int{0, 1}},
	} {
		if got := (&Sets{Data: d, HeldBack: c.held}).judges(c.isolated); !slices.Equal(got, c.want) {
			t.Errorf("isolated %v: judged by %v, expected %v", c.isolated, got, c.want)
		}
	}
}
