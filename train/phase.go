package train

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gomlx/gomlx/backends"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
)

// Phase is a stretch of training with one loss: some epochs over some images. An epoch's last batch is left out if it is
// short.
type Phase struct {
	Name     string // purpose of its random streams, and what progress calls it
	Data     *dataset.Set
	Indices  []int             // images that take part; see All
	More     []Example         // further ones
	Weights  []float32         // of the images of Data, how much each counts in the loss; nil: 1
	Soft     map[int][]float32 // for Tune: an image's distribution over the classes in place of its label
	Batch    int               // images a step; Run.Train has its own
	Epochs   int
	Schedule Schedule
	Augment  augment.Options
	Seed     uint64
}

// Example is an image that is shown otherwise than as it is.
type Example struct {
	Image int
	Stamp *augment.Stamp // laid over it before augmentation; nil: nothing
	Share float64        // of the epochs, drawn by chance, in which it is; 0: all
	Label *int32         // that it is shown under; nil: its own
}

// Position is how far a phase has come; the zero value is its start. A phase continued from a
// position gives the same bytes as one that was never stopped.
type Position struct {
	Epoch   int     `json:"epoch"`
	Step    int     `json:"step"`
	LossSum float64 `json:"loss_sum"` // over the steps of this epoch
}

// Progress is reported after every step.
type Progress struct {
	Phase           string
	Epoch, Epochs   int     // from 1
	Step, Steps     int     // from 1
	Loss            float64 // mean of the epoch so far
	Rate            float64
	ImagesPerSecond float64
	Left            time.Duration // of the phase
	Images          bool          // nothing is trained: steps are images, without a loss
}

// Hooks are called by the loop on its own goroutine; nil ones are left out.
type Hooks struct {
	Step  func(p Progress)
	Batch func(b *Batch) // before Step
	// Epoch is called after an epoch with its mean loss, the position already at the next epoch's start.
	Epoch func(epoch int, loss float64) error
}

// Epochs returns how many epochs of so many images in batches make so many steps, or more.
func Epochs(steps, images, batch int) int {
	each := max(1, images/max(1, batch))
	return (steps + each - 1) / each
}

// Len returns how many images an epoch shows.
func (p *Phase) Len() int { return len(p.Indices) + len(p.More) }

// at returns what is shown at a place among those of an epoch.
func (p *Phase) at(k int) Example {
	if k < len(p.Indices) {
		return Example{Image: p.Indices[k]}
	}
	return p.More[k-len(p.Indices)]
}

// label is the one that an example is shown under.
func (e Example) label(set *dataset.Set) int32 {
	if e.Label != nil {
		return *e.Label
	}
	return set.Labels[e.Image]
}

// Run calls learn for every batch from pos on, which it advances; nil is the start. learn does a step at a learning rate
// and returns its loss. When ctx ends, pos is where to go on from.
func (p *Phase) Run(ctx context.Context, learn func(b *Batch, rate float64) (loss float64, err error), pos *Position, h Hooks) error {
	w, err := p.begin(pos, h)
	if err != nil {
		return err
	}
	defer p.Data.AtRandom()()
	return Loop(ctx, p.Data, p.Batch, w.first, w.last, p.filler(w.steps), func(k int, b *Batch) error {
		loss, err := learn(b, w.rate(k))
		if err != nil && !beyond(loss) {
			return err
		}
		return w.done(k, b, loss)
	})
}

// walk is a phase on its way.
type walk struct {
	p           *Phase
	pos         *Position
	h           Hooks
	first, last int // steps, counted over all epochs
	steps       int // an epoch
	start       time.Time
}

func (p *Phase) begin(pos *Position, h Hooks) (*walk, error) {
	if p.Len() < p.Batch || p.Batch < 1 {
		return nil, fmt.Errorf("%s: %d images do not make a batch of %d", p.Name, p.Len(), p.Batch)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", p.Name, err)
	}
	if pos == nil {
		pos = &Position{}
	}
	steps := p.Len() / p.Batch
	if pos.Epoch < 0 || pos.Epoch > p.Epochs || pos.Step < 0 || pos.Step >= steps {
		return nil, fmt.Errorf("%s: step %d of epoch %d is not in %d epochs of %d steps", p.Name, pos.Step, pos.Epoch, p.Epochs, steps)
	}
	return &walk{p, pos, h, pos.Epoch*steps + pos.Step, p.Epochs * steps, steps, time.Now()}, nil
}

// check refuses images and labels that there are not: batches are assembled on another goroutine, where a panic is nobody's to recover.
func (p *Phase) check() error {
	n, size := p.Data.Len(), p.Data.ImageBytes()
	if p.Weights != nil && len(p.Weights) != n {
		return fmt.Errorf("%d weights for %d images", len(p.Weights), n)
	}
	for k := range p.Len() {
		e := p.at(k)
		if e.Image < 0 || e.Image >= n {
			return fmt.Errorf("image %d, expected one from 0 to %d", e.Image, n-1)
		}
		if label := e.label(p.Data); label < 0 || int(label) >= len(p.Data.Classes) {
			return fmt.Errorf("image %d has the label %d, expected one from 0 to %d", e.Image, label, len(p.Data.Classes)-1)
		}
		if e.Stamp != nil && (len(e.Stamp.Scale) != size || len(e.Stamp.Shift) != size) {
			return fmt.Errorf("a stamp of %d and %d numbers, expected %d as an image has", len(e.Stamp.Scale), len(e.Stamp.Shift), size)
		}
	}
	return nil
}

