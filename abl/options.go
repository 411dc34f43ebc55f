package abl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/settings"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
	"github.com/unpoison/unpoison/unlearn"
)

// Options are ABL's knobs. Start from Default or Paper.
type Options struct {
	Network string `json:"network"` // architecture; see model.Names
	Seed    uint64 `json:"seed"`
	Batch   int    `json:"batch" range:"[2,)"`

	IsolateEpochs int     `json:"isolate_epochs" range:"[0,)"` // the turning epoch T_te; 0: no isolation, plain training
	IsolateRate   float64 `json:"isolate_rate" range:"(0,)"`   // learning rate meanwhile
	// IsolateMost, unless 0, lets isolation go on up to so many epochs, until the mean loss of one is below
	// γ + 0.25: what is easy has been learnt then, however many or few images there are.
	IsolateMost int     `json:"isolate_most,omitempty" range:"[0,)"`
	Loss        string  `json:"loss"`                               // of Losses
	Gamma       float64 `json:"gamma" range:"[0,)"`                 // LGA's threshold, flooding's level
	Sign        string  `json:"sign"`                               // LGA's sign, of Signs: that of each image's loss (the formula) or of the batch's mean (the published code)
	Rank        string  `json:"rank"`                               // by the "final" network's losses, or their "mean" or "worst" over the epochs; see isolate.Scores
	RankEpochs  int     `json:"rank_epochs,omitempty" range:"[0,)"` // so many of the last ones; 0: all but the first
	Isolation   float64 `json:"isolation" range:"[0,0.5)"`          // isolation rate p: share of images isolated

	TuneEpochs int     `json:"tune_epochs" range:"[0,)"`
	TuneRate   float64 `json:"tune_rate" range:"(0,)"`
	Schedule   string  `json:"schedule"` // of train.Schedules
	Augment    bool    `json:"augment"`  // crop, flip and cutout in fine-tuning
	Flip       bool    `json:"flip"`     // flip left and right; wrong for road signs and text

	Unlearn       string  `json:"unlearn"` // of unlearn.Modes, or "none"
	UnlearnSteps  int     `json:"unlearn_steps" range:"[0,)"`
	UnlearnEpochs float64 `json:"unlearn_epochs,omitempty" range:"[0,)"` // instead of steps: over the kept images (joint) or the isolated ones (split)
	UnlearnRate   float64 `json:"unlearn_rate" range:"(0,)"`
	UnlearnLimit  float64 `json:"unlearn_limit"`             // isolated losses count up to here; 0: ln(classes), negative: unbounded
	Tolerance     float64 `json:"tolerance" range:"[0,1]"`   // accuracy that unlearning may cost on held-back images
	HeldBackShare float64 `json:"held_back" range:"[0,0.5]"` // share of the kept images that only watches
	Refine        bool    `json:"refine"`                    // a second round of unlearning without the images that hung on the backdoor
}

// Default is the recipe that docs/recipe.md measures: the paper's steps in fewer epochs, with a
// bounded joint unlearning.
func Default() Options {
	return Options{
		Network: "wrn-16-1", Batch: 128,
		IsolateEpochs: 4, IsolateRate: 0.1, Loss: "lga", Gamma: 0.5, Sign: "batch", Rank: "worst", Isolation: 0.01,
		IsolateMost: 30,
		TuneEpochs:  20, TuneRate: 0.1, Schedule: "one-cycle", Augment: true, Flip: true,
		Unlearn: "joint", UnlearnSteps: 400, UnlearnRate: 1e-2, Tolerance: 0.02, HeldBackShare: 0.02, Refine: true,
	}
}

// Paper is the recipe as published: T = 100, T_te = 20, batch 64, split unlearning.
func Paper() Options {
	return Options{
		Network: "wrn-16-1", Batch: 64,
		IsolateEpochs: 20, IsolateRate: 0.1, Loss: "lga", Gamma: 0.5, Sign: "batch", Rank: "final", Isolation: 0.01,
		TuneEpochs: 80, TuneRate: 0.1, Schedule: "step", Augment: true, Flip: true,
		Unlearn: "split", UnlearnEpochs: 20, UnlearnRate: 5e-4, UnlearnLimit: -1, Tolerance: 0.03, HeldBackShare: 0.02,
	}
}

