package audit

import (
	"context"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
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
