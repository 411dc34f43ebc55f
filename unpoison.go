// Package unpoison finds images that were planted in a training set and trains an image classifier as if they had never been
// there. Audit looks for them, Train also trains; both fit themselves to the data, and the command line does what they do.
//
// What is stable: the names and the meaning of what this package exports, from one minor version to the next, and the JSON that
// a Verdict becomes, to which fields may be added. The other packages serve this one and may change with every minor version.
// The same seed, data and version give the same verdict and the same bytes of a model; another version may give others.
package unpoison

import (
	"context"
	"errors"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

// Options of an audit or a training. The zero value is what is measured; see docs/verdict.md.
type Options struct {
	Seed    uint64 // of everything random
	Network string // architecture, of model.Names; empty: wrn-16-1
	// Recipe is how the classifier is trained; nil: the default one, fitted to the number of images. Otherwise it is taken as it
	// is, and its seed and network stand over those above.
	Recipe *train.Recipe
	Search *audit.Options // what is looked for; nil: audit.Default
	Looks  []look.Look    // looks of one's own, asked after the others
	// Features are what a network of one's own makes of the training images, in their order. The look at content then rests on
	// them and trains no network.
	Features look.Features
	// Expect is told, before a search of many images that was not begun yet, how long it will take here. Nil: nobody asks.
	Expect func(look.Expected)
	// Folder is where checkpoints go, Resume goes on from one, Watch is told of progress; see train.Settings.
	train.Settings

	steps look.Steps // fewer, for tests
}

// Result is what was found, and trained.
type Result struct {
	Verdict  *audit.Verdict
	Suspects []isolate.Suspect  // all training images, those first that the verdict would remove: as many as Verdict.Removed
	Odd      []look.Odd         // images whose labels are probably wrong, and that share no trigger: no suspects
	Network  *model.Network     // the classifier
	Model    model.State        // its tensors; after an audit those of a fresh network
	Seconds  map[string]float64 // that each stage took
	Engines  []string           // that computed, in turn
}

// Audit looks for planted images among the training images of data, which is not changed. It trains no classifier. When ctx
// ends, the folder's checkpoint is where Resume goes on.
func Audit(ctx context.Context, data *dataset.Data, o Options) (*Result, error) {
	return run(ctx, data, o, false)
}

// Train does what Audit does, and trains a classifier without what was found.
func Train(ctx context.Context, data *dataset.Data, o Options) (*Result, error) {
	return run(ctx, data, o, true)
}

// manyPixels are bytes of images that make a search take minutes: of 44,000 images at 32 pixels.
const manyPixels = 128 << 20

func run(ctx context.Context, data *dataset.Data, o Options, full bool) (_ *Result, err error) {
	defer dataset.Lost(&err)
	recipe, search := o.fit(data)
	if err := search.Check(); err != nil {
		return nil, err
	}
	agree := []any{search}
	if o.Features != nil {
		agree = append(agree, o.Features.Digest())
	}
	r, err := train.Start(data.Train, recipe, o.Settings, agree...)
	if err != nil {
		return nil, err
	}
	setup := audit.Setup{
		Rate: recipe.TuneRate, Augment: recipe.Augment, Flip: recipe.Flip, Init: o.Init, Features: o.Features, Steps: o.steps, More: o.Looks,
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
	if o.Init == nil && len(o.Looks) == 0 && o.Features == nil {
		if found.Measured, err = search.RatesFor(configuration(recipe, data.Train.Len(), r.Network.Stem)); err != nil {
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
	if err := r.Tune(ctx, recipe, l.Kept, l.More); err != nil || len(l.Unseen) == 0 {
		return err
	}
	e, err := r.Evaluator()
	if err != nil {
		return err
	}
	left, err := e.Accuracy(ctx, r.Data.View(l.Unseen))
	if err == nil {
		found.Remain(left.Accuracy, len(l.Unseen))
	}
	return err
}

// configuration is what a verdict depends on beside the search's own options, as it was before it was fitted to so many images.
// Flips follow the data's layout.
func configuration(recipe train.Recipe, images, stem int) any {
	if plain := train.DefaultRecipe(); recipe.Batch == plain.Fit(images).Batch {
		recipe.Batch = plain.Batch
	}
	return struct {
		Network   string
		Batch     int
		PlainRate float64
		Augment   bool
		Stem      bool `json:",omitempty"` // as larger images get; the rates are those of networks without
	}{recipe.Network, recipe.Batch, recipe.TuneRate, recipe.Augment, stem > 1}
}
