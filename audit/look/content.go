package look

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// How the network that cannot see triggers is trained.
const (
	contentNetwork = "wrn-16-1"
	contentFolds   = 2
	contentSteps   = 600 // at least, in a fold
	contentEpochs  = 8   // at least
	contentBatch   = 128 // at most; small sets get smaller ones
	contentRate    = 0.1
	contentDecay   = 5e-4
	contentWarm    = 0.2 // share of the steps in which the learning rate rises
)

// ContentSide is the shorter side, in pixels, that larger images are averaged down to: less shows what they are.
const ContentSide = 64

// contentBlurs are the deviations of the blurs, in pixels of an image with a side of 32, under which images are judged.
func contentBlurs() []float64 { return []float64{0.6, 1} }

// Content is what networks that cannot see triggers make of the images: what fine patterns, exact places and exact colours there
// are, their augmentation destroys (augment.Coarse). Each image is judged by a network that never saw it.
type Content struct {
	P      *stat.Softmax // [images][classes]: probabilities, calibrated on the labels by a temperature
	Labels []int32
	Own    []float64 // each image's probability of its own label, without the flips that the networks have learnt; see stat.Unfloored

	missing []bool // the images without features, of which nothing is known; nil if there are none
}

// Knows tells whether anything is known of an image's content: not where features are missing. Its P and Own then say nothing.
func (c *Content) Knows(i int) bool { return c.missing == nil || !c.missing[i] }

// Whole tells whether something is known of all images.
func (c *Content) Whole() bool { return c.missing == nil }

// Classes is how many there are.
func (c *Content) Classes() int { return c.P.Columns() }

// Shows returns the class that an image most likely shows, but for one label; −1: but for none.
func (c *Content) Shows(i, label int) int { return c.P.Top(i, label) }

// Confirmed is the share of the images whose label is the likeliest class.
func (c *Content) Confirmed() float64 {
	n, all := 0, 0
	for i, y := range c.Labels {
		if c.Knows(i) {
			n += stat.Bit(c.Shows(i, -1) == int(y))
			all++
		}
	}
	return float64(n) / float64(max(1, all))
}

// contentKey begins the names of the probabilities' logarithms in a run's checkpoint, which a fold's number ends.
const contentKey = "content"

// Features are what a network of one's own makes of the images. It should know more images than these, and may itself have been
// poisoned: what it can't see, nothing that rests on it can.
type Features interface {
	Width() int
	Row(i int) []float32 // Width finite ones of an image, to be read only; nil where they are missing. It may be called by several at a time
	Digest() string      // of all
}

// Content trains the networks, once; where there are features, a linear classifier on them instead. A fold that is done is kept in
// the run's checkpoint.
func (c *Case) Content(ctx context.Context) (*Content, error) {
	if c.content == nil {
		content, err := c.contentBut(ctx, contentKey, nil)
		if err != nil {
			return nil, err
		}
		c.content = content
	}
	return c.content, nil
}

// contentBut is Content by networks that learnt none of those that are left out, nil: all. The name is that of their part in the run's
// checkpoint.
func (c *Case) contentBut(ctx context.Context, name string, left []bool) (*Content, error) {
	logs, err := c.contentLogs(ctx, name, left)
	if err != nil {
		return nil, err
	}
	return c.calibrated(logs, left, c.featureless()), nil
}

// calibrated makes probabilities of logarithms. Images that are left out do not calibrate, and of missing ones nothing is known; nil: none.
func (c *Case) calibrated(logs [][]float32, left, missing []bool) *Content {
	out := &Content{Labels: c.Data.Labels, missing: missing}
	some, labels, known := logs, c.Data.Labels, c.Data.Labels
	if left != nil || out.missing != nil {
		some, labels, known = nil, nil, slices.Clone(known)
		for i, z := range logs {
			if !out.Knows(i) {
				known[i] = -1
			} else if left == nil || !left[i] {
				some, labels = append(some, z), append(labels, c.Data.Labels[i])
			}
		}
	}
	out.P = stat.NewSoftmax(logs, stat.Temperature(some, labels))
	out.Own = stat.Unfloored(out.P, known, len(c.Data.Classes))
	return out
}

// featureless tells which images lack features that others have; nil if none does.
func (c *Case) featureless() (missing []bool) {
	f := c.Settings.Features
	if f == nil {
		return nil
	}
	for i := range c.Data.Len() {
		if f.Row(i) == nil {
			if missing == nil {
				missing = make([]bool, c.Data.Len())
			}
			missing[i] = true
		}
	}
	return missing
}

