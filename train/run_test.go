package train

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/model"
)

// other is an engine of another name.
type other struct{ backends.Backend }

func (other) Description() string { return "other:gpu - somewhere" }

// TestEnginesInTurn wants to know of every engine that had a part in a training.
func TestEnginesInTurn(t *testing.T) {
	ours, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.New("small-cnn", 2, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	var had []string
	for k, b := range []backends.Backend{other{ours}, other{ours}, ours} {
		r := &Run{Backend: b, Network: n, Folder: folder, Digest: "d"}
		if resumed, err := r.Start(true); err != nil || resumed != (k > 0) {
			t.Fatalf("start %d: went on: %v, %v", k, resumed, err)
		}
		if err := r.Stage(string(rune('a'+k)), func() error { return nil }); err != nil {
			t.Fatal(err)
		}
		had = r.Engines
	}
	if len(had) != 2 || had[0] != "other:gpu" || had[1] != engines.Describe(ours) {
		t.Errorf("engines %q", had)
	}
}

// What was put is what is got, to the last digit, by the same run and by one that goes on from its checkpoint.
func TestValuesOutliveTheRun(t *testing.T) {
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.New("small-cnn", 2, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	type finding struct {
		Label string
		Score float64
	}
	want := []finding{{"dog", 1.0 / 3}, {"", 5e-324}}
	folder := t.TempDir()
	run := func() *Run {
		r := &Run{Backend: b, Network: n, Folder: folder, Digest: "d"}
		if _, err := r.Start(true); err != nil {
			t.Fatal(err)
		}
		return r
	}
	got := func(r *Run, name string) (v []finding, found bool) {
		found, err := r.Get(name, &v)
		if err != nil {
			t.Fatal(err)
		}
		return v, found
	}
	r := run()
	if _, found := got(r, "found"); found {
		t.Error("a fresh run has a value")
	}
	if err := r.Stage("look", func() error {
		return errors.Join(r.Put("found", []finding{{"cat", 9}}), r.Put("found", want))
	}); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Run{r, run()} {
		if v, _ := got(r, "found"); !slices.Equal(v, want) {
			t.Errorf("got %v, put %v", v, want)
		}
	}
	if _, err := r.Get("found", new(int)); err == nil {
		t.Error("a list was read as a number")
	}
	if r.Put("bad", math.NaN()) == nil {
		t.Error("JSON has no NaN, and one was put")
	}
}
