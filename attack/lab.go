package attack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gomlx/gomlx/backends"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// Env is what attacks that compute work with.
type Env struct {
	Backend backends.Backend // nil: the cpu engine
	// Cache is a folder where networks, triggers and poisoned images are kept under digests of what
	// they were made from, so that a sweep makes them once; empty keeps nothing.
	Cache string
	Watch func(train.Event) // nil: nobody
}

// Learner is a trigger that learns something from the clean training set.
type Learner interface {
	Trigger
	Learn(ctx context.Context, lab *Lab, train *dataset.Set) error
	// Learned returns what Learn made, Restore takes it back.
	Learned() map[string]checkpoint.Array
	Restore(lab *Lab, learned map[string]checkpoint.Array) error
}

// Lab is where an attacker trains networks and optimises triggers.
type Lab struct {
	Env
	Name string // the attack's
	Common
	Surrogate Surrogate // how the attack's own networks are trained

	height, width int
	key           string // of this attack on this training set
	learnt        string // the digest of that set
}

func newLab(c Config, env Env, set *dataset.Set) (*Lab, error) {
	if env.Backend == nil {
		b, err := cpu.New("")
		if err != nil {
			return nil, err
		}
		env.Backend = b
	}
	l := &Lab{Env: env, Name: c.Method.Name, Common: c.Common, height: set.Height, width: set.Width}
	if s := c.Surrogate(); s != nil {
		l.Surrogate = *s
	}
	return l, nil
}

// digest joins what something is made from; recipe counts up when the making changes.
func digest(recipe string, parts ...any) string {
	raw, err := json.Marshal(parts)
	if err != nil {
		panic(err) // plain values only
	}
	sum := sha256.Sum256(append([]byte(recipe), raw...))
	return hex.EncodeToString(sum[:10])
}

// learn prepares a learned trigger, or takes it from the cache.
func (a *Attack) learn(ctx context.Context, train *dataset.Set) error {
	l, ok := a.trigger.(Learner)
	if !ok {
		return nil
	}
	c := a.Config
	c.Rate = 0 // what is learnt is good for any rate
	if c.Method.Unlearnt != nil {
		c.Method.Unlearnt(&c.Common)
	}
	if _, ok := a.trigger.(Coverer); !ok {
		c.Cover = 0 // these are covered by the trigger itself
	}
	recipe := "trigger 1"
	if c.Method.Recipe > 0 {
		recipe = fmt.Sprintf("%s.%d", recipe, c.Method.Recipe)
	}
	var err error
	if a.lab.learnt, err = train.DigestUntil(ctx); err != nil {
		return err
	}
	a.lab.key = digest(recipe, c, a.lab.learnt, picturesIn(c.File()))
	path := filepath.Join(a.lab.Cache, "trigger-"+a.lab.Name+"-"+a.lab.key+".safetensors")
	if a.lab.Cache != "" {
		arrays, _, err := checkpoint.ReadArrays(path)
		if err == nil {
			return l.Restore(a.lab, arrays)
		}
		if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := os.MkdirAll(a.lab.Cache, 0o777); err != nil {
			return err
		}
	}
	if err := l.Learn(ctx, a.lab, train); err != nil {
		return err
	}
	if a.lab.Cache == "" {
		return nil
	}
	return checkpoint.WriteArrays(path, l.Learned(), nil)
}

// picturesIn says what lies in a folder, as far as other pictures there would show: names, sizes and times. What can't be read,
// learning says.
func picturesIn(folder string) (all []string) {
	if folder == "" {
		return nil
	}
	entries, _ := os.ReadDir(folder)
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			all = append(all, fmt.Sprint(e.Name(), " ", info.Size(), " ", info.ModTime().UnixNano()))
		}
	}
	return all
}

// on is the lab for images to be changed: of other ones than those that the trigger was learnt on nothing is kept, nor taken.
func (l *Lab) on(ctx context.Context, set *dataset.Set) (*Lab, error) {
	if l.Cache == "" || l.key == "" {
		return l, nil
	}
	data, err := set.DigestUntil(ctx)
	if err != nil || data == l.learnt {
		return l, err
	}
	other := *l
	other.key = ""
	return &other, nil
}

// cached lets do change the images at of a set, or takes what became of them from the cache. Only
// what a learned attack makes is worth keeping.
func (l *Lab) cached(name string, set *dataset.Set, at []int, do func() error) error {
	if l.Cache == "" || l.key == "" {
		return do()
	}
	path := filepath.Join(l.Cache, name+"-"+l.Name+"-"+digest("images 2", l.key, at, l.Rate)+".bin")
	n := set.ImageBytes()
	raw, err := os.ReadFile(path)
	if err == nil && len(raw) == n*len(at) {
		for k, i := range at {
			copy(set.Image(i), raw[k*n:])
		}
		return nil
	}
	if err := do(); err != nil {
		return err
	}
	raw = make([]byte, 0, n*len(at))
	for _, i := range at {
		raw = append(raw, set.Image(i)...)
	}
	return atomicfile.WriteBytes(path, raw)
}

