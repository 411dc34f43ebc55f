package abl

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/backends"
	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/testkit/planted"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// partsOf isolates 30 of the planted images, holds 75 others back and keeps the rest.
func partsOf(poisoned []bool) *isolate.Parts {
	parts := &isolate.Parts{}
	for i, p := range poisoned {
		switch {
		case p && len(parts.Isolated) < 30:
			parts.Isolated = append(parts.Isolated, i)
		case !p && len(parts.HeldBack) < 75:
			parts.HeldBack = append(parts.HeldBack, i)
		default:
			parts.Kept = append(parts.Kept, i)
		}
	}
	return parts
}

// taught trains a small network on some images.
func taught(t *testing.T, set *dataset.Set, images []int) (backends.Backend, *model.Network, model.State) {
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.New("small-cnn", 10, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	state := n.Init(1)
	p := &train.Phase{Name: "test", Data: set, Indices: images, Batch: 32, Epochs: 12, Schedule: train.OneCycle(0.1, 0.2)}
	if err := p.Tune(t.Context(), b, &train.Module{Net: n, State: state}, nil); err != nil {
		t.Fatal(err)
	}
	return b, n, state
}

// A network that learnt a sticker forgets it, by way of the images that isolation found and of those that it missed; with no
// tolerance it comes back as it was.
func TestUnlearnsTheTrigger(t *testing.T) {
	ctx := context.Background()
	data := planted.Render(t, 5, 600, 100)
	parts := partsOf(data.Poisoned)
	b, n, state := taught(t, data.Train, slices.Concat(parts.Kept, parts.Isolated))
	asr := func() float64 {
		e, err := evaluate.Of(b, n, state)
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.Accuracy(ctx, data.Triggered)
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
	parts.HeldBack = append(parts.HeldBack, parts.Isolated[:25]...)

	o := Default()
	o.Augment, o.Tolerance, o.UnlearnSteps, o.UnlearnRate = false, 0, 10, 10
	out, err := Unlearn(ctx, b, n, state, data.Train, parts, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !out.RolledBack || out.Dropped != 0 {
		t.Errorf("not rolled back, or images left out that were not: %+v", out)
	}
	for i := range state {
		if !slices.Equal(state[i].Data, untouched[i].Data) {
			t.Fatalf("rolled back, and %s differs", state[i].Name)
		}
	}

	o.Tolerance, o.UnlearnSteps, o.UnlearnRate = 0.1, 30, Default().UnlearnRate
	var rates []float64
	if out, err = Unlearn(ctx, b, n, state, data.Train, parts, o, func(p train.Progress) { rates = append(rates, p.Rate) }); err != nil {
		t.Fatal(err)
	}
	if rates[0] != o.UnlearnRate || rates[29] > o.UnlearnRate/100 || rates[30] != o.UnlearnRate {
		t.Errorf("in two rounds of 30 steps the rates are said to be %g", rates)
	}
	if after := asr(); after > 0.2 || !out.Unlearnt || out.RolledBack {
		t.Errorf("attack success %.2f after unlearning, outcome %+v", after, out)
	}
	if out.Dropped == 0 {
		t.Error("refinement found none of the poison that isolation missed")
	}
	if want := out.Steps * 128; out.Images != want {
		t.Errorf("%d images in %d steps, expected %d", out.Images, out.Steps, want)
	}

	// What ends otherwise than by its cost says so.
	for rate, want := range map[float64]string{0.5: "took their label", 1e30: "diverged"} {
		few := *parts // a step shows 128
		few.Kept, o.UnlearnRate = parts.Kept[:140], rate
		if out, err = Unlearn(ctx, b, n, untouched.Clone(), data.Train, &few, o, nil); err != nil || !out.RolledBack || !strings.Contains(out.Because(), want) {
			t.Errorf("rate %g: %+v, %v", rate, out, err)
		}
	}

	// Ascent on the isolated images alone that forgets them, and more than it may of others, is rolled back too.
	o = Paper()
	o.Augment, o.Tolerance, o.UnlearnRate = false, 0.2, 0.03
	again := untouched.Clone()
	if out, err = Unlearn(ctx, b, n, again, data.Train, parts, o, nil); err != nil {
		t.Fatal(err)
	}
	if !out.RolledBack || out.Unlearnt || out.Before-out.After > o.Tolerance || !strings.Contains(out.Because(), "accuracy") {
		t.Errorf("not rolled back: %+v", out)
	}
}

// Split unlearning shows isolated images alone, and counts these.
func TestSplitCountsIsolatedImages(t *testing.T) {
	data := planted.Render(t, 5, 60, 1)
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.New("small-cnn", 10, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	o := Paper()
	o.UnlearnSteps, o.UnlearnEpochs, o.Tolerance = 3, 0, 1
	all := rng.Iota(data.Train.Len())
	shown := 0
	out, err := Unlearn(context.Background(), b, n, n.Init(1), data.Train, &isolate.Parts{Isolated: all[:20], HeldBack: all[20:30], Kept: all[30:]}, o, func(train.Progress) { shown += 20 })
	if err != nil || out.Images != shown || shown == 0 {
		t.Errorf("%+v after %d images: %v", out, shown, err)
	}
}

// A run that goes on after its last stage says the same as the one that finished it.
func TestOutcomeOutlivesTheRun(t *testing.T) {
	data := planted.Render(t, 5, 80, 1).Train
	o := Demo()
	o.Batch, o.IsolateEpochs, o.TuneEpochs, o.UnlearnSteps, o.Refine = 32, 1, 1, 3, false
	s := train.Settings{Folder: t.TempDir()}
	first, err := Train(context.Background(), data, o, s)
	if err != nil {
		t.Fatal(err)
	}
	s.Resume = true
	again, err := Train(context.Background(), data, o, s)
	if err != nil || *again.Unlearn != *first.Unlearn || again.Isolated != first.Isolated || !slices.Equal(again.Suspects, first.Suspects) {
		t.Errorf("%+v, then %+v: %v", first.Unlearn, again.Unlearn, err)
	}
	o.TuneRate /= 2
	if _, err := Train(context.Background(), data, o, s); err == nil {
		t.Error("a run went on with another recipe")
	}
}

func TestWrongPartsAreRefused(t *testing.T) {
	for want, mode := range map[string]string{"nope": "nope", "got 0 and 0": "joint"} {
		o := Default()
		o.Unlearn = mode
		if _, err := Unlearn(context.Background(), nil, nil, nil, nil, &isolate.Parts{}, o, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

// Settings of unlearning are checked before anything is changed.
func TestSettingsOfUnlearningAreChecked(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"unlearn_rate 0, expected more than 0":  func(o *Options) { o.UnlearnRate = 0 },
		"unlearn_rate NaN, expected a number":   func(o *Options) { o.UnlearnRate = math.NaN() },
		"tolerance -1, expected from 0 to 1":    func(o *Options) { o.Tolerance = -1 },
		"unlearn_limit +Inf, expected a number": func(o *Options) { o.UnlearnLimit = math.Inf(1) },
		"0 steps of unlearning: nothing to do":  func(o *Options) { o.UnlearnSteps = 0 },
	} {
		o := Default()
		change(&o)
		if _, err := Unlearn(context.Background(), nil, nil, nil, nil, nil, o, nil); err == nil || err.Error() != want {
			t.Errorf("%v, expected %q", err, want)
		}
	}
}

func TestImagesOfAnotherNetworkAreRefused(t *testing.T) {
	n, err := model.New("small-cnn", 10, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	set := signs.Render(1, 200, 10).Train
	o := Default()
	parts := &isolate.Parts{Kept: rng.Iota(100), HeldBack: []int{100}, Isolated: []int{200}}
	if _, err := Unlearn(context.Background(), nil, n, nil, set, parts, o, nil); err == nil || !strings.Contains(err.Error(), "from 0 to 199") {
		t.Errorf("an image that there is not: %v", err)
	}
	set.Classes = set.Classes[:9]
	if _, err := Unlearn(context.Background(), nil, n, nil, set, parts, o, nil); err == nil || !strings.Contains(err.Error(), "9 classes") {
		t.Errorf("other classes: %v", err)
	}
}

// Epochs of unlearning are over the kept images, or the isolated ones.
func TestStepsOfEpochs(t *testing.T) {
	p := &isolate.Parts{Kept: make([]int, 1280), Isolated: make([]int, 65)}
	o := Default()
	o.UnlearnSteps, o.UnlearnEpochs = 7, 2
	if got := o.stepsOf(p); got != 20 {
		t.Errorf("joint: %d steps, expected 20", got)
	}
	if o.Unlearn = "split"; o.stepsOf(p) != 3 {
		t.Errorf("split: %d steps, expected 3", o.stepsOf(p))
	}
	if o.UnlearnEpochs = 0; o.stepsOf(p) != 7 {
		t.Errorf("%d steps, expected 7", o.stepsOf(p))
	}
	// Of few images a step shows all.
	few := &isolate.Parts{Kept: make([]int, 100), Isolated: make([]int, 20)}
	o.UnlearnEpochs = 20
	for _, mode := range Modes() {
		if o.Unlearn = mode; o.stepsOf(few) != 20 {
			t.Errorf("%s, few images: %d steps, expected 20", mode, o.stepsOf(few))
		}
	}
}

// Without unlearning nobody watches: no image is held back from the training.
func TestNobodyIsHeldBackWithoutUnlearning(t *testing.T) {
	const n, side = 70, 8
	set := &dataset.Set{Height: side, Width: side, Classes: []string{"a", "b"}, Pixels: make([]uint8, n*side*side*3), Labels: make([]int32, n)}
	for i := range n {
		set.Labels[i] = int32(i % 2)
		set.Image(i)[0] = uint8(i)
	}
	o := Demo()
	o.Batch, o.IsolateEpochs, o.TuneEpochs, o.Isolation, o.Unlearn = 3, 1, 1, 0.01, "none"
	steps := 0
	watch := func(e train.Event) {
		if e.Stage == "tune" && e.Progress != nil {
			steps++
		}
	}
	if _, err := Train(context.Background(), set, o, train.Settings{Watch: watch}); err != nil || steps != (n-1)/o.Batch {
		t.Errorf("%d steps of %d images, expected all but the isolated one: %v", steps, o.Batch, err)
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
		if got := judges(d, c.held, c.isolated); !slices.Equal(got, c.want) {
			t.Errorf("isolated %v: judged by %v, expected %v", c.isolated, got, c.want)
		}
	}
}
