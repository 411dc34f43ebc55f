package audit

import (
	"context"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/train"
)

// counter is a look that counts how often it is asked.
type counter struct{ asked, again int }

func (*counter) Name() look.Name { return "counter" }

func (l *counter) Ask(context.Context, *look.Case) ([]look.Evidence, error) {
	l.asked++
	return []look.Evidence{{Look: "counter", Facts: look.Counts{}}}, nil
}

func (l *counter) AskAgain(_ context.Context, _ *look.Case, said []look.Evidence) ([]look.Evidence, error) {
	l.again++
	return said, nil
}

// A look that was asked before a stop is not asked again when the stage goes on, nor is its doubt.
func TestLooksAreAskedOnce(t *testing.T) {
	set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"a", "b"}, Labels: []int32{0, 1}, Pixels: make([]uint8, 6)}
	r := &train.Run{Data: set, Seconds: map[string]float64{}}
	l := &counter{}
	for range 2 {
		for _, s := range []stage{{looks: []look.Look{l}}, {again: []look.Look{l}}} {
			c, err := look.NewCase(r, make([]float32, 2), look.Settings{}) // as from a checkpoint
			if err != nil {
				t.Fatal(err)
			}
			if err := s.run(context.Background(), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	if l.asked != 1 || l.again != 1 {
		t.Errorf("asked %d times, and %d times again", l.asked, l.again)
	}
	c, err := look.NewCase(r, make([]float32, 2), look.Settings{})
	if err != nil || len(c.Evidence()) != 1 {
		t.Errorf("%d pieces of evidence, %v", len(c.Evidence()), err)
	}
}

// The list of suspects begins with the removed images, the surest first; then come those that stand out where it can't be told.
func TestSuspectsInOrder(t *testing.T) {
	f := &Found{Verdict: &Verdict{}, Probability: []float32{0.1, 0.6, 0.2, 1, 0, 0}, Doubtful: []float32{0, 1, 0.6, 1, 0.4, 1}}
	want := []isolate.Suspect{
		{Index: 3, Score: 9, Probability: 1, Isolated: true},
		{Index: 1, Score: 9, Probability: 0.6, Isolated: true},
		{Index: 5, Score: 9, Doubtful: true},
		{Index: 2, Score: 9, Probability: 0.2, Doubtful: true},
		{Index: 4, Score: 2},
		{Index: 0, Score: 3, Probability: 0.1},
	}
	if got := f.Suspects([]float32{3, 9, 9, 9, 2, 9}); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	f.Doubtful = nil
	if got := f.Suspects([]float32{3, 9, 9, 9, 2, 9}); got[2].Index != 4 || got[3].Doubtful {
		t.Errorf("without doubt %+v", got)
	}
}
