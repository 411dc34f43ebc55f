package look

import (
	"context"
	"testing"
	"time"

	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

// Asking how long a search will take leaves no trace in the run: it goes on as if nobody had asked.
func TestExpectLeavesNoTrace(t *testing.T) {
	b, err := engines.New("cpu", 1)
	if err != nil {
		t.Fatal(err)
	}
	set := signs.Render(1, 700, 10).Train
	net, err := model.New("small-cnn", len(set.Classes), set.Height, set.Width)
	if err != nil {
		t.Fatal(err)
	}
	r := &train.Run{Backend: b, Network: net, Data: set, Batch: 64}
	if _, err := r.Start(false); err != nil {
		t.Fatal(err)
	}
	c, err := NewCase(r, Settings{Content: true, PlainEpochs: 8, Rate: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	before, arrays := r.State.Digest(), len(r.Arrays)
	e, err := c.Expect(context.Background(), true)
	if err != nil {
		t.Fatal(err)
	}
	// so many images take a millisecond each at least, in the networks that can't see triggers and in the ordinary one
	if least := time.Duration(set.Len()) * time.Millisecond; e.Clean < least || e.Found < e.Clean+least {
		t.Errorf("expected %v, and %v where something is found", e.Clean, e.Found)
	}
	if after := r.State.Digest(); after != before || len(r.Arrays) != arrays || r.Arrays[contentKey+".0"] != nil {
		t.Error("asking changed the run")
	}
}
