package train

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/internal/base/settings"
	"github.com/unpoison/unpoison/model"
)

// Recipe says how a classifier is trained. Start from DefaultRecipe.
type Recipe struct {
	Network string `json:"network"` // architecture; see model.Names
	// Architecture, unless nil, is a network of one's own. Network is its name then, which is none of model.Names.
	Architecture *model.Architecture `json:"-"`
	Seed         uint64              `json:"seed"`
	Batch        int                 `json:"batch" range:"[2,1000000]"`

	TuneEpochs int     `json:"tune_epochs" range:"[0,1000000]"`
	TuneRate   float64 `json:"tune_rate" range:"(0,)"` // highest learning rate
	Schedule   string  `json:"schedule"`               // of Schedules
	Augment    bool    `json:"augment"`                // crop, flip and cutout
	Flip       bool    `json:"flip"`                   // flip left and right; wrong for road signs and text
}

// DefaultRecipe is what docs/researchers.md measures: 20 epochs of a WRN-16-1 in batches of 128, one cycle of the learning rate.
func DefaultRecipe() Recipe {
	return Recipe{Network: "wrn-16-1", Batch: 128, TuneEpochs: 20, TuneRate: 0.1, Schedule: "one-cycle", Augment: true, Flip: true}
}

// epochSteps are so many steps as an epoch should have, smallestBatch the fewest images of one.
const epochSteps, smallestBatch = 75, 32

// Fit returns the recipe for a number of training images: small sets get smaller batches. From 9,600 images on nothing
// changes.
func (r Recipe) Fit(images int) Recipe {
	for r.Batch > smallestBatch && images/r.Batch < epochSteps {
		r.Batch /= 2
	}
	return r
}

// Check reports a setting that is out of its range, or a name that there is not, as far as that can be told without data.
func (r Recipe) Check() error {
	if err := settings.Check(r); err != nil {
		return err
	}
	switch known := slices.Contains(model.Names(), r.Network); {
	case r.Architecture != nil && r.Network != r.Architecture.Name:
		return fmt.Errorf("network %q, and the architecture is %q; expected the same name", r.Network, r.Architecture.Name)
	case r.Architecture != nil && known: // checkpoints and error rates know networks by their names
		return fmt.Errorf("the architecture is called %q, as a network that there is; expected another name", r.Network)
	case r.Architecture == nil && !known:
		return fmt.Errorf("no network %q; there are %s", r.Network, strings.Join(model.Names(), ", "))
	}
	if !slices.Contains(Schedules(), r.Schedule) {
		return fmt.Errorf("no schedule %q; there are %s", r.Schedule, strings.Join(Schedules(), ", "))
	}
	return nil
}

// build returns the recipe's network for a data set, with the stem of the tensors that it is to start from.
func (r Recipe) build(set *dataset.Set, from model.State) (*model.Network, error) {
	switch {
	case r.Architecture != nil:
		return r.Architecture.New(len(set.Classes), set.Height, set.Width)
	case from != nil:
		return model.NewStem(r.Network, len(set.Classes), set.Height, set.Width, model.StemOf(from))
	}
	return model.New(r.Network, len(set.Classes), set.Height, set.Width)
}

// Settings of a run beside its recipe. Init changes what comes out, and so may Backend in the last digits; the others don't.
type Settings struct {
	Folder string // for checkpoints; empty keeps none
	Resume bool
	Watch  func(Event)
	Init   model.State // start from these tensors instead of fresh ones
	// Backend computes; nil is the cpu engine.
	Backend backends.Backend
	// Passes makes passes over the images, perhaps on more machines; nil: this one does.
	Passes evaluate.Passes
	// Digest is the set's, if it is known; empty: it is computed.
	Digest string
	// Log and Rewind keep a log in step with the checkpoints; see Run.
	Log    func() int64
	Rewind func(size int64) error
}

// Start checks the recipe and returns a run with a fresh network, or that of a checkpoint. A checkpoint must agree on the
// data, the names of its classes, the recipe and on agree, which are compared as JSON.
func Start(set *dataset.Set, r Recipe, s Settings, agree ...any) (*Run, error) {
	if err := cmp.Or(r.Check(), set.Check()); err != nil {
		return nil, err
	}
	if n := set.Len(); n < 2*r.Batch && n < 64 {
		return nil, fmt.Errorf("%d training images are too few to learn from, expected at least %d", n, min(2*r.Batch, 64))
	}
	n, err := r.build(set, s.Init)
	if err != nil {
		return nil, err
	}
	if s.Backend == nil {
		if s.Backend, err = engines.New("cpu", 0); err != nil {
			return nil, err
		}
	}
	if s.Init != nil {
		agree = append(agree, s.Init.Digest())
	}
	own, err := json.Marshal(append([]any{r, set.Classes}, agree...))
	if err != nil {
		return nil, err
	}
	if s.Digest == "" {
		s.Digest = set.Digest()
	}
	run := &Run{
		Backend: s.Backend, Network: n, Data: set, Seed: r.Seed, Batch: r.Batch,
		Passes: s.Passes, Folder: s.Folder, Digest: s.Digest + string(own), Watch: s.Watch, Log: s.Log, Rewind: s.Rewind,
	}
	resumed, err := run.Start(s.Resume)
	if err != nil || s.Init == nil || resumed {
		return run, err
	}
	return run, run.begin(s.Init)
}

// begin copies the tensors of a network of the same architecture.
func (r *Run) begin(from model.State) error {
	if len(from) != len(r.State) {
		return fmt.Errorf("the network to start from has %d tensors, %s has %d", len(from), r.Network.Arch, len(r.State))
	}
	for i, t := range from {
		if own := r.State[i]; t.Name != own.Name || !slices.Equal(t.Dims, own.Dims) {
			return fmt.Errorf("the network to start from has the tensor %s of %v where %s has %s of %v: expected the same network, for as many classes", t.Name, t.Dims, r.Network.Arch, own.Name, own.Dims)
		}
		copy(r.State[i].Data, t.Data)
	}
	return nil
}

// Tune is the recipe's training, as the stage "tune": on the images that are kept, and on more examples.
func (r *Run) Tune(ctx context.Context, o Recipe, kept []int, more []Example) error {
	return r.Stage("tune", func() error {
		schedule, err := ScheduleNamed(o.Schedule, o.TuneRate)
		if err != nil || o.TuneEpochs == 0 {
			return err
		}
		p := &Phase{Name: "tune", Data: r.Data, Indices: kept, More: more, Epochs: o.TuneEpochs, Schedule: schedule, Seed: o.Seed}
		if o.Augment {
			p.Augment = augment.Standard(min(r.Data.Height, r.Data.Width), o.Flip)
		}
		return r.Train(ctx, p, Mean, nil)
	})
}
