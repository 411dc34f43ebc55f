package abl

import (
	"context"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/train"
)

// What audit still takes from here while it moves. To be removed with it.
type (
	Settings = train.Settings
	Suspect  = isolate.Suspect
)

// Start is train.Start. To be removed.
func Start(set *dataset.Set, o Options, s Settings, more string) (*train.Run, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	return train.Start(set, o.Recipe, s, o, more)
}

// Isolate is isolate.Run. To be removed.
func Isolate(ctx context.Context, r *train.Run, o Options) ([]float32, error) {
	found, err := isolate.Run(ctx, r, o.Options)
	if err != nil {
		return nil, err
	}
	return found.Scores, nil
}

// Tune is Run.Tune. To be removed.
func Tune(ctx context.Context, r *train.Run, o Options, kept []int, more []train.Example) error {
	return r.Tune(ctx, o.Recipe, kept, more)
}

// Finish takes over what a run has made. To be removed.
func (res *Result) Finish(r *train.Run) {
	res.Model, res.Seconds, res.Engines = r.State, r.Seconds, r.Engines
	_, _ = r.Get("isolation epochs", &res.Isolated)
}
