package work

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
)

// smallPacks is an audit of rendered signs in packs of 70, with the passes over them, which a worker makes step by step.
func smallPacks(t *testing.T) (*Worker, *passes, *dataset.Data) {
	t.Helper()
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "signs")
	if err := dataset.Write("folder", dir, signs.Render(1, 230, 10)); err != nil {
		t.Fatal(err)
	}
	d, err := dataset.Load(ctx, dir, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := &Worker{Store: s, Scratch: t.TempDir(), Backend: b}
	plan := AuditPlan{}
	var parts []mapPart
	plan.Data, err = dataset.Pack(ctx, dir, dataset.Options{}, 70, func(pack []byte) error {
		k, err := s.Put(ctx, pack)
		parts = append(parts, mapPart{Pack: len(parts), Data: k})
		plan.Packs = append(plan.Packs, k)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &passes{store: s, scratch: t.TempDir(), first: []int{0, 70, 140, 210, 230}}
	p.do = func(ctx context.Context, task store.Key, parts []mapPart) (keys []store.Key, err error) {
		list, err := put(ctx, s, parts)
		if err != nil {
			return nil, err
		}
		for at := range parts {
			k, err := w.doStep(ctx, StepInput{task, list, at})
			if err != nil {
				return nil, err
			}
			keys = append(keys, k)
		}
		return keys, nil
	}
	if p.plan, err = put(ctx, s, plan); err != nil {
		t.Fatal(err)
	}
	w.planOf, w.planIs = p.plan, &plan // whatever version made it
	task, err := put(ctx, s, task{Kind: decodeKind, Plan: p.plan})
	if err != nil {
		t.Fatal(err)
	}
	packs, err := p.do(ctx, task, parts)
	if err != nil {
		t.Fatal(err)
	}
	p.packs = packs[:4]
	got, err := plan.Data.Read(ctx, dataset.Options{}, func(k int) ([]byte, error) { return s.Get(ctx, packs[k]) })
	if err != nil || got.Train.Digest() != d.Train.Digest() || got.Test.Digest() != d.Test.Digest() {
		t.Fatalf("other images came out of the packs (%v)", err)
	}
	return w, p, d
}

// Passes and sums that are made pack by pack are to the bit those of one machine.
func TestPassesInPacksAreThoseOfOneMachine(t *testing.T) {
	ctx := context.Background()
	w, p, d := smallPacks(t)
	n, err := model.New("small-cnn", len(d.Train.Classes), d.Train.Height, d.Train.Width)
	if err != nil {
		t.Fatal(err)
	}
	state := n.Init(3)
	half, err := model.New("small-cnn", len(d.Train.Classes), 16, 16)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		pass   evaluate.Pass
		images []int
	}{
		"logits":            {evaluate.Pass{Network: n, State: state}, nil},
		"some":              {evaluate.Pass{Network: n, State: state}, []int{229, 3, 71, 0}},
		"small and blurred": {evaluate.Pass{Network: half, State: half.Init(4), Side: 16, Blurs: []float64{0.6, 1}}, []int{5, 100, 99}},
		"half and blurred":  {evaluate.Pass{Network: n, State: state, Blurs: []float64{1}, Half: evaluate.Right}, []int{5, 100, 99}},
		"features":          {evaluate.Pass{Network: half, State: half.Init(4), Side: 16, Blurs: []float64{0.6}, Features: true}, []int{5, 100, 99}},
	} {
		rows := func(of evaluate.Passes) map[int][]float32 {
			all := map[int][]float32{}
			if err := of.Pass(ctx, c.pass, c.images, func(i int, row []float32) {
				if all[i] != nil {
					t.Errorf("%s: image %d is visited twice", name, i)
				}
				all[i] = slices.Clone(row)
			}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return all
		}
		want, got := rows(evaluate.Here{Backend: w.Backend, Set: d.Train}), rows(p)
		if !reflect.DeepEqual(want, got) {
			t.Errorf("%s: %d rows in packs differ from %d here", name, len(got), len(want))
		}
	}
	of := look.Pictures(d.Train)
	of.Part = 70
	want, err := stat.NewSpectra(ctx, of, 1)
	if err != nil {
		t.Fatal(err)
	}
	of.Sums = sums{p}.Sums
	got, err := stat.NewSpectra(ctx, of, 1)
	if err != nil {
		t.Fatal(err)
	}
	for label := range d.Train.Classes {
		if want.Both(label) && !reflect.DeepEqual(want.Directions(label), got.Directions(label)) {
			t.Errorf("label %d: sums in packs make another direction", label)
		}
	}
}

// Steps that are done are not done again, and what is no task of this product is refused.
func TestSteps(t *testing.T) {
	ctx := context.Background()
	w, p, _ := smallPacks(t)
	keep := func(v any) store.Key {
		k, err := put(ctx, p.store, v)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	parts, err := p.of(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, decode := keep(parts), keep(task{Kind: sumsKind, Plan: p.plan})
	first, err := w.doStep(ctx, StepInput{decode, list, 1})
	if err != nil {
		t.Fatal(err)
	}
	_, before, _ := w.Store.Requests()
	if again, err := w.doStep(ctx, StepInput{decode, list, 1}); err != nil || again != first {
		t.Errorf("the same step gave %s and %s (%v)", first, again, err)
	}
	if _, after, _ := w.Store.Requests(); after != before {
		t.Errorf("a step that was done wrote %d bytes", after-before)
	}
	other := slices.Clone(parts)
	other[1].Pack = 9
	other[2].Of = keep("three bytes")
	for name, in := range map[string]StepInput{
		"another task":     {keep(task{Kind: "shell", Plan: p.plan}), list, 0},
		"no place":         {decode, list, 4},
		"another pack":     {decode, keep(other), 1},
		"other bytes":      {decode, keep(other), 2},
		"no list":          {decode, decode, 0},
		"no network":       {keep(task{Kind: passKind, Plan: p.plan, Network: list}), list, 0},
		"no such object":   {decode, store.Key(strings.Repeat("0", 64)), 0},
		"a path for a key": {decode, "../../etc/passwd", 0},
		"no plan":          {keep(task{Kind: sumsKind, Plan: list}), list, 0},
	} {
		if _, err := w.doStep(ctx, in); err == nil {
			t.Errorf("%s was done", name)
		}
	}
	damaged := slices.Clone(parts)
	damaged[0].Data = list
	var wrong *wrongError
	if _, err := w.doStep(ctx, StepInput{keep(task{Kind: decodeKind, Plan: p.plan}), keep(damaged), 0}); !errors.As(err, &wrong) {
		t.Errorf("what is no pack is tried again: %v", err)
	}
	raw, err := json.Marshal(StepInput{decode, list, 1234})
	if err != nil || len(raw) > 200 {
		t.Errorf("a step's payload has %d bytes", len(raw))
	}
}
