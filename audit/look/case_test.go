package look

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/train"
)

// through takes evidence through JSON.
func through(t *testing.T, e Evidence) Evidence {
	t.Helper()
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var back Evidence
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func newCase(t *testing.T, r *train.Run) *Case {
	t.Helper()
	c, err := NewCase(r, []float32{4, 3, 2, 1}, Settings{Isolation: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Later looks see what was free, find nothing twice, and replace only what they were asked of.
func TestEvidenceIsMerged(t *testing.T) {
	set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"a", "b"}, Labels: []int32{0, 0, 1, 1}, Pixels: make([]uint8, 12)}
	r := &train.Run{Data: set}
	c := newCase(t, r)
	if err := c.Add(context.Background(),
		Evidence{Look: "first", Label: 0, Says: Poisoned, Carriers: []float32{0.9, 0.2, -1, -1}},
		Evidence{Look: "first", Label: 1, Says: CantTell, Carriers: []float32{-1, -1, 0.9, 0.9}},
	); err != nil {
		t.Fatal(err)
	}
	c.SetAside([]float32{0, 0, 0, 0.8})
	if want := []float32{0.9, 0.2, 0, 0}; !slices.Equal(c.Found(), want) {
		t.Errorf("found %v, expected %v", c.Found(), want)
	}
	if want := []int{2, 1}; !slices.Equal(c.Order(), want) || !slices.Equal(c.Isolated(), want[:1]) {
		t.Errorf("order %v, isolated %v", c.Order(), c.Isolated())
	}
	if err := c.Add(context.Background(), Evidence{Look: "second", Label: 0, Says: Poisoned, Carriers: []float32{0, 0.7, -1, -1}}); err != nil {
		t.Fatal(err)
	}
	if want := []float32{0.9, 0.7, 0, 0}; !slices.Equal(c.Found(), want) {
		t.Errorf("found %v, expected %v", c.Found(), want)
	}
	c.Close(1)
	if err := c.keep(); err != nil {
		t.Fatal(err)
	}
	c = newCase(t, r) // as from a checkpoint
	doubtful := []float32{0, 0, 0.9, 0.9}
	if !slices.Equal(c.Doubtful(), doubtful) {
		t.Errorf("doubtful %v, expected %v", c.Doubtful(), doubtful)
	}
	if want := []int{2, 1}; !slices.Equal(c.Order(), want) || len(c.Evidence()) != 3 || !c.Closed(1) || c.Closed(0) {
		t.Errorf("came back with the order %v and %+v", c.Order(), c.Evidence())
	}
	said := c.Said("first")
	if err := c.Replace(context.Background(), said, []Evidence{{Look: "other", Label: 0, Says: CantTell, Carriers: []float32{0, -1, -1, -1}}, said[1]}); err != nil {
		t.Fatal(err)
	}
	if want := []float32{0, 0.7, 0, 0}; !slices.Equal(c.Found(), want) || c.Evidence()[0].Look != "other" {
		t.Errorf("found %v, expected %v", c.Found(), want)
	}
	if !slices.Equal(c.Doubtful(), doubtful) {
		t.Errorf("doubtful %v, expected %v", c.Doubtful(), doubtful)
	}
	c.saved.Evidence[1].Says = NoEvidence // as Settle may find
	c.saved.Evidence[0].Says = NoEvidence
	if c.Doubtful() != nil {
		t.Errorf("%v are doubtful by nothing", c.Doubtful())
	}
}
