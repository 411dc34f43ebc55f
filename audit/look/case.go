package look

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/sysinfo"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"

	"github.com/unpoison/unpoison/audit/stat"
)

// Settings of what looks share.
type Settings struct {
	Learn int // images that a network learns from, about, drawn by label; 0: all. Those that tell cases from controls learn from few anyway

	ContentEpochs int // of the networks that can't see triggers; 0: some 8, and more where images are few

	PlainEpochs int         // of the training as by somebody who suspects nothing; 0: none
	Rate        float64     // its learning rate
	Init        model.State // what its network starts from; nil: a fresh one
	Augment     bool        // crop, flip and cutout in it
	Flip        bool        // flip left and right in it, and in what looks at content
	Features    Features    // for the look at content; nil: it trains networks
	Content     bool        // whether labels are compared with what images show

	Steps Steps
}

// Steps are how many steps trainings take at least, so that small sets get more epochs. 0 is the default.
type Steps struct{ Round, Plain, Content int }

// Case is a data set that is looked into, and what the looks share of it, each made once. All that can't be made again from
// the run is saved in the run's checkpoint.
type Case struct {
	Data     *dataset.Set
	Seed     uint64
	Settings Settings

	run     *train.Run
	saved   saved
	spectra *stat.Spectra
	plain   *Plain
	pupil   pupil
	content *Content
	without struct { // the last that ContentWithout made
		label   int
		content *Content
	}
	small *dataset.Set // the images as content needs them

	asking bool // a look is being asked
	noted  int  // sentences that it has told since
}

// saved is what a checkpoint holds of a case beside arrays.
type saved struct {
	Evidence []Evidence `json:"evidence"`
	Asked    []Name     `json:"asked"` // the looks that were
	Weak     []string   `json:"weak"`  // open evidence that a look was not sure of
	Cleared  int        `json:"cleared"`
	Noted    int        `json:"noted,omitempty"`  // sentences that the look which is being asked has told
	Slower   int        `json:"slower,omitempty"` // how often the plain training's rate was halved, since it diverged
}

// The names of what a run's checkpoint holds of a case.
const (
	caseKey  = "case"
	foundKey = "probability"
)

// NewCase opens a case on a run's data, or goes on with the one in its checkpoint.
func NewCase(r *train.Run, s Settings) (*Case, error) {
	c := &Case{Data: r.Data, Seed: r.Seed, Settings: s, run: r}
	if _, err := r.Get(caseKey, &c.saved); err != nil {
		return nil, err
	}
	if r.Arrays == nil {
		r.Arrays = map[string][]float32{}
	}
	if r.Arrays[foundKey] == nil {
		r.Arrays[foundKey] = make([]float32, r.Data.Len())
	}
	return c, nil
}

// Fits refuses more images and classes than there is memory for: networks give each image a probability of each class, in 4 bytes.
func (c *Case) Fits() error {
	if !c.Settings.Content {
		return nil
	}
	n, classes := c.Data.Len(), len(c.Data.Classes)
	need := int64(n) * int64(classes)
	for fold := range contentFolds {
		need -= int64(len(c.run.Arrays[foldKey(contentKey, fold)])) // of an earlier run
	}
	return sysinfo.Fits(4*need, fmt.Sprintf("the probabilities of %d classes for %d images", classes, n), "; --limit N takes fewer images")
}

// Close gives back what the case takes beside the images, which nobody looks into any more.
func (c *Case) Close() {
	if c.small != nil && c.small != c.Data {
		c.small.Release()
	}
	c.small = nil
}

// Evidence is what the looks have said so far.
func (c *Case) Evidence() []Evidence { return slices.Clone(c.saved.Evidence) }

// Found is each image's probability of being planted, by all looks so far.
func (c *Case) Found() []float32 { return c.run.Arrays[foundKey] }

// Asked tells whether a look was asked already.
func (c *Case) Asked(l Name) bool { return slices.Contains(c.saved.Asked, l) }

// Begin notes that a look is being asked, from its beginning, also if that was interrupted: what it told then it does not tell again.
func (c *Case) Begin() { c.asking, c.noted = true, 0 }

