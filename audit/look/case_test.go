package look

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/model"
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

// trained opens the case of a run with a small network, which has yet to be trained.
func trained(t *testing.T, set *dataset.Set, batch int, s Settings) (*train.Run, *Case) {
	t.Helper()
	b, err := engines.New("cpu", 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.New("small-cnn", len(set.Classes), set.Height, set.Width)
	if err != nil {
		t.Fatal(err)
	}
	r := &train.Run{Backend: b, Network: n, Data: set, Seed: 1, Batch: batch}
	if _, err := r.Start(false); err != nil {
		t.Fatal(err)
	}
	c, err := NewCase(r, s)
	if err != nil {
		t.Fatal(err)
	}
	return r, c
}

func newCase(t *testing.T, r *train.Run) *Case {
	t.Helper()
	c, err := NewCase(r, Settings{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Looks find nothing twice, and what was found before is what the plain network does not learn, also after an interruption.
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
	if want := []float32{0.9, 0.2, 0, 0}; !slices.Equal(c.Found(), want) {
		t.Errorf("found %v, expected %v", c.Found(), want)
	}
	if want := []int{1, 2, 3}; !slices.Equal(c.free(), want) {
		t.Errorf("free are %v", c.free())
	}
	if err := c.Add(context.Background(), Evidence{Look: "second", Label: 0, Says: Poisoned, Carriers: []float32{0, 0.7, -1, -1}}); err != nil {
		t.Fatal(err)
	}
	if want := []float32{0.9, 0.7, 0, 0}; !slices.Equal(c.Found(), want) {
		t.Errorf("found %v, expected %v", c.Found(), want)
	}
	if err := c.keep(); err != nil {
		t.Fatal(err)
	}
	c = newCase(t, r) // as from a checkpoint
	if want := []int{1, 2, 3}; !slices.Equal(c.free(), want) || len(c.Evidence()) != 3 {
		t.Errorf("came back with %v free and %+v", c.free(), c.Evidence())
	}
	doubtful := []float32{0, 0, 0.9, 0.9}
	if !slices.Equal(c.Doubtful(), doubtful) {
		t.Errorf("doubtful %v, expected %v", c.Doubtful(), doubtful)
	}
	c.saved.Evidence[1].Says = NoEvidence // as Settle may find
	if c.Doubtful() != nil {
		t.Errorf("%v are doubtful by nothing", c.Doubtful())
	}
}

// What is in doubt under many labels takes no more in a checkpoint than one number for each image, and counts as what is given for all.
func TestDoubtTakesOneNumberForEachImage(t *testing.T) {
	labels := []int32{0, 1, 0, 1, 2}
	set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"a", "b", "c"}, Labels: labels, Pixels: make([]uint8, 3*len(labels))}
	all := [][]float32{{0.9, -1, 0.2, -1, -1}, {-1, 0.7, -1, 0, -1}}
	for _, own := range []bool{false, true} {
		c := newCase(t, &train.Run{Data: set})
		for label, carriers := range all {
			e := Evidence{Look: "some", Label: label, Says: CantTell, Carriers: carriers}
			if own {
				e.Carriers, e.Own = nil, []float32{carriers[label], carriers[label+2]}
			}
			if err := c.Add(context.Background(), e); err != nil {
				t.Fatal(err)
			}
			if got := c.doubted(c.saved.Evidence[label]); !slices.Equal(got, carriers) {
				t.Errorf("kept %v, expected %v", got, carriers)
			}
			if n := len(c.run.Arrays[doubtfulKey(e)]); n != 2 {
				t.Errorf("%d numbers are kept of a label's 2 images", n)
			}
		}
		if want := []float32{0.9, 0.7, 0.2, 0, 0}; !slices.Equal(c.Doubtful(), want) {
			t.Errorf("doubtful %v, expected %v", c.Doubtful(), want)
		}
	}
}

// Facts are judged by what they were, not by what a checkpoint made of them: shares at a limit stay on its side.
func TestFactsStayExact(t *testing.T) {
	type facts struct {
		Counts
		Share float64 `json:"share"`
	}
	share := 190.0 / 200
	if float64(float32(share)) >= 0.95 {
		t.Fatal("this share would not have been lost")
	}
	e := Evidence{Look: "x", Label: 3, Says: Poisoned, Facts: facts{Counts{Images: 200, Flagged: 190}, share}}
	back := through(t, e)
	f, ok := FactsOf[facts](back)
	if !ok || f != e.Facts || back.Says != Poisoned || back.Label != 3 || CountsOf(back).Flagged != 190 {
		t.Errorf("%+v came back as %+v", e, back)
	}
}

// A look that was interrupted tells nothing again when it is asked anew; other looks and later stages tell all.
func TestNotesAreToldOnce(t *testing.T) {
	set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"a"}, Labels: []int32{0}, Pixels: make([]uint8, 3)}
	var told []string
	r := &train.Run{Data: set, Seconds: map[string]float64{}, Watch: func(e train.Event) { told = append(told, e.Note) }}
	c := newCase(t, r)
	c.Begin()
	c.Note("first")
	c = newCase(t, r)
	c.Begin()
	c.Note("first")
	c.Note("second")
	if err := c.Done("x"); err != nil {
		t.Fatal(err)
	}
	c.Begin()
	c.Note("another's first")
	if err := c.Done("y"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c = newCase(t, r)
		c.Note("later")
	}
	if want := []string{"first", "second", "another's first", "later", "later"}; !slices.Equal(told, want) {
		t.Errorf("%q, expected %q", told, want)
	}
}
