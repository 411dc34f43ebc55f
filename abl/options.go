package abl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/settings"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/train"
)

// Options are ABL's knobs. Start from Default or Paper.
type Options struct {
	train.Recipe    // the network, and its training on what is kept
	isolate.Options // what is isolated

	Unlearn       string  `json:"unlearn"`                                      // of Modes, or "none"
	UnlearnSteps  int     `json:"unlearn_steps" range:"[0,1000000000]"`         // of a round, at most
	UnlearnEpochs float64 `json:"unlearn_epochs,omitempty" range:"[0,1000000]"` // instead of steps: over the kept images (joint) or the isolated ones (split)
	UnlearnRate   float64 `json:"unlearn_rate" range:"(0,)"`                    // at the start: joint falls to 0 along a cosine, split keeps it
	UnlearnLimit  float64 `json:"unlearn_limit"`                                // isolated losses count up to here; 0: ln(classes), negative: unbounded
	Tolerance     float64 `json:"tolerance" range:"[0,1]"`                      // accuracy that unlearning may cost on held-back images
	HeldBackShare float64 `json:"held_back" range:"[0,0.5]"`                    // share of the kept images that only watches
	Refine        bool    `json:"refine"`                                       // a second round of unlearning without the images that hung on the backdoor
}

// Default is the recipe that docs/researchers.md measures: the paper's steps in fewer epochs, with a
// bounded joint unlearning.
func Default() Options {
	return Options{
		Recipe: train.DefaultRecipe(), Options: isolate.Default(),
		Unlearn: "joint", UnlearnSteps: 400, UnlearnRate: 1e-2, Tolerance: 0.02, HeldBackShare: 0.02, Refine: true,
	}
}

// Paper is the recipe as published: T = 100, T_te = 20, batch 64, split unlearning.
func Paper() Options {
	o := Options{
		Recipe: train.DefaultRecipe(), Options: isolate.Default(),
		Unlearn: "split", UnlearnEpochs: 20, UnlearnRate: 5e-4, UnlearnLimit: -1, Tolerance: 0.03, HeldBackShare: 0.02,
	}
	o.Batch, o.TuneEpochs, o.Schedule = 64, 80, "step"
	o.IsolateEpochs, o.IsolateMost, o.Rank = 20, 0, "final"
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

// Fit returns the recipe for a number of training images: small sets get smaller batches, more epochs of
// isolation and a larger isolated share. From 9,600 images on nothing changes.
func (o Options) Fit(images int) Options {
	o.Recipe = o.Recipe.Fit(images)
	o.Options = o.Options.Fit(images, o.Batch)
	return o
}

// FitTo is Fit for a recipe of which some settings were given, named as in JSON: those stay as they are. Where the
// epochs of isolation or γ were given, isolation does not go on beyond its epochs, unless isolate_most was given too.
func (o Options) FitTo(images int, given func(setting string) bool) Options {
	if !given("batch") {
		o.Recipe = o.Recipe.Fit(images)
	}
	fit := o.Options.Fit(images, o.Batch) // epochs of the batch that is used
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

// Unlearning returns the values of Options.Unlearn.
func Unlearning() []string { return append(Modes(), "none") }

// Check reports a setting that is out of its range, or a name that there is not, as far as that can be told without data.
func (o Options) Check() error {
	if err := settings.Check(o); err != nil {
		return err
	}
	if err := o.Recipe.Check(); err != nil {
		return err
	}
	if err := o.Options.Check(); err != nil {
		return err
	}
	switch {
	case !slices.Contains(Unlearning(), o.Unlearn):
		return fmt.Errorf("no unlearning %q; there are %s", o.Unlearn, strings.Join(Unlearning(), ", "))
	case o.IsolateEpochs+o.TuneEpochs == 0:
		return errors.New("no epochs of isolation and none of training: nothing to do")
	case o.Unlearn != "none" && o.UnlearnSteps == 0 && o.UnlearnEpochs == 0:
		return errors.New("0 steps of unlearning: nothing to do")
	}
	return nil
}

// checkUnlearning is Check of the settings of unlearning alone.
func (o Options) checkUnlearning() error {
	of := Default()
	of.Unlearn, of.UnlearnSteps, of.UnlearnEpochs, of.UnlearnRate, of.UnlearnLimit, of.Tolerance = o.Unlearn, o.UnlearnSteps, o.UnlearnEpochs, o.UnlearnRate, o.UnlearnLimit, o.Tolerance
	return of.Check()
}
