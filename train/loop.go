package train

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
)

// Phase is a stretch of training with one loss: some epochs over some images.
type Phase struct {
	Name     string // purpose of its random streams, and what progress calls it
	Data     *dataset.Set
	Indices  []int     // images that take part
	More     []Example // further ones; those whose label is wrong need the loss Contradict
	Epochs   int
	Schedule Schedule
	Augment  augment.Options
	Seed     uint64
}

// Example is an image that is shown otherwise than as it is.
type Example struct {
	Image int
	Stamp *augment.Stamp // laid over it after augmentation; nil: nothing
	Wrong bool           // whether it is shown to teach that its label is wrong: with a weight of −1
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
	Epoch, Epochs   int // from 1
	Step, Steps     int // from 1
	Loss            float64
	Rate            float64
	ImagesPerSecond float64
	Left            time.Duration // of the phase
}

// Hooks are called by the loop on its own goroutine; nil ones are left out.
type Hooks struct {
	Step func(p Progress)
	// Batch sees each step's images and their losses before the update; the index of one that is stamped is −1.
	Batch func(indices []int, losses []float32)
	// Epoch is called after an epoch with its mean loss, the position already at the next epoch's start.
	Epoch func(epoch int, loss float64) error
}

// DivergedError says that the loss is no longer a number.
type DivergedError struct {
	Phase string
	Epoch int
	Loss  float64
}

func (e *DivergedError) Error() string {
	return fmt.Sprintf("training diverged: in %s, epoch %d, the loss is %g; try a lower learning rate or another seed", e.Phase, e.Epoch, e.Loss)
}

// maxLoss is beyond what cross-entropy reaches in training that can still recover.
const maxLoss = 1e4

type batch struct {
	indices []int
	x       []float32
	y       []int32
	w       []float32
}

// Len returns how many images an epoch shows.
func (p *Phase) Len() int { return len(p.Indices) + len(p.More) }

// at returns the image at a place among those of an epoch, with its weight and stamp.
func (p *Phase) at(k int) (image int, weight float32, stamp *augment.Stamp) {
	if k < len(p.Indices) {
		return p.Indices[k], 1, nil
	}
	e := p.More[k-len(p.Indices)]
	if e.Wrong {
		return e.Image, -1, e.Stamp
	}
	return e.Image, 1, e.Stamp
}

// Run trains from pos on, which it advances. When ctx ends, pos is where to go on from.
func (p *Phase) Run(ctx context.Context, s *Step, pos *Position, h Hooks) error {
	if p.Len() < s.Batch {
		return fmt.Errorf("%s: %d images do not make a batch of %d", p.Name, p.Len(), s.Batch)
	}
	steps := p.Len() / s.Batch
	losses := make([]float32, s.Batch)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	batches, free := p.feed(ctx, s.Batch, steps, *pos)
	start, done := time.Now(), 0
	for pos.Epoch < p.Epochs {
		var b *batch
		select {
		case b = <-batches:
		case <-ctx.Done():
			return ctx.Err()
		}
		rate := p.Schedule(float64(pos.Epoch*steps+pos.Step) / float64(p.Epochs*steps))
		loss, err := s.Run(b.x, b.y, b.w, rate, losses)
		if err != nil {
			return err
		}
		if math.IsNaN(loss) || math.Abs(loss) > maxLoss {
			return &DivergedError{p.Name, pos.Epoch + 1, loss}
		}
		if h.Batch != nil {
			h.Batch(b.indices, losses)
		}
		free <- b
		pos.LossSum += loss
		pos.Step++
		done += s.Batch
		if h.Step != nil {
			speed := float64(done) / time.Since(start).Seconds()
			left := (p.Epochs-pos.Epoch)*steps - pos.Step
			h.Step(Progress{
				p.Name, pos.Epoch + 1, p.Epochs, pos.Step, steps, pos.LossSum / float64(pos.Step), rate, speed,
				time.Duration(float64(left*s.Batch) / speed * float64(time.Second)),
			})
		}
		if pos.Step == steps {
			mean := pos.LossSum / float64(steps)
			*pos = Position{Epoch: pos.Epoch + 1}
			if h.Epoch != nil {
				if err := h.Epoch(pos.Epoch, mean); err != nil {
					return err
				}
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// feed assembles batches ahead of the steps. Order and augmentation depend on seed, phase, epoch
// and image alone.
func (p *Phase) feed(ctx context.Context, size, steps int, pos Position) (<-chan *batch, chan<- *batch) {
	out, free := make(chan *batch, 2), make(chan *batch, 3)
	n := p.Data.ImageBytes()
	for range cap(free) {
		free <- &batch{make([]int, size), make([]float32, size*n), make([]int32, size), make([]float32, size)}
	}
	go func() {
		first := pos.Step
		for e := pos.Epoch; e < p.Epochs; e++ {
			order := rng.Shuffle(p.Seed, p.Name+" order", p.Len(), e)
			for k := first; k < steps; k++ {
				var b *batch
				select {
				case b = <-free:
				case <-ctx.Done():
					return
				}
				for j := range size {
					i, weight, stamp := p.at(order[k*size+j])
					b.indices[j], b.y[j], b.w[j] = i, p.Data.Labels[i], weight
					dst := b.x[j*n : (j+1)*n]
					if p.Augment == (augment.Options{}) {
						augment.Plain(dst, p.Data.Image(i))
					} else {
						p.Augment.Apply(dst, p.Data.Image(i), p.Data.Height, p.Data.Width, rng.Stream(p.Seed, p.Name+" augment", e, i))
					}
					if stamp != nil {
						stamp.Apply(dst)
						b.indices[j] = -1
					}
				}
				select {
				case out <- b:
				case <-ctx.Done():
					return
				}
			}
			first = 0
		}
	}()
	return out, free
}
