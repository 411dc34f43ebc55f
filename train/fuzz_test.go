package train

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/version"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
)

// FuzzCheckpoint gives the progress in a training's checkpoint, whose checksum is right, and how many losses and momenta there
// are. What is taken goes on to the end of the training.
func FuzzCheckpoint(f *testing.F) {
	b, err := cpu.New("")
	if err != nil {
		f.Fatal(err)
	}
	n, err := (&model.Architecture{Name: "tiny", Build: func(b *model.Builder, x *Node, classes int) *Node {
		return b.Linear("fc", b.GlobalPool(x), classes)
	}}).New(2, 16, 16)
	if err != nil {
		f.Fatal(err)
	}
	set := &dataset.Set{Height: 16, Width: 16, Classes: []string{"a", "b"}, Pixels: make([]uint8, 8*16*16*3), Labels: make([]int32, 8)}
	l, err := NewClassifier(b, n, n.Init(1), 2, DefaultSGD(), Mean)
	if err != nil {
		f.Fatal(err)
	}
	trainer := NewTrainer(b, n, 2, DefaultSGD(), Mean)
	for _, s := range []saved{
		{Stage: "a", Pos: Position{Epoch: 1, Step: 2, LossSum: 1}, Seconds: map[string]float64{"a": 1}, Engines: []string{"cpu"}, Log: 7},
		{Stage: "a", Pos: Position{Epoch: -1}},
		{Stage: "a", Pos: Position{Step: 1 << 40}},
		{Stage: "a", Pos: Position{Epoch: 1 << 62}},
		{Done: []string{"a"}, Stage: "a", Values: map[string]json.RawMessage{"v": json.RawMessage(`[1]`)}},
	} {
		s.Version, s.Digest = version.Number, "d"
		raw, err := json.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw), uint8(8), uint8(2))
		f.Add(string(raw), uint8(0), uint8(0))
		f.Add(string(raw), uint8(8), uint8(7))
	}
	f.Fuzz(func(t *testing.T, progress string, losses, momenta uint8) {
		arrays := map[string]checkpoint.Array{"epoch_losses": {Dims: []int{int(losses)}, Data: make([]float32, losses)}}
		for _, x := range n.Init(1) {
			arrays["state."+x.Name] = checkpoint.Array{Dims: x.Dims, Data: x.Data}
		}
		own := l.newMoments(0)
		for k := range min(int(momenta), 2*len(own)) {
			m := own[k%len(own)]
			arrays[fmt.Sprintf("momentum.%d", k)] = checkpoint.Array{Dims: []int{len(m)}, Data: m}
		}
		r := &Run{Backend: b, Network: n, Data: set, Folder: t.TempDir(), Digest: "d", Batch: 2}
		if err := checkpoint.WriteArrays(filepath.Join(r.Folder, ProgressFile), arrays, map[string]string{"progress": progress}); err != nil {
			return
		}
		if _, err := r.Start(true); err != nil {
			return
		}
		steps := 0
		r.Watch = func(e Event) {
			if e.Progress != nil {
				steps++
			}
		}
		err := r.Stage("a", func() error {
			return r.TrainWith(t.Context(), &Phase{Name: "p", Data: set, Indices: rng.Iota(set.Len()), Epochs: 3, Schedule: Constant(0.1), Seed: 1}, trainer, nil)
		})
		if err == nil && steps > 12 {
			t.Errorf("%d steps", steps)
		}
		if err := r.State.Finite(); err != nil && !math.IsNaN(r.pos.LossSum) {
			t.Error(err)
		}
	})
}