// rate is the learning rate of step k.
func (w *walk) rate(k int) float64 { return w.p.Schedule(float64(k) / float64(w.last)) }

// done goes on after step k.
func (w *walk) done(k int, b *Batch, loss float64) error {
	p, pos, h := w.p, w.pos, w.h
	if beyond(loss) {
		return &DivergedError{Phase: p.Name, Epoch: pos.Epoch + 1, Step: k + 1, Loss: loss}
	}
	if h.Batch != nil {
		h.Batch(b)
	}
	pos.LossSum += loss
	pos.Step++
	if h.Step != nil {
		speed := float64((k+1-w.first)*p.Batch) / time.Since(w.start).Seconds()
		h.Step(Progress{
			p.Name, pos.Epoch + 1, p.Epochs, pos.Step, w.steps, pos.LossSum / float64(pos.Step), w.rate(k), speed,
			time.Duration(float64((w.last-k-1)*p.Batch) / speed * float64(time.Second)), false,
		})
	}
	if pos.Step < w.steps {
		return nil
	}
	mean := pos.LossSum / float64(w.steps)
	*pos = Position{Epoch: pos.Epoch + 1}
	if h.Epoch != nil {
		return h.Epoch(pos.Epoch, mean)
	}
	return nil
}

// orders returns a function that tells the epoch of a step, and the places among those of an epoch that it shows.
func (p *Phase) orders(steps int) func(k int) (epoch int, places []int) {
	epoch := -1
	var order []int
	return func(k int) (int, []int) {
		if e := k / steps; e != epoch {
			epoch, order = e, rng.Shuffle(p.Seed, p.Name+" order", p.Len(), e)
		}
		return epoch, order[k%steps*p.Batch:][:p.Batch]
	}
}

// Untaught names the classes that have images, of which a training on kept ones and more examples is shown none.
func Untaught(set *dataset.Set, kept []int, more []Example) (names []string) {
	left := set.Counts()
	for _, i := range kept {
		left[set.Labels[i]] = 0
	}
	for _, e := range more {
		left[e.label(set)] = 0
	}
	for c, n := range left {
		if n > 0 {
			names = append(names, set.Classes[c])
		}
	}
	return names
}

// weight is how much an image counts.
func (p *Phase) weight(image int) float32 {
	if p.Weights == nil {
		return 1
	}
	return p.Weights[image]
}

// draws is the stream of an image's augmentation.
func (p *Phase) draws(epoch, image int) *rand.Rand {
	return rng.Stream(p.Seed, p.Name+" augment", epoch, image)
}

// stamped tells whether an example's stamp is laid on in an epoch.
func (p *Phase) stamped(e Example, epoch int) bool {
	return e.Stamp != nil && (e.Share == 0 || rng.Stream(p.Seed, p.Name+" stamp", epoch, e.Image).Float64() < e.Share)
}

// filler returns a function that assembles the batch of a step. Order and augmentation depend on seed, phase, epoch
// and image alone.
func (p *Phase) filler(steps int) func(k int, b *Batch) {
	n, order := p.Data.ImageBytes(), p.orders(steps)
	return func(k int, b *Batch) {
		epoch, places := order(k)
		b.given = p.Soft
		dataset.Each(len(places), func(j int) {
			e := p.at(places[j])
			i := e.Image
			b.Images[j], b.Labels[j], b.Weights[j] = i, e.label(p.Data), p.weight(i)
			image, dst := p.Data.Image(i), b.X[j*n:(j+1)*n]
			if p.stamped(e, epoch) {
				image = e.Stamp.On(image)
				b.Images[j] = -1
			}
			if p.Augment == (augment.Options{}) {
				augment.Plain(dst, image)
			} else {
				p.Augment.Apply(dst, image, p.Data.Height, p.Data.Width, p.draws(epoch, i))
			}
		})
	}
}

// Tune trains a module's network by cross-entropy, on distributions where Soft has them, and stores what it learnt in the
// module's state. Nothing is kept before it ends. watch may be nil.
func (p *Phase) Tune(ctx context.Context, b backends.Backend, m *Module, watch func(Progress)) error {
	if err := p.Data.CheckFor(p.Name+": the images", m.Net.Classes, m.Net.Height, m.Net.Width); err != nil {
		return err
	}
	for i, row := range p.Soft {
		if len(row) != m.Net.Classes {
			return fmt.Errorf("%s: image %d has a distribution over %d classes, expected %d", p.Name, i, len(row), m.Net.Classes)
		}
	}
	l, err := NewLearner(b, "tune "+m.Net.Arch, []*Module{m}, func(g *Graph, nets []func(*Node) *model.Graphed) (*Node, []*Node) {
		x := gx.Input(g, "x", p.Batch, m.Net.Height, m.Net.Width, 3)
		soft := gx.Input(g, "soft", p.Batch, m.Net.Classes)
		return ReduceAllMean(SoftCrossEntropy(nets[0](x).Logits, soft)), nil
	})
	if err != nil {
		return err
	}
	if err := p.Run(ctx, func(b *Batch, rate float64) (float64, error) {
		return l.Step([]float64{rate}, b.X, b.Soft())
	}, nil, Hooks{Step: watch}); err != nil {
		return err
	}
	return l.Store()
}
