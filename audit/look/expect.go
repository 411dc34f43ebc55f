package look

import (
	"context"
	"time"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// How the speed of this machine is measured: the difference between many images and few, which leaves out what is done once.
const (
	fewBatches, manyBatches = 2, 10
	fewRows, manyRows       = 1024, 5120
	fewPictures             = 64
	manyPictures            = 576
	more                    = 3    // passes under one blur: over two halves of an image, and for its features; the other halves where these show something else
	pixelPasses             = 5    // over all images by the looks at pixels, up to nine; one more for a label that is suspected
	teachings               = 40   // small networks for a label that is suspected: rounds, folds and ways of parting
	taughtOthers            = 2000 // images of other labels that each is asked of
)

// Expected is how long a search takes, as far as it can be told from a few images.
type Expected struct {
	Clean time.Duration // where no label is suspected
	Found time.Duration // where one surely is; what is in doubt takes longer
	Disk  int64         // bytes that smaller images take beside the decoded ones, until it ends
}

// Expect measures how fast this machine is on some of the images, in seconds, and says how long the search will take. It changes
// nothing in the case or its run. With pixels also those are looked at.
func (c *Case) Expect(ctx context.Context, pixels bool) (Expected, error) {
	all := rng.Iota(c.Data.Len())
	n := float64(len(all))
	clean, found, disk := 0.0, 0.0, int64(0)
	if c.Settings.Content && c.Settings.Features == nil {
		disk = evaluate.SmallBytes(c.Data, ContentSide)
		r, phase, err := c.contentPhase(ctx, nil, "", all[:len(all)-len(all)/contentFolds], 0)
		if err != nil {
			return Expected{}, err
		}
		step, err := training(ctx, r, phase)
		if err != nil {
			return Expected{}, err
		}
		one, err := perImage(evaluate.Batch*fewBatches, evaluate.Batch*manyBatches, len(all), func(k int) error {
			_, err := c.judgedAll(ctx, r, c.Draw("expected", all, k), 0)
			return err
		})
		if err != nil {
			return Expected{}, err
		}
		clean += contentFolds*step*float64(phase.Epochs*phase.Len()) + one*(n+min(n, halvesAsked)*more/float64(len(contentBlurs())))
	}
	if c.Settings.Content && c.Settings.Features != nil {
		fits, err := c.fitting(ctx, all)
		if err != nil {
			return Expected{}, err
		}
		clean, found = clean+fits, found+fits
	}
	if c.Settings.Content {
		step, err := c.teaching(ctx, all)
		if err != nil {
			return Expected{}, err
		}
		asked := float64(len(all)/len(c.Data.Classes)+taughtOthers) / 3 // a pass costs a third of a training
		found += teachings * step * (pupilSteps*pupilBatch + asked)
	}
	if pixels {
		one, err := perImage(fewPictures, manyPictures, len(all), func(k int) error { // of all labels, which are looked at side by side
			_, err := stat.PartSums(ctx, Pictures(c.Data.View(c.Draw("expected", all, k))), make([]uint8, k))
			return err
		})
		if err != nil {
			return Expected{}, err
		}
		clean, found = clean+pixelPasses*one*n, found+one*n
	}
	if c.Settings.PlainEpochs > 0 {
		r, phase := &train.Run{Backend: c.run.Backend, Network: c.run.Network, Data: c.Data, Batch: c.run.Batch, SGD: c.run.SGD}, c.unsuspecting(all)
		if _, err := r.Start(false); err != nil {
			return Expected{}, err
		}
		step, err := training(ctx, r, phase)
		if err != nil {
			return Expected{}, err
		}
		found += step * float64(phase.Epochs*phase.Len()) * (1 + 1/float64(3*phase.Epochs)) // a pass costs a third of an epoch
	}
	of := func(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
	return Expected{of(clean), of(clean + found), disk}, nil
}

// fitting returns the seconds that classifiers of features take.
func (c *Case) fitting(ctx context.Context, all []int) (float64, error) {
	f := c.Settings.Features
	known := Those(all, func(i int) bool { return f.Row(i) != nil })
	one, err := perImage(fewRows, manyRows, len(known), func(k int) error {
		some := c.Draw("expected", known, k)
		labels := c.Data.View(some).Labels
		_, err := stat.Linear{Epochs: 1}.CrossFitted(ctx, len(some), f.Width(), len(c.Data.Classes), func(j int) []float32 { return f.Row(some[j]) }, labels)
		return err
	})
	return one * float64(stat.Linear{}.Shown(len(known))), err
}

// teaching returns the seconds that a small network takes to learn an image.
func (c *Case) teaching(ctx context.Context, all []int) (float64, error) {
	network, err := model.New(pupilNetwork, len(c.Data.Classes), c.Data.Height, c.Data.Width)
	if err != nil {
		return 0, err
	}
	r := &train.Run{Backend: c.run.Backend, Network: network, Data: c.Data, Batch: pupilBatch, SGD: train.DefaultSGD()}
	if _, err := r.Start(false); err != nil {
		return 0, err
	}
	return training(ctx, r, &train.Phase{Name: "expected", Data: c.Data, Indices: all, Schedule: train.Constant(0)})
}

// training returns the seconds that a phase takes for an image. It does a few steps of it, and leaves the run as they make it.
func training(ctx context.Context, r *train.Run, phase *train.Phase) (float64, error) {
	batch := min(r.Batch, phase.Len())
	t := train.NewTrainer(r.Backend, r.Network, batch, r.SGD, train.Mean)
	few := *phase
	few.Epochs, few.Soft, few.More = 0, nil, nil
	run := func(k int) error {
		few.Epochs++ // the run stands at the end of the last one
		few.Indices = phase.Indices[:min(k, phase.Len())]
		return r.TrainWith(ctx, &few, t, nil)
	}
	if err := run(batch); err != nil { // compiles
		return 0, err
	}
	return perImage(fewBatches*batch, manyBatches*batch, phase.Len(), run)
}

// perImage returns the seconds that do takes for an image more, where there are so many in all.
func perImage(few, many, all int, do func(images int) error) (float64, error) {
	if many = min(many, all); few >= many { // then what is done once counts too
		few = 0
	}
	var took [2]time.Duration
	for k, n := range []int{few, many} {
		if n == 0 {
			continue
		}
		start := time.Now()
		if err := do(n); err != nil {
			return 0, err
		}
		took[k] = time.Since(start)
	}
	return max(0, (took[1]-took[0]).Seconds()) / float64(max(1, many-few)), nil
}
