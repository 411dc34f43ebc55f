package repair

import (
	"cmp"
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

// UnlearnOptions are the settings of the methods that unlearn; start from DefaultUnlearn.
type UnlearnOptions struct {
	Seed    uint64  `json:"seed"`
	Batch   int     `json:"batch" range:"[2,1000000]"`
	Epochs  int     `json:"epochs" range:"[0,1000000]"`         // of fine-tuning
	Rate    float64 `json:"rate" range:"(0,)"`                  // its learning rate at the start, falling along a cosine
	Scratch int     `json:"scratch_epochs" range:"[0,1000000]"` // of a network trained from scratch
	Noise   float64 `json:"noise" range:"[0,255]"`              // deviation of pixel noise, and step of gradient noise, of 255
	Smooth  float64 `json:"smooth" range:"[0,1]"`               // label smoothing's share of the uniform distribution

	ScratchRate     float64 `json:"scratch_rate,omitempty" range:"[0,)"` // its highest learning rate; 0: 0.1
	ScratchSchedule string  `json:"scratch_schedule,omitempty"`          // of train.Schedules; empty: one-cycle

	Augment           augment.Options `json:"-"`
	Pretrained        model.State     `json:"-"` // the pre-trained method's network
	PretrainedClasses []string        `json:"-"` // the names of what that tells apart; nil: nobody knows
}

// DefaultUnlearn is a starting point for a number of kept images, 0 if unknown: nothing on real data chose it yet. A step takes 128, of
// fewer than 512 about a quarter.
func DefaultUnlearn(kept int) UnlearnOptions {
	return UnlearnOptions{Batch: batchOf(128, kept), Epochs: 5, Rate: 0.01, Scratch: 20, Noise: 16, Smooth: 0.1}
}

// Check reports a setting that is out of its range.
func (o UnlearnOptions) Check() error { return settings.Check(o) }

// CheckFor is Check for a method: the epochs of its trainings must not be 0.
func (o UnlearnOptions) CheckFor(method string) error {
	if err := o.Check(); err != nil {
		return err
	}
	if o.Scratch == 0 && (method == "retrain" || method == "self-learning") {
		return fmt.Errorf("%s trains a fresh network, and there are 0 epochs of it: nothing to do", method)
	}
	if o.Epochs == 0 && method != "retrain" && slices.ContainsFunc(UnlearnMethods(), func(m UnlearnMethod) bool { return m.Name == method }) {
		return fmt.Errorf("%s is fine-tuning, and there are 0 epochs of it: nothing to do", method)
	}
	return nil
}

// UnlearnJob is a backdoored network with the data that it was trained on.
type UnlearnJob struct {
	Backend  backends.Backend
	Network  *model.Network
	State    model.State // not changed
	Data     *dataset.Set
	Kept     []int // images that are trusted
	Isolated []int // images that are taken for planted
	Options  UnlearnOptions
	Watch    func(train.Progress) // nil: nobody
}

// UnlearnMethod takes what isolated images taught out of a network.
type UnlearnMethod struct {
	Name  string
	About string
	Run   func(ctx context.Context, j *UnlearnJob) (model.State, error)
}

// UnlearnMethods returns those that the paper (Li et al., NeurIPS 2021, appendix) compares with its own, in its order.
func UnlearnMethods() []UnlearnMethod {
	return []UnlearnMethod{
		// They change images,
		{"pixel-noise", "isolated images under Gaussian noise, then fine-tuning on all", pixelNoise},
		{"grad-noise", "isolated images moved along their gradient's sign", gradNoise},
		// labels,
		{"label-shuffle", "isolated images with another class each", labelShuffle},
		{"label-uniform", "isolated images with all classes alike", labelUniform},
		{"label-smooth", "isolated images with smoothed labels", labelSmooth},
		{"self-learning", "isolated images labelled by a network trained on the rest", selfLearning},
		// or the network.
		{"ft-all", "fine-tuning of all layers on the kept images", fineTuneAll},
		{"ft-last", "fine-tuning of the last layer on the kept images", fineTuneLast},
		{"ft-pretrained", "a network trained on other data, fine-tuned on the kept", fineTunePretrained},
		{"retrain", "a fresh network, trained on the kept images", retrain},
	}
}

// UnlearnMethodNamed returns the method of a name.
func UnlearnMethodNamed(name string) (UnlearnMethod, error) {
	var known []string
	for _, m := range UnlearnMethods() {
		if m.Name == name {
			return m, nil
		}
		known = append(known, m.Name)
	}
	return UnlearnMethod{}, fmt.Errorf("no unlearning method %q; there are %s", name, strings.Join(known, ", "))
}

// Unlearn applies a method and returns the network that comes out.
func Unlearn(ctx context.Context, m UnlearnMethod, j *UnlearnJob) (model.State, error) {
	if err := j.Options.CheckFor(m.Name); err != nil {
		return nil, err
	}
	if err := j.Data.CheckFor("the images", j.Network.Classes, j.Network.Height, j.Network.Width, j.Kept, j.Isolated); err != nil {
		return nil, err
	}
	if err := learnable(j.Data, "kept images", j.Kept); err != nil {
		return nil, err
	}
	if len(j.Isolated) == 0 || len(j.Kept) < j.Options.Batch {
		return nil, fmt.Errorf("%d isolated and %d kept images: too few to unlearn from, expected 1 or more and a batch of %d", len(j.Isolated), len(j.Kept), j.Options.Batch)
	}
	return m.Run(ctx, j)
}

// tune fine-tunes a copy of state on images of set.
func (j *UnlearnJob) tune(ctx context.Context, state model.State, set *dataset.Set, indices []int, soft map[int][]float32, fixed func(string) bool) (model.State, error) {
	s := state.Clone()
	return s, j.train(ctx, "fine-tune", s, set, indices, soft, fixed, j.Options.Epochs, train.Cosine(j.Options.Rate))
}

func (j *UnlearnJob) train(ctx context.Context, name string, s model.State, set *dataset.Set, indices []int, soft map[int][]float32, fixed func(string) bool, epochs int, schedule train.Schedule) error {
	p := &train.Phase{
		Name: name, Data: set, Indices: indices, Soft: soft, Batch: j.Options.Batch, Epochs: epochs, Schedule: schedule,
		Augment: j.Options.Augment, Seed: j.Options.Seed,
	}
	return p.Tune(ctx, j.Backend, &train.Module{Net: j.Network, State: s, Fixed: fixed}, j.Watch)
}

// scratch trains a fresh network on the kept images.
func (j *UnlearnJob) scratch(ctx context.Context) (model.State, error) {
	schedule, err := train.ScheduleNamed(cmp.Or(j.Options.ScratchSchedule, "one-cycle"), cmp.Or(j.Options.ScratchRate, 0.1))
	if err != nil {
		return nil, err
	}
	s := j.Network.Init(j.Options.Seed)
	return s, j.train(ctx, "retrain", s, j.Data, j.Kept, nil, nil, j.Options.Scratch, schedule)
}

func fineTuneAll(ctx context.Context, j *UnlearnJob) (model.State, error) {
	return j.tune(ctx, j.State, j.Data, j.Kept, nil, nil)
}

func fineTuneLast(ctx context.Context, j *UnlearnJob) (model.State, error) {
	weight, bias := j.State.Classifier()
	if weight == nil {
		return nil, errors.New("the network's last layer is not linear")
	}
	return j.tune(ctx, j.State, j.Data, j.Kept, nil, func(name string) bool {
		return name != weight.Name && (bias == nil || name != bias.Name)
	})
}

func fineTunePretrained(ctx context.Context, j *UnlearnJob) (model.State, error) {
	if j.Options.Pretrained == nil {
		return nil, errors.New("a network that was pre-trained on other data is needed: --pretrained FILE")
	}
	s := j.Network.Init(j.Options.Seed)
	from, same := j.Options.Pretrained.ForClasses(j.Options.PretrainedClasses, j.Data.Classes)
	weight, bias := s.Classifier()
	for _, own := range s {
		last := own == weight || own == bias // does not fit for other classes, however many they are
		if last && !same {
			continue
		}
		p := from.Get(own.Name)
		if p == nil || !slices.Equal(p.Dims, own.Dims) {
			if last {
				continue
			}
			return nil, fmt.Errorf("the pre-trained network has no tensor %s of shape %v, as the model's %s does: expected the same network, but for its last layer", own.Name, own.Dims, j.Network.Arch)
		}
		copy(own.Data, p.Data)
	}
	return j.tune(ctx, s, j.Data, j.Kept, nil, nil)
}

func retrain(ctx context.Context, j *UnlearnJob) (model.State, error) { return j.scratch(ctx) }

// all returns the kept and the isolated images.
func (j *UnlearnJob) all() []int { return slices.Concat(j.Kept, j.Isolated) }

// relabelled fine-tunes on all, the isolated images with other labels.
func (j *UnlearnJob) relabelled(ctx context.Context, label func(i int) []float32) (model.State, error) {
	soft := map[int][]float32{}
	for _, i := range j.Isolated {
		soft[i] = label(i)
	}
	return j.tune(ctx, j.State, j.Data, j.all(), soft, nil)
}

func oneHot(n, class int) []float32 {
	v := make([]float32, n)
	v[class] = 1
	return v
}

func labelShuffle(ctx context.Context, j *UnlearnJob) (model.State, error) {
	n := j.Network.Classes
	return j.relabelled(ctx, func(i int) []float32 {
		r := rng.Stream(j.Options.Seed, "unlearn shuffle", i)
		return oneHot(n, (int(j.Data.Labels[i])+1+r.IntN(n-1))%n)
	})
}

func labelUniform(ctx context.Context, j *UnlearnJob) (model.State, error) {
	n := j.Network.Classes
	return j.relabelled(ctx, func(int) []float32 { return slices.Repeat([]float32{1 / float32(n)}, n) })
}

func labelSmooth(ctx context.Context, j *UnlearnJob) (model.State, error) {
	n := j.Network.Classes
	return j.relabelled(ctx, func(i int) []float32 {
		v := slices.Repeat([]float32{float32(j.Options.Smooth) / float32(n)}, n)
		v[j.Data.Labels[i]] += 1 - float32(j.Options.Smooth)
		return v
	})
}

func selfLearning(ctx context.Context, j *UnlearnJob) (model.State, error) {
	s, err := j.scratch(ctx)
	if err != nil {
		return nil, err
	}
	guess, err := j.guess(ctx, s, j.Isolated)
	if err != nil {
		return nil, err
	}
	return j.relabelled(ctx, func(i int) []float32 { return oneHot(j.Network.Classes, guess[i]) })
}
