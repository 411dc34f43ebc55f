package unlearn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/settings"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// TuneOptions are the settings of the methods that tune a network; start from DefaultTune.
type TuneOptions struct {
	Seed    uint64  `json:"seed"`
	Batch   int     `json:"batch" range:"[2,)"`
	Epochs  int     `json:"epochs" range:"[0,)"`         // of fine-tuning
	Rate    float64 `json:"rate" range:"(0,)"`           // its learning rate at the start, falling along a cosine
	Scratch int     `json:"scratch_epochs" range:"[0,)"` // of a network trained from scratch, one-cycle at 0.1
	Noise   float64 `json:"noise" range:"[0,255]"`       // deviation of pixel noise, and step of gradient noise, of 255
	Smooth  float64 `json:"smooth" range:"[0,1]"`        // label smoothing's share of the uniform distribution

	Augment    augment.Options `json:"-"`
	Pretrained model.State     `json:"-"` // the pre-trained method's network
}

// DefaultTune is a starting point: nothing on real data chose it yet.
func DefaultTune() TuneOptions {
	return TuneOptions{Batch: 128, Epochs: 5, Rate: 0.01, Scratch: 20, Noise: 16, Smooth: 0.1}
}

// Check reports a setting that is out of its range.
func (o TuneOptions) Check() error { return settings.Check(o) }

// Task is a backdoored network with the images that are isolated and those that are kept.
type Task struct {
	Backend backends.Backend
	Network *model.Network
	State   model.State // not changed
	Sets    Sets
	Options TuneOptions
	Watch   func(train.Progress) // nil: nobody
}

// Method is one of the unlearning methods that the paper compares (appendix), beside gradient ascent.
type Method struct {
	Name  string
	Type  string // what it changes: "image", "label" or "network"
	About string
	Run   func(ctx context.Context, t *Task) (model.State, error)
}

// Methods is the table, in the paper's order. ABL's own method is Run.
var Methods = []Method{
	{"pixel-noise", "image", "isolated images under Gaussian noise, then fine-tuning on all", pixelNoise},
	{"grad-noise", "image", "isolated images moved along their gradient's sign", gradNoise},
	{"label-shuffle", "label", "isolated images with another class each", labelShuffle},
	{"label-uniform", "label", "isolated images with all classes alike", labelUniform},
	{"label-smooth", "label", "isolated images with smoothed labels", labelSmooth},
	{"self-learning", "label", "isolated images labelled by a network trained on the rest", selfLearning},
	{"ft-all", "network", "fine-tuning of all layers on the kept images", fineTuneAll},
	{"ft-last", "network", "fine-tuning of the last layer on the kept images", fineTuneLast},
	{"ft-pretrained", "network", "a network trained on other data, fine-tuned on the kept", fineTunePretrained},
	{"retrain", "network", "a fresh network, trained on the kept images", retrain},
}

// MethodNames lists the table's methods.
func MethodNames() []string {
	n := make([]string, len(Methods))
	for i, m := range Methods {
		n[i] = m.Name
	}
	return n
}

// RunMethod applies a method of the table and returns the network that comes out.
func RunMethod(ctx context.Context, name string, t *Task) (model.State, error) {
	i := slices.Index(MethodNames(), name)
	if i < 0 {
		return nil, fmt.Errorf("no unlearning method %q; there are abl, %s", name, strings.Join(MethodNames(), ", "))
	}
	if err := t.Options.Check(); err != nil {
		return nil, err
	}
	if len(t.Sets.Isolated) == 0 || len(t.Sets.Kept) < t.Options.Batch {
		return nil, fmt.Errorf("%d isolated and %d kept images: too few to unlearn from", len(t.Sets.Isolated), len(t.Sets.Kept))
	}
	return Methods[i].Run(ctx, t)
}

// tune fine-tunes a copy of state on images of set.
func (t *Task) tune(ctx context.Context, state model.State, set *dataset.Set, indices []int, soft map[int][]float32, fixed func(string) bool) (model.State, error) {
	s := state.Clone()
	return s, t.train(ctx, "fine-tune", s, set, indices, soft, fixed, t.Options.Epochs, train.Cosine(t.Options.Rate))
}

