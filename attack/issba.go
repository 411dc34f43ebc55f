package attack

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

var issba = Method{
	Name:     "issba",
	About:    "Sample-specific: an encoder hides one message in each image, by another change in every one.",
	Paper:    "Li et al., Invisible Backdoor Attack with Sample-Specific Triggers, ICCV 2021",
	Settings: func() Settings { return &ISSBA{Bits: 16, Epsilon: 24, Steps: 600} },
}

// ISSBA are the settings of issba.
type ISSBA struct {
	Bits    int     `json:"bits,omitempty" range:"[1,64]"`      // of the message
	Epsilon float64 `json:"epsilon,omitempty" range:"(0,255]"`  // largest change of a value, of 255
	Steps   int     `json:"steps,omitempty" range:"[1,100000]"` // of the encoder's and decoder's training
}

// Trigger implements Settings.
func (s *ISSBA) Trigger(_ Common, set *dataset.Set) (Trigger, error) {
	m := &messenger{ISSBA: *s}
	var err error
	if m.encoder, err = model.Custom("encoder", set.Height, set.Width, encoderDecoder(3*s.Bits, true)); err != nil {
		return nil, err
	}
	m.decoder, err = model.Custom("decoder", set.Height, set.Width, func(b *model.Builder, x *Node) *Node {
		for k, channels := range []int{16, 32, 64} {
			name := fmt.Sprintf("down%d", k)
			x = b.Relu(b.BatchNorm(name+".bn", b.Conv(name+".conv", x, channels, 3, min(2, k+1))))
		}
		return b.Linear("bits", b.GlobalPool(x), s.Bits)
	})
	return m, err
}

// messenger hides messages. Li et al.'s encoder takes the message through a layer of its own; this one gives each image a
// map for each bit, which the message adds or subtracts.
type messenger struct {
	ISSBA
	encoder, decoder           *model.Network
	encoderState, decoderState model.State
	f                          train.Function
	secret                     []float32 // the attack's message
}

// Settings of the training: Adam's rate, and the weight of Σ(y−x)²/n beside the bits' cross-entropy.
const (
	messageRate  = 3e-3
	messageImage = 30.0
)

// hide adds to images [N,H,W,3] the maps [N,H,W,3·B] with a message's signs [N,B], at most epsilon in any value.
func (m *messenger) hide(x, maps, signs *Node) *Node {
	d := x.Shape().Dimensions
	maps = Reshape(maps, d[0], d[1], d[2], m.Bits, 3)
	signs = BroadcastToDims(Reshape(signs, d[0], 1, 1, m.Bits, 1), maps.Shape().Dimensions...)
	sum := MulScalar(ReduceSum(Mul(maps, signs), 3), 1/math.Sqrt(float64(m.Bits)))
	change := AddScalar(MulScalar(Sigmoid(MulScalar(sum, 2)), 2), -1) // tanh
	y := Add(x, MulScalar(change, m.Epsilon/255))
	return Min(Max(y, ZerosLike(y)), OnesLike(y))
}

// Learn trains the encoder and the decoder together, on images and messages drawn anew each step.
func (m *messenger) Learn(ctx context.Context, l *Lab, set *dataset.Set) error {
	m.encoderState, m.decoderState = m.encoder.Init(l.seed("init encoder")), m.decoder.Init(l.seed("init decoder"))
	modules := []*train.Module{{Net: m.encoder, State: m.encoderState, Adam: true}, {Net: m.decoder, State: m.decoderState, Adam: true}}
	both, err := train.NewLearner(l.Backend, "messages", modules, func(g *Graph, nets []func(*Node) *model.Graphed) (*Node, []*Node) {
		x, signs := gx.Input(g, "x", generatorBatch, set.Height, set.Width, 3), gx.Input(g, "signs", generatorBatch, m.Bits)
		y := m.hide(x, nets[0](x).Logits, signs)
		said := Mul(nets[1](y).Logits, signs) // positive where a bit is read right
		bits := Neg(ReduceAllMean(Log(AddScalar(Sigmoid(said), 1e-6))))
		d := Sub(y, x)
		return Add(bits, MulScalar(ReduceAllMean(Mul(d, d)), messageImage)), nil
	})
	if err != nil {
		return err
	}
	x, signs := make([]float32, generatorBatch*set.ImageBytes()), make([]float32, generatorBatch*m.Bits)
	for step := range m.Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		l.images(x, set, l.crop(), "message", step)
		draw := l.rng("messages", step)
		for i := range signs {
			signs[i] = float32(2*draw(2) - 1)
		}
		rate := messageRate * (1 + math.Cos(math.Pi*float64(step)/float64(m.Steps))) / 2
		loss, err := both.Step([]float64{rate, rate}, x, signs)
		if err != nil {
			return err
		}
		l.progress("encoder", step+1, m.Steps, loss)
	}
	if err := both.Store(); err != nil {
		return err
	}
	return m.compile(l)
}

// compile makes the function that hides messages, given by their signs, in images.
func (m *messenger) compile(l *Lab) error {
	m.secret = m.message(rng.Stream(l.Seed, "attack issba message"))
	var err error
	m.f, err = l.frozen("hide", m.encoder, m.encoderState, func(g *Graph, net func(*Node) *model.Graphed) []*Node {
		x := gx.Input(g, "x", generatorBatch, m.encoder.Height, m.encoder.Width, 3)
		return []*Node{m.hide(x, net(x).Logits, gx.Input(g, "signs", generatorBatch, m.Bits))}
	})
	return err
}

// message draws one, as signs.
func (m *messenger) message(r *rand.Rand) []float32 {
	s := make([]float32, m.Bits)
	for i := range s {
		s[i] = float32(2*r.IntN(2) - 1)
	}
	return s
}

// Apply hides the attack's message.
func (m *messenger) Apply(ctx context.Context, b *Batch) error {
	return m.paint(ctx, b, func(int) []float32 { return m.secret })
}

// Cover hides another message in each image: it is the message that counts.
func (m *messenger) Cover(ctx context.Context, b *Batch) error {
	return m.paint(ctx, b, func(i int) []float32 {
		r := b.Stream(i)
		for {
			if other := m.message(r); !slices.Equal(other, m.secret) {
				return other
			}
		}
	})
}

func (m *messenger) paint(ctx context.Context, b *Batch, message func(i int) []float32) error {
	signs := make([]float32, generatorBatch*m.Bits)
	return paint(ctx, m.f, len(m.encoderState), b, func(at []int) any {
		for j, i := range at {
			copy(signs[j*m.Bits:], message(i))
		}
		return signs
	})
}

// Learned implements part of Learner.
func (m *messenger) Learned() map[string]checkpoint.Array {
	arrays := map[string]checkpoint.Array{}
	stateArrays(arrays, "encoder.", m.encoderState)
	stateArrays(arrays, "decoder.", m.decoderState)
	return arrays
}

// Restore implements part of Learner.
func (m *messenger) Restore(l *Lab, arrays map[string]checkpoint.Array) error {
	var err error
	if m.encoderState, err = stateFrom(arrays, "encoder.", m.encoder); err != nil {
		return err
	}
	if m.decoderState, err = stateFrom(arrays, "decoder.", m.decoder); err != nil {
		return err
	}
	return m.compile(l)
}
