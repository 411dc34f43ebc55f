package attack

import (
	"context"
	"testing"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
)

// darker is a trigger that learnt something.
type darker struct{}

func (d *darker) Trigger(Common, *dataset.Set) (Trigger, error) { return d, nil }
func (*darker) Learn(context.Context, *Lab, *dataset.Set) error { return nil }
func (*darker) Restore(*Lab, map[string]checkpoint.Array) error { return nil }
func (*darker) Learned() map[string]checkpoint.Array {
	return map[string]checkpoint.Array{"nothing": {Dims: []int{1}, Data: []float32{0}}}
}

func (*darker) Apply(_ context.Context, b *Batch) error {
	for _, i := range b.At {
		for k, v := range b.Set.Image(i) {
			b.Set.Image(i)[k] = v / 2
		}
	}
	return nil
}

// Other images than those that a trigger was learnt on are poisoned themselves: what became of the same places there, which the cache
// holds, is not taken for theirs.
func TestCacheIsOfTheSameImages(t *testing.T) {
	ctx := context.Background()
	c := Method{Name: "darker", Settings: func() Settings { return &darker{} }}.Defaults()
	one := signs.Render(1, 60, 0).Train
	other := one.Clone()
	for k := range other.Pixels {
		other.Pixels[k] = 255 - other.Pixels[k]
	}
	poison := func(env Env, train ...*dataset.Set) (digest string) {
		a, err := New(ctx, c, one, env)
		if err != nil {
			t.Fatal(err)
		}
		for _, set := range train {
			p, _, err := a.Poison(ctx, set)
			if err != nil {
				t.Fatal(err)
			}
			digest = p.Digest()
		}
		return digest
	}
	env := Env{Cache: t.TempDir()}
	if poison(Env{}, other) != poison(env, one, other) {
		t.Error("other images became what the cache holds of the first ones")
	}
	if poison(Env{}, one) != poison(env, one) {
		t.Error("the cache holds something else")
	}
}