func (t *Task) train(ctx context.Context, name string, s model.State, set *dataset.Set, indices []int, soft map[int][]float32, fixed func(string) bool, epochs int, schedule train.Schedule) error {
	p := &train.Tuning{
		Name: name, Data: set, Indices: indices, Soft: soft, Batch: t.Options.Batch, Epochs: epochs, Schedule: schedule,
		Augment: t.Options.Augment, Seed: t.Options.Seed, Watch: t.Watch,
	}
	return p.Tune(ctx, t.Backend, &train.Module{Net: t.Network, State: s, Fixed: fixed})
}

// scratch trains a fresh network on the kept images.
func (t *Task) scratch(ctx context.Context) (model.State, error) {
	schedule, err := train.ScheduleNamed("one-cycle", 0.1)
	if err != nil {
		return nil, err
	}
	s := t.Network.Init(t.Options.Seed)
	return s, t.train(ctx, "retrain", s, t.Sets.Data, t.Sets.Kept, nil, nil, t.Options.Scratch, schedule)
}

func fineTuneAll(ctx context.Context, t *Task) (model.State, error) {
	return t.tune(ctx, t.State, t.Sets.Data, t.Sets.Kept, nil, nil)
}

func fineTuneLast(ctx context.Context, t *Task) (model.State, error) {
	weight, bias := t.State.Classifier()
	if weight == nil {
		return nil, errors.New("the network's last layer is not linear")
	}
	return t.tune(ctx, t.State, t.Sets.Data, t.Sets.Kept, nil, func(name string) bool {
		return name != weight.Name && (bias == nil || name != bias.Name)
	})
}

func fineTunePretrained(ctx context.Context, t *Task) (model.State, error) {
	if t.Options.Pretrained == nil {
		return nil, errors.New("a network that was pre-trained on other data is needed: --pretrained FILE")
	}
	s := t.Network.Init(t.Options.Seed)
	taken := 0
	for _, own := range s { // all that fits; a classifier for other classes does not
		if p := t.Options.Pretrained.Get(own.Name); p != nil && slices.Equal(p.Dims, own.Dims) {
			copy(own.Data, p.Data)
			taken++
		}
	}
	if taken < len(s)/2 {
		return nil, fmt.Errorf("the pre-trained network fits %s in %d of %d tensors only", t.Network.Arch, taken, len(s))
	}
	return t.tune(ctx, s, t.Sets.Data, t.Sets.Kept, nil, nil)
}

func retrain(ctx context.Context, t *Task) (model.State, error) { return t.scratch(ctx) }

// all returns the kept and the isolated images.
func (t *Task) all() []int { return slices.Concat(t.Sets.Kept, t.Sets.Isolated) }

// relabelled fine-tunes on all, the isolated images with other labels.
func (t *Task) relabelled(ctx context.Context, label func(i int) []float32) (model.State, error) {
	soft := map[int][]float32{}
	for _, i := range t.Sets.Isolated {
		soft[i] = label(i)
	}
	return t.tune(ctx, t.State, t.Sets.Data, t.all(), soft, nil)
}

func oneHot(n, class int) []float32 {
	v := make([]float32, n)
	v[class] = 1
	return v
}

func labelShuffle(ctx context.Context, t *Task) (model.State, error) {
	n := t.Network.Classes
	return t.relabelled(ctx, func(i int) []float32 {
		r := rng.Stream(t.Options.Seed, "unlearn shuffle", i)
		return oneHot(n, (int(t.Sets.Data.Labels[i])+1+r.IntN(n-1))%n)
	})
}

func labelUniform(ctx context.Context, t *Task) (model.State, error) {
	n := t.Network.Classes
	return t.relabelled(ctx, func(int) []float32 { return slices.Repeat([]float32{1 / float32(n)}, n) })
}

func labelSmooth(ctx context.Context, t *Task) (model.State, error) {
	n := t.Network.Classes
	return t.relabelled(ctx, func(i int) []float32 {
		v := slices.Repeat([]float32{float32(t.Options.Smooth) / float32(n)}, n)
		v[t.Sets.Data.Labels[i]] += 1 - float32(t.Options.Smooth)
		return v
	})
}

func selfLearning(ctx context.Context, t *Task) (model.State, error) {
	s, err := t.scratch(ctx)
	if err != nil {
		return nil, err
	}
	guess, err := t.guess(ctx, s, t.Sets.Isolated)
	if err != nil {
		return nil, err
	}
	return t.relabelled(ctx, func(i int) []float32 { return oneHot(t.Network.Classes, guess[i]) })
}