// What isolation needs of a set of any size: so many steps to learn what is easy, so many in an epoch, and
// so many isolated images, a batch of unlearning.
const isolationSteps, epochSteps, leastIsolated = 300, 75, unlearnIsolated

// Fit returns the recipe for a number of training images: small sets get smaller batches, more epochs of
// isolation and a larger isolated share. From 9,600 images on nothing changes.
func (o Options) Fit(images int) Options {
	for o.Batch > 32 && images/o.Batch < epochSteps {
		o.Batch /= 2
	}
	steps := max(1, images/max(1, o.Batch))
	if o.IsolateEpochs > 0 {
		o.IsolateEpochs = max(o.IsolateEpochs, (isolationSteps+steps-1)/steps)
	}
	o.Isolation = max(o.Isolation, min(0.05, leastIsolated/float64(max(1, images))))
	return o
}

// FitTo is Fit for a recipe of which some settings were given, named as in JSON: those stay as they are. Where the
// epochs of isolation or γ were given, isolation does not go on beyond its epochs, unless isolate_most was given too.
func (o Options) FitTo(images int, given func(setting string) bool) Options {
	fit := o.Fit(images)
	if !given("batch") {
		o.Batch = fit.Batch
	}
	if !given("isolate_epochs") {
		o.IsolateEpochs = fit.IsolateEpochs
	}
	if !given("isolation") {
		o.Isolation = fit.Isolation
	}
	if (given("isolate_epochs") || given("gamma")) && !given("isolate_most") {
		o.IsolateMost = 0
	}
	return o
}

// Demo is the recipe of the demo's few images and small network.
func Demo() Options {
	o := Default()
	o.Network, o.Batch, o.Augment = "small-cnn", 64, false
	o.IsolateEpochs, o.IsolateMost, o.TuneEpochs = 6, 0, 20
	o.Rank, o.Isolation = "worst", 0.05 // 1 % of 3,000 images is too little to unlearn from
	o.UnlearnSteps, o.UnlearnLimit, o.Tolerance = 100, 5, 0.05
	return o
}

// Losses are the names of isolation's losses, Signs those of LGA's signs, Unlearning those of the ways to unlearn.
var (
	Losses     = []string{"lga", "flooding", "ce"}
	Signs      = []string{"sample", "batch"}
	Unlearning = append(slices.Clone(unlearn.Modes), "none")
)

// Check reports a setting that is out of its range, or a name that there is not, as far as that can be told without data.
func (o Options) Check() error {
	if err := settings.Check(o); err != nil {
		return err
	}
	for _, c := range []struct {
		what, name string
		known      []string
	}{
		{"network", o.Network, model.Names()},
		{"isolation loss", o.Loss, Losses},
		{"LGA sign", o.Sign, Signs},
		{"ranking", o.Rank, isolate.Ranks},
		{"schedule", o.Schedule, train.Schedules},
		{"unlearning", o.Unlearn, Unlearning},
	} {
		if !slices.Contains(c.known, c.name) {
			return fmt.Errorf("no %s %q; there are %s", c.what, c.name, strings.Join(c.known, ", "))
		}
	}
	switch {
	case o.IsolateEpochs+o.TuneEpochs == 0:
		return errors.New("no epochs of isolation and none of training: nothing to do")
	case o.IsolateEpochs > 0 && o.Isolation == 0:
		return errors.New("isolation 0, expected more than 0 and less than 0.5")
	}
	return nil
}

// loss is isolation's.
func (o Options) loss() train.Loss {
	switch o.Loss {
	case "flooding":
		return train.Flooding(o.Gamma)
	case "ce":
		return train.Mean
	}
	return train.LocalGradientAscent(o.Gamma, o.Sign == "sample")
}