// contentLogs returns the logarithms of each image's probabilities, [images][classes], before they are calibrated, by networks that
// learnt none of those that are left out. The name is that of their part in the run's checkpoint.
func (c *Case) contentLogs(ctx context.Context, name string, left []bool) ([][]float32, error) {
	classes := len(c.Data.Classes)
	if c.Settings.Features != nil {
		return c.featureLogs(ctx, name, left)
	}
	logs := make([][]float32, c.Data.Len())
	folds := c.contentFolds()
	for fold, held := range folds {
		key := foldKey(name, fold)
		if len(c.run.Arrays[key]) != len(held)*classes {
			got, err := c.contentFold(ctx, key, folds, fold, left)
			if err != nil {
				return nil, err
			}
			c.run.Arrays[key] = got
			if err := c.Save(); err != nil {
				return nil, err
			}
		}
		for k, i := range held {
			logs[i] = c.run.Arrays[key][k*classes : (k+1)*classes]
		}
	}
	return logs, nil
}

// featureLogs are contentLogs by classifiers of the features, which are kept as if they were of one fold.
func (c *Case) featureLogs(ctx context.Context, name string, left []bool) ([][]float32, error) {
	n, classes := c.Data.Len(), len(c.Data.Classes)
	key, f := foldKey(name, 0), c.Settings.Features
	if len(c.run.Arrays[key]) != n*classes {
		labels := slices.Clone(c.Data.Labels)
		for i := range left {
			if left[i] {
				labels[i] = -1
			}
		}
		out, err := stat.Linear{Seed: c.Seed}.CrossFitted(ctx, n, f.Width(), classes, f.Row, labels)
		if err != nil {
			return nil, err
		}
		for row := range slices.Chunk(out, classes) {
			if math.IsNaN(float64(row[0])) { // without features: all classes are alike
				clear(row)
			}
		}
		if name == contentKey && c.calibrated(slices.Collect(slices.Chunk(out, classes)), nil, c.featureless()).tells() <= 0 {
			return nil, fmt.Errorf("features: expected some that tell the %d classes apart, found that they say no more than how common these are; are the rows in the order of the images?", classes)
		}
		if file, ok := f.(interface{ Unchanged() error }); ok {
			if err := file.Unchanged(); err != nil {
				return nil, err
			}
		}
		c.run.Arrays[key] = out // no earlier: a run is not to go on from what wrong features said
		if err := c.Save(); err != nil {
			return nil, err
		}
	}
	return slices.Collect(slices.Chunk(c.run.Arrays[key], classes)), nil
}

// foldKey is the name of what a fold's network says of its images.
func foldKey(name string, fold int) string { return fmt.Sprintf("%s.%d", name, fold) }

// contentImages are the images, averaged down to what content needs.
func (c *Case) contentImages(ctx context.Context) (_ *dataset.Set, err error) {
	if c.small == nil {
		c.small, err = evaluate.Small(ctx, c.Data, ContentSide, c.seen("content"))
	}
	return c.small, err // none with an error
}

// contentFolds parts the images by chance.
func (c *Case) contentFolds() [][]int {
	folds := make([][]int, contentFolds)
	for k, i := range rng.Shuffle(c.Seed, "content folds", c.Data.Len()) {
		folds[k%contentFolds] = append(folds[k%contentFolds], i)
	}
	return folds
}

// contentFold trains on the other folds, but for what is left out, and returns the logarithms of the probabilities of a fold's images, [images, classes].
func (c *Case) contentFold(ctx context.Context, key string, folds [][]int, fold int, left []bool) ([]float32, error) {
	var learnt []int
	for f, images := range folds {
		if f != fold {
			learnt = append(learnt, Those(images, func(i int) bool { return left == nil || !left[i] })...)
		}
	}
	r, err := c.contentRun(ctx, key, learnt, fold)
	if err != nil {
		return nil, err
	}
	got, err := c.judgedAll(ctx, r, folds[fold], 0)
	if err != nil {
		return nil, err
	}
	if left == nil {
		c.keepNetwork(fold, r.State)
	}
	r.Finish()
	shiftBy(got, c.sampled(learnt, "content"))
	return got, nil
}

// sampled is what a network's logits of each class lack that learnt from a sample of some images, in which some labels have another
// share than in these: the logarithm of the shares' ratio. Nil where it learnt from all.
func (c *Case) sampled(from []int, purpose string) (shift []float64) {
	sample := train.Sample(c.Data, from, c.Settings.Learn, c.Seed, purpose)
	if len(sample) == len(from) {
		return nil
	}
	shift = make([]float64, len(c.Data.Classes))
	for k, images := range [][]int{from, sample} {
		count := make([]int, len(shift))
		for _, i := range images {
			count[c.Data.Labels[i]]++
		}
		for y, n := range count {
			if n > 0 {
				shift[y] += float64(1-2*k) * math.Log(float64(n)/float64(len(images)))
			}
		}
	}
	return shift
}