func (l *Lab) note(format string, args ...any) {
	if l.Watch != nil {
		l.Watch(train.Event{Stage: "attack", Note: fmt.Sprintf(format, args...)})
	}
}

// progress tells how far an optimisation has come.
func (l *Lab) progress(stage string, step, steps int, loss float64) {
	if l.Watch != nil {
		l.Watch(train.Event{Stage: stage, Progress: &train.Progress{Phase: stage, Epoch: 1, Epochs: 1, Step: step, Steps: steps, Loss: loss}})
	}
}

// made tells how many images are changed.
func (l *Lab) made(stage string, done, all int) {
	if l.Watch != nil {
		l.Watch(train.Event{Stage: stage, Progress: &train.Progress{Phase: stage, Images: true, Epoch: 1, Epochs: 1, Step: done, Steps: all}})
	}
}

// rng returns a stream of the attack's.
func (l *Lab) rng(purpose string, numbers ...int) func(n int) int {
	r := rng.Stream(l.Seed, "attack "+l.Name+" "+purpose, numbers...)
	return r.IntN
}

// seed returns a seed of the attack's, for what takes one instead of a stream.
func (l *Lab) seed(purpose string, numbers ...int) uint64 {
	return rng.Stream(l.Seed, "attack "+l.Name+" "+purpose, numbers...).Uint64()
}

// Train trains a network as a victim would, with cross-entropy, from init or (nil) from scratch.
// purpose names the training in the cache and seeds it, whichever attack asks.
func (l *Lab) Train(ctx context.Context, purpose string, set *dataset.Set, init model.State, epochs int, rate float64) (*model.Network, model.State, error) {
	own := l.Surrogate
	n, err := model.New(own.Network, len(set.Classes), set.Height, set.Width)
	if err != nil {
		return nil, nil, err
	}
	initial := ""
	for _, t := range init {
		initial = digest(initial, t.Data)
	}
	data, err := set.DigestUntil(ctx)
	if err != nil {
		return nil, nil, err
	}
	r := &train.Run{
		Backend: l.Backend, Network: n, Data: set, Seed: rng.Stream(l.Seed, "attacker network "+purpose).Uint64(), Batch: 128, SGD: train.DefaultSGD(),
		Digest: digest("network 2", purpose, own.Network, l.Seed, own.NoFlip, epochs, rate, initial, data),
	}
	if l.Cache != "" {
		r.Folder = filepath.Join(l.Cache, "network-"+r.Digest)
		if err := os.MkdirAll(r.Folder, 0o777); err != nil {
			return nil, nil, err
		}
	}
	if l.Watch != nil {
		r.Watch = func(e train.Event) {
			e.Stage, e.Losses = "attacker", nil
			l.Watch(e)
		}
	}
	resumed, err := r.Start(true)
	if errors.Is(err, train.ErrVersion) { // nobody asked for this one
		resumed, err = r.Start(false)
	}
	if err != nil {
		return nil, nil, err
	}
	if init != nil && !resumed {
		r.State = init.Clone()
	}
	schedule, err := train.ScheduleNamed("one-cycle", rate)
	if err != nil {
		return nil, nil, err
	}
	err = r.Stage("tune", func() error {
		return r.Train(ctx, &train.Phase{
			Name: "tune", Data: set, Indices: rng.Iota(set.Len()), Epochs: epochs, Schedule: schedule,
			Augment: augment.Standard(min(set.Height, set.Width), !own.NoFlip), Seed: r.Seed,
		}, train.Mean, nil)
	})
	return n, r.State, err
}

// Clean returns a network trained on the clean set, which all attacks of a seed share.
func (l *Lab) Clean(ctx context.Context, set *dataset.Set) (*model.Network, model.State, error) {
	return l.Train(ctx, "clean", set, nil, l.Surrogate.Epochs, 0.1)
}

// frozen compiles a computation over a network whose tensors stay; see train.Frozen.
func (l *Lab) frozen(name string, n *model.Network, state model.State, build func(g *Graph, net func(x *Node) *model.Graphed) []*Node) (train.Function, error) {
	return train.Frozen(l.Backend, name, n, state, build)
}

// stateArrays and stateFrom carry a network's tensors through a file, under a prefix.
func stateArrays(into map[string]checkpoint.Array, prefix string, s model.State) {
	for _, t := range s {
		into[prefix+t.Name] = checkpoint.Array{Dims: t.Dims, Data: t.Data}
	}
}

func stateFrom(arrays map[string]checkpoint.Array, prefix string, n *model.Network) (model.State, error) {
	s := n.Init(0)
	for _, t := range s {
		a, ok := arrays[prefix+t.Name]
		if !ok || len(a.Data) != len(t.Data) {
			return nil, fmt.Errorf("tensor %s%s is missing or of another size", prefix, t.Name)
		}
		copy(t.Data, a.Data)
	}
	return s, nil
}
