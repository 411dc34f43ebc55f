// Package unpoison finds images that were planted in a training set (backdoor poison), and trains an image classifier as if they
// had never been there. Audit searches for them; Train also trains. Both fit their settings to the data. The command line calls them.
//
// Two things are stable from one minor version to the next: the names and the meaning of what this package exports, and the JSON
// of a Verdict, to which fields may be added. The other packages serve this one and may change with every minor version.
// The same seed, data, version and set of the processor's instructions (AVX-512, AVX2, NEON or none) give the same verdict and the same
// bytes of a model, whatever the number of cores. Others may differ.
package unpoison

import (
	"context"
	"errors"
	"fmt"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

// Options of an audit or a training. The zero value has the default settings, those that docs/verdict.md measures.
type Options struct {
	Seed    uint64 // seed of everything random
	Network string // an architecture of model.Names; empty: wrn-16-1
	// Recipe is how the classifier is trained. Nil is the default recipe, fitted to the number of images. Any other is used as it
	// is, and its seed and network replace those above.
	Recipe *train.Recipe
	Search *audit.Options // settings of the search; nil: audit.Default
	Looks  []look.Look    // the caller's own looks, asked after the built-in ones
	// Features are what the caller's own network computes from the training images, in their order. The search then judges what
	// the images show by them, and trains no network for that.
	Features look.Features
	// Expect, unless nil, is called before a new search of many images, with the time that it will take on this machine.
	Expect func(look.Expected)
	// Settings has the folder of the checkpoints, Resume to continue from one, and Watch to follow the progress.
	train.Settings

	steps look.Steps // fewer, for tests
}

// Result is what a search found, and the classifier that was trained.
type Result struct {
	Verdict  *audit.Verdict
	Suspects []isolate.Suspect  // all training images, the most suspicious first; the first Verdict.Removed of them are the suspects
	Odd      []look.Odd         // images whose labels are probably wrong but that share no trigger; they are no suspects
	Network  *model.Network     // the classifier
	Model    model.State        // its tensors; after an audit, those of an untrained network
	Seconds  map[string]float64 // the time that each stage took
	Engines  []string           // the engines that computed, in order
}

// Audit searches for planted images among the training images of data, which is not changed. It trains no classifier. When ctx
// ends, the checkpoint in the folder keeps what was done, and Resume continues from it.
func Audit(ctx context.Context, data *dataset.Data, o Options) (*Result, error) {
	return run(ctx, data, o, false)
}

// Train does what Audit does, and then trains a classifier without the suspects, but for those that it can correct or neutralise.
func Train(ctx context.Context, data *dataset.Data, o Options) (*Result, error) {
	return run(ctx, data, o, true)
}

// manyPixels are bytes of images that make a search take minutes: of 44,000 images at 32 pixels.
const manyPixels = 128 << 20

func run(ctx context.Context, data *dataset.Data, o Options, full bool) (_ *Result, err error) {
	defer dataset.Lost(&err)
	if data == nil || data.Train == nil {
		return nil, errors.New("the data hold no training images")
	}
	recipe, search := o.fit(data)
	if err := search.Check(); err != nil {
		return nil, err
	}
	spared := 0 // epochs, at most: half of them
	if full && recipe.Schedule == "one-cycle" {
		spared = recipe.TuneEpochs / 2
	}
	agree := []any{search, audit.Revision} // an earlier search found other images
	if spared > 0 {
		agree = append(agree, spared) // an audit leaves no network to go on from
	}
	if o.Features != nil {
		agree = append(agree, o.Features.Digest())
	}
	for k, l := range o.Looks {
		if l == nil {
			return nil, fmt.Errorf("look %d of Options.Looks is nil", k)
		}
		agree = append(agree, l.Name())
	}
	r, err := train.Start(data.Train, recipe, o.Settings, agree...)
	if err != nil {
		return nil, err
	}
	setup := audit.Setup{
		Rate: recipe.TuneRate, Augment: recipe.Augment, Flip: recipe.Flip, Init: o.Init, Features: o.Features, Steps: o.steps, More: o.Looks,
		Continue: spared,
	}
	if n := int64(data.Train.Len()) * int64(data.Train.ImageBytes()); n >= manyPixels && !o.Resume && o.Passes == nil {
		setup.Expect = o.Expect
	}
	found, err := audit.Search(ctx, r, setup, search)
	if err != nil {
		return nil, err
	}
	if len(found.Kept) == 0 {
		return nil, errors.New("all images look poisoned: nothing is left to train on")
	}
	if o.Init == nil && len(o.Looks) == 0 && o.Features == nil && !found.Untold { // no set was measured whose labels nobody can tell
		if found.Measured, err = search.RatesFor(configuration(recipe, data, r.Network.Stem)); err != nil {
			return nil, err
		}
		if found.Measured != nil {
			found.Calibration = found.Calibrate(audit.MeasuredSets(), data.Train.Len(), len(data.Train.Classes))
		}
	}
	if full && recipe.TuneEpochs > 0 {
		if err := clean(ctx, r, recipe, search, found); err != nil {
			return nil, err
		}
	}
	return &Result{
		Verdict: found.Verdict, Suspects: found.Suspects(), Odd: found.Odd, Network: r.Network, Model: r.State,
		Seconds: r.Seconds, Engines: r.Engines,
	}, nil
}

// fit returns the settings for the data: images whose layout forbids it, such as road signs, are never flipped.
func (o Options) fit(data *dataset.Data) (recipe train.Recipe, search audit.Options) {
	images := data.Train.Len()
	if o.Recipe != nil {
		recipe = *o.Recipe
	} else {
		recipe = train.DefaultRecipe().Fit(images)
		recipe.Seed = o.Seed
		if o.Network != "" {
			recipe.Network = o.Network
		}
	}
	recipe.Flip = recipe.Flip && dataset.Flips(data.Layout)
	if search = audit.Default(); o.Search != nil {
		search = *o.Search
	}
	return recipe, search
}

// clean trains on what was kept and corrected; the removed images that it never sees say what is left of a backdoor.
func clean(ctx context.Context, r *train.Run, recipe train.Recipe, search audit.Options, found *audit.Found) error {
	l := found.Lessons(r.Data, search, recipe.Seed)
	recipe.TuneEpochs -= found.Continued
	if err := r.Tune(ctx, recipe, l.Kept, l.More); err != nil || len(l.Unseen) == 0 {
		return err
	}
	e, err := r.Evaluator()
	if err != nil {
		return err
	}
	left, err := e.Measure(ctx, r.Data.View(l.Unseen))
	if err == nil {
		found.Remain(left.Accuracy, len(l.Unseen))
	}
	return err
}

// configuration is what a verdict depends on beside the search's own options, as it was before it was fitted to the data.
func configuration(recipe train.Recipe, data *dataset.Data, stem int) any {
	fitted := recipe.Batch == train.DefaultRecipe().Fit(data.Train.Len()).Batch
	if fitted {
		recipe.Batch = train.DefaultRecipe().Batch
	}
	return struct {
		Network   string
		Batch     int
		PlainRate float64
		Augment   bool
		Stem      bool `json:",omitempty"` // as larger images get; the rates are those of networks without
		NoFlip    bool `json:",omitempty"` // though the data's layout allows flips
		Unfitted  bool `json:",omitempty"` // another batch than suits the number of images, which may be the default one's
	}{recipe.Network, recipe.Batch, recipe.TuneRate, recipe.Augment, stem > 1, !recipe.Flip && dataset.Flips(data.Layout), !fitted}
}