// shiftBy adds what they lack, nil: nothing, to the logits of images, [images, classes].
func shiftBy(logits []float32, shift []float64) {
	if shift == nil {
		return
	}
	for i := range logits {
		logits[i] += float32(shift[i%len(shift)])
	}
}

// shiftedOf is the logarithm of one class's probability, of the logarithms of all, which get what they lack.
func shiftedOf(logs []float32, shift []float64, class int) float32 {
	if shift == nil {
		return logs[class]
	}
	shiftBy(logs, shift)
	all := make([]float64, len(logs))
	for k, v := range logs {
		all[k] = float64(v)
	}
	return float32(stat.LogSoftmax(all, 1)[class])
}

// contentRun trains a network that can't see triggers on some images. The name is that of its part in the run's checkpoint, where it
// stays until Finish; the number tells its random streams from others'.
func (c *Case) contentRun(ctx context.Context, name string, learnt []int, number int) (*train.Run, error) {
	r, phase, err := c.contentPhase(ctx, c.run, name, learnt, number)
	if err != nil {
		return nil, err
	}
	r.Watch = c.progress("content")
	return r, r.Train(ctx, phase, train.Mean, nil)
}

// contentModel is the network that can't see triggers, and the images that it sees.
func (c *Case) contentModel(ctx context.Context) (*dataset.Set, *model.Network, error) {
	set, err := c.contentImages(ctx)
	if err != nil {
		return nil, nil, err
	}
	n, err := model.New(contentNetwork, len(set.Classes), set.Height, set.Width)
	return set, n, err
}

// contentPhase readies that training, within a run or, for nil, in none.
func (c *Case) contentPhase(ctx context.Context, within *train.Run, name string, learnt []int, number int) (*train.Run, *train.Phase, error) {
	learnt = train.Sample(c.Data, learnt, c.Settings.Learn, c.Seed, "content")
	set, network, err := c.contentModel(ctx)
	if err != nil {
		return nil, nil, err
	}
	batch := contentBatch
	for batch > 32 && len(learnt)/batch < 40 {
		batch /= 2
	}
	batch = min(batch, len(learnt))
	sgd := train.DefaultSGD()
	sgd.WeightDecay = contentDecay
	seed := rng.Stream(c.Seed, "content network", number).Uint64()
	r := &train.Run{Backend: c.run.Backend, Network: network, Data: set, Seed: seed, Batch: batch, SGD: sgd, Within: within, Name: name}
	if _, err := r.Start(within != nil); err != nil {
		return nil, nil, err
	}
	least := c.Settings.Steps.Content
	if least == 0 {
		least = contentSteps
	}
	steps := max(1, len(learnt)/batch)
	epochs := (least + steps - 1) / steps
	if c.Settings.Steps.Content == 0 {
		epochs = max(contentEpochs, epochs)
	}
	if n := c.Settings.ContentEpochs; n > 0 {
		epochs = n
	}
	return r, &train.Phase{
		Name: "content", Data: set, Indices: learnt, Epochs: epochs, Schedule: train.OneCycle(contentRate, contentWarm), Seed: seed,
		Augment: augment.Options{Coarse: true, Flip: c.Settings.Flip},
	}, nil
}

// judgedAll is judged of images of the case.
func (c *Case) judgedAll(ctx context.Context, r *train.Run, images []int, half evaluate.Half) ([]float32, error) {
	by, err := c.passes(ctx, r)
	if err != nil {
		return nil, err
	}
	return judged(ctx, r, by, images, half)
}

// judged returns the logarithms of the probabilities that a run's network gives blurred images, in the mean over the blurs,
// or a half of each under the first one.
func judged(ctx context.Context, r *train.Run, by evaluate.Passes, images []int, half evaluate.Half) ([]float32, error) {
	classes, blurs := r.Network.Classes, contentBlurs()
	if half != 0 {
		blurs = blurs[:1] // one is enough to say where to look
	}
	out := make([]float32, len(images)*classes)
	at := make(map[int]int, len(images))
	for k, i := range images {
		at[i] = k
	}
	pass := evaluate.Pass{Network: r.Network, State: r.State, Side: ContentSide, Blurs: blurs, Half: half}
	err := by.Pass(ctx, pass, images, func(i int, both []float32) {
		p := out[at[i]*classes:]
		row := make([]float64, classes)
		for b := range blurs {
			for j, v := range both[b*classes : (b+1)*classes] {
				row[j] = float64(v)
			}
			for j, v := range stat.LogSoftmax(row, 1) {
				p[j] += float32(math.Exp(v) / float64(len(blurs)))
			}
		}
	})
	for k, v := range out {
		out[k] = float32(math.Log(max(float64(v), contentLeast)))
	}
	return out, err
}

// contentLeast is the least probability that is told from 0.
const contentLeast = 1e-7
