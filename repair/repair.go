// Package repair takes a backdoor out of a trained network: with a little clean data by fine-pruning, mode connectivity
// repair and neural attention distillation (Run), or by what is known of the data that it was trained on, which images
// are taken for planted and which are trusted (Unlearn).
package repair

import (
	"context"
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

// Options of all methods; start from Defaults.
type Options struct {
	Seed   uint64  `json:"seed"`
	Batch  int     `json:"batch" range:"[2,1000000]"`
	Epochs int     `json:"epochs" range:"[0,1000000]"` // over the clean data, of each training that a method does
	Rate   float64 `json:"rate" range:"(0,)"`          // learning rate at the start, falling along a cosine
	Flip   bool    `json:"flip"`                       // flip left and right; wrong for road signs and text
	// NoAugment trains on the images as they are.
	NoAugment bool `json:"no_augment,omitempty"`
	// Tolerance is the accuracy on the clean data that fine-pruning may cost before it tunes.
	Tolerance float64 `json:"tolerance,omitempty" range:"[0,1]"`
	// Beta weighs NAD's attention loss of each residual group.
	Beta float64 `json:"beta,omitempty" range:"[0,)"`
}

// Defaults returns a method's settings for a number of clean images; 0 is unknown. A step takes 64, of fewer than 256 about
// a quarter. MCR's and NAD's were chosen among a few on BadNets (NAD's on Blend, too), CIFAR-10 (docs/researchers.md).
func Defaults(method string, images int) Options {
	o := Options{Batch: batchOf(64, images), Epochs: 10, Rate: 0.01, Flip: true}
	switch method {
	case "fp":
		o.Tolerance = 0.04
	case "mcr":
		o.Rate, o.Epochs = 0.1, 20
	case "nad":
		o.Beta, o.Rate, o.Epochs = 1000, 0.1, 20 // rate and epochs as published
	}
	return o
}

// batchOf returns how many of so many images a step takes: as many as usual, of fewer than four times these about a quarter, at least 8.
// 0 images are an unknown number.
func batchOf(usual, images int) int {
	for images > 0 && usual > 8 && 4*usual > images {
		usual /= 2
	}
	return usual
}

// Check reports a setting that is out of its range.
func (o Options) Check() error { return settings.Check(o) }

// CheckFor is Check for a method: one that does nothing but train needs epochs. Fine-pruning without any prunes.
func (o Options) CheckFor(method string) error {
	if err := o.Check(); err != nil {
		return err
	}
	if o.Epochs == 0 && (method == "mcr" || method == "nad") {
		return fmt.Errorf("%s is training, and there are 0 epochs of it: nothing to do", method)
	}
	return nil
}

// Job is a network to repair and what to repair it with.
type Job struct {
	Backend backends.Backend
	Network *model.Network
	State   model.State  // not changed
	Clean   *dataset.Set // clean images with their labels
	Options Options
	Watch   func(train.Progress) // nil: nobody
}

// Outcome is a repaired network, and what the method chose on the way.
type Outcome struct {
	State model.State
	Chose map[string]float64 // "pruned" channels, path position "t", …
}

// Method repairs a network.
type Method struct {
	Name string
	Run  func(ctx context.Context, j *Job) (*Outcome, error)
	// Trainings is how many it does, each of so many epochs as the options say; 0: one.
	Trainings int
}

// Methods returns those of this package.
func Methods() []Method {
	return []Method{{"fp", prunedFinely, 1}, {"mcr", connected, 2}, {"nad", distilled, 2}}
}

// Names lists them.
func Names() []string {
	var n []string
	for _, m := range Methods() {
		n = append(n, m.Name)
	}
	return n
}

// MethodNamed returns the method of a name.
func MethodNamed(name string) (Method, error) {
	for _, m := range Methods() {
		if m.Name == name {
			return m, nil
		}
	}
	return Method{}, fmt.Errorf("no method %q; there are %s", name, strings.Join(Names(), ", "))
}

// Run repairs a network by a method of this package or of one's own. It sees the clean images and nothing else.
func Run(ctx context.Context, m Method, j *Job) (*Outcome, error) {
	if err := j.Options.CheckFor(m.Name); err != nil {
		return nil, err
	}
	if err := j.Clean.CheckFor("the clean images", j.Network.Classes, j.Network.Height, j.Network.Width); err != nil {
		return nil, err
	}
	if err := learnable(j.Clean, "clean images", rng.Iota(j.Clean.Len())); err != nil {
		return nil, err
	}
	if n := j.Clean.Len(); n < j.Options.Batch {
		return nil, fmt.Errorf("%d clean images do not make a batch of %d; give more images or a smaller batch", n, j.Options.Batch)
	}
	return m.Run(ctx, j)
}

// learnable refuses images of one class.
func learnable(set *dataset.Set, what string, at []int) error {
	if err := set.Several(what, at); err != nil {
		return fmt.Errorf("%w: the network would forget all others; give images of all classes that it knows", err)
	}
	return nil
}

// tuning returns a training on the clean data.
func (j *Job) tuning(name string) *train.Phase {
	p := &train.Phase{
		Name: name, Data: j.Clean, Indices: rng.Iota(j.Clean.Len()), Batch: j.Options.Batch, Epochs: j.Options.Epochs, Schedule: train.Cosine(j.Options.Rate),
		Seed: j.Options.Seed,
	}
	if !j.Options.NoAugment {
		p.Augment = augment.Standard(min(j.Clean.Height, j.Clean.Width), j.Options.Flip)
	}
	return p
}

// fineTuned returns a copy of the network, fine-tuned on the clean data.
func (j *Job) fineTuned(ctx context.Context) (model.State, error) {
	s := j.State.Clone()
	return s, j.tuning("fine-tune").Tune(ctx, j.Backend, &train.Module{Net: j.Network, State: s}, j.Watch)
}

// Draw returns a share of a clean set to be looked at, drawn by seed: the paper gives these defences 5 %. From a share of 1 on it is
// the set itself; one that is no number, or below 0, is none of it.
func Draw(set *dataset.Set, share float64, seed uint64) *dataset.Set {
	if share >= 1 {
		return set
	}
	n := 0
	if share > 0 {
		n = int(share * float64(set.Len()))
	}
	at := rng.Shuffle(seed, "repair clean", set.Len())[:n]
	slices.Sort(at)
	return set.View(at)
}
