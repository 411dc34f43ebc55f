package runs

import (
	"context"
	"time"

	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/internal/base/version"
	"github.com/unpoison/unpoison/train"
)

// newResult returns a result with what is known beforehand.
func (s *Spec) newResult(ctx context.Context) (*Result, error) {
	res := &Result{
		Version: version.String(), Date: time.Now().UTC().Format("2006-01-02"), Command: s.Command, Seed: s.Options.Seed,
		Model: s.Options.Network, Engine: engines.Describe(s.Backend), Defense: s.Defense,
		Data: DataInfo{
			Path: s.Data.Path, Layout: s.Data.Layout, ReadWith: s.ReadWith, Origin: s.Origin, Classes: s.Data.Train.Classes,
			Train: s.Data.Train.Len(), Skipped: len(s.Data.Skipped),
		},
		Epochs:  Epochs{Isolate: s.Options.IsolateEpochs, Tune: s.Options.TuneEpochs},
		Options: s.Options,
	}
	if s.Audit {
		res.Epochs.Tune = 0
	}
	if s.Data.Test != nil {
		res.Data.Test = s.Data.Test.Len()
	}
	if err := s.compare(ctx, res); err != nil {
		return nil, err
	}
	for c, n := range s.Data.Train.Counts() {
		switch n {
		case 0:
			res.Data.Empty = append(res.Data.Empty, s.Data.Train.Classes[c])
		case 1:
			res.Data.Single = append(res.Data.Single, s.Data.Train.Classes[c])
		}
	}
	return res, nil
}

// compare says which images are there twice, and what identifies the training images: in one pass over them.
func (s *Spec) compare(ctx context.Context, res *Result) error {
	all := s.Data.Train.Len()
	own, err := s.Data.Train.PrintsUntil(ctx, func(done int) {
		s.tell(nil, &Outcome{}, train.Event{Stage: "compare", Progress: &train.Progress{Images: true, Epoch: 1, Epochs: 1, Step: done, Steps: all}})
	})
	if err != nil {
		return err
	}
	twins := own.Twins()
	res.Data.Digest, res.Data.Duplicates, res.Data.Conflicting = own.Digest, twins.Same, twins.Conflicting
	if s.Data.Test == nil || s.Audit { // which measures nothing on it
		return nil
	}
	test, err := s.Data.Test.PrintsUntil(ctx, nil)
	if err == nil {
		res.Data.Shared = own.Shared(test).Same
	}
	return err
}