// Done notes that a look was asked, and saves, without what it alone needed.
func (c *Case) Done(l Name) error {
	if l == ByContent {
		maps.DeleteFunc(c.run.Arrays, func(name string, _ []float32) bool {
			return strings.HasPrefix(name, unseenKey) || strings.HasPrefix(name, networkKey)
		})
	}
	c.saved.Asked = append(c.saved.Asked, l)
	c.asking, c.saved.Noted = false, 0
	return c.Save()
}

// Save writes what is known so far into the run's checkpoint.
func (c *Case) Save() error {
	if err := c.keep(); err != nil {
		return err
	}
	return c.run.Save()
}

func (c *Case) keep() error { return c.run.Put(caseKey, c.saved) }

// Add takes up evidence, once it is judged. Of images that nothing was found in before it takes the probabilities, where it says
// that there are planted ones.
func (c *Case) Add(ctx context.Context, all ...Evidence) error {
	for _, e := range all {
		e.Carriers = c.Carriers(e)
		e, err := c.judge(ctx, e)
		if err != nil {
			return err
		}
		c.doubt(e)
		c.saved.Evidence = append(c.saved.Evidence, e.bare())
		if e.Found() {
			c.take(e.Carriers)
		}
	}
	return nil
}

// Summer is what the passes of a run may do too: sum the coefficients of its images, in parts; see stat.Pictures.
type Summer interface {
	Sums(ctx context.Context, fold []uint8, visit func(part []stat.LabelSums) error) error
}

// Spectra are what the pixels of the images have in common.
func (c *Case) Spectra(ctx context.Context) (*stat.Spectra, error) {
	if c.spectra == nil {
		of := Pictures(c.Data)
		of.Fewest = 2 * halfFewest
		if s, ok := c.run.Passes.(Summer); ok {
			of.Sums = s.Sums
		}
		s, err := stat.NewSpectra(ctx, of, c.Seed)
		if err != nil {
			return nil, err
		}
		c.spectra = s
	}
	return c.spectra, nil
}

// Pictures are a set's images as sums of coefficients take them.
func Pictures(set *dataset.Set) stat.Pictures {
	return stat.Pictures{Height: set.Height, Width: set.Width, Labels: set.Labels, Classes: len(set.Classes), At: set.Image}
}

// Draw returns n images of some, or all if there are fewer, by the seed, a purpose and numbers.
func (c *Case) Draw(purpose string, images []int, n int, numbers ...int) []int {
	order := rng.Shuffle(c.Seed, purpose, len(images), numbers...)
	out := make([]int, min(n, len(images)))
	for k := range out {
		out[k] = images[order[k]]
	}
	return out
}

// Note tells who watches a sentence.
func (c *Case) Note(format string, args ...any) {
	if c.asking {
		if c.noted++; c.noted <= c.saved.Noted {
			return
		}
		c.saved.Noted = c.noted
		_ = c.keep() // with the log, which the next training saves
	}
	c.run.Note(format, args...)
}

// progress passes on how far the training of another network has come, as part of a stage; nil for nobody.
func (c *Case) progress(stage string) func(train.Event) {
	if c.run.Watch == nil {
		return nil
	}
	return func(e train.Event) {
		if e.Progress != nil {
			e.Stage = stage
			c.run.Watch(e)
		}
	}
}

// seen passes on how many images were looked at or made, as part of a stage; nil for nobody.
func (c *Case) seen(stage string) func(done int) {
	if c.run.Watch == nil {
		return nil
	}
	return func(done int) {
		c.run.Watch(train.Event{Stage: stage, Progress: &train.Progress{Phase: stage, Images: true, Epoch: 1, Epochs: 1, Step: done, Steps: c.Data.Len()}})
	}
}

// Those returns the images of some that keep accepts.
func Those(images []int, keep func(i int) bool) []int {
	var out []int
	for _, i := range images {
		if keep(i) {
			out = append(out, i)
		}
	}
	return out
}

// Of lists the images of each label that keep accepts; nil for all.
func (c *Case) Of(keep func(i int) bool) [][]int {
	of := make([][]int, len(c.Data.Classes))
	for i, y := range c.Data.Labels {
		if keep == nil || keep(i) {
			of[y] = append(of[y], i)
		}
	}
	return of
}

// Unasked returns carriers that no image was asked for yet.
func (c *Case) Unasked() []float32 { return slices.Repeat([]float32{-1}, c.Data.Len()) }
