package look

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// asked counts how often rows are asked for.
type asked struct {
	vectors
	rows *atomic.Int64
}

func (a asked) Row(i int) []float32 {
	a.rows.Add(1)
	return a.vectors[i]
}

// What classifiers of features say is kept as what networks say is, of the images that they learnt; and their time is counted.
func TestClassifiersAreFittedOnce(t *testing.T) {
	const n, classes = 300, 3
	r := rng.Stream(1, "features")
	var labels []int32
	var v vectors
	for i := range n {
		labels, v = append(labels, int32(i%classes)), append(v, []float32{float32(r.NormFloat64()) + 5*float32(i%classes)})
	}
	set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"a", "b", "c"}, Labels: labels, Pixels: make([]uint8, 3*n)}
	var rows atomic.Int64
	run := &train.Run{Data: set, Seconds: map[string]float64{}}
	open := func() *Case {
		c, err := NewCase(run, Settings{Content: true, Features: asked{v, &rows}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	left := make([]bool, n)
	left[0] = true
	var first *stat.Softmax
	for again := range 2 {
		c := open()
		rows.Store(0)
		content, err := c.Content(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.ContentWithout(context.Background(), 0, left); err != nil {
			t.Fatal(err)
		}
		if again == 0 {
			first = content.P
		} else if rows.Load() > 2*n || content.P.At(1, 1) != first.At(1, 1) { // only which are missing is asked
			t.Errorf("rows were asked for %d times after a stop", rows.Load())
		}
	}
	rows.Store(0)
	left[3] = true
	if _, err := open().ContentWithout(context.Background(), 0, left); err != nil || rows.Load() < 10*n {
		t.Errorf("of other images it took %d rows, %v", rows.Load(), err)
	}
	if took, err := open().fitting(context.Background(), rng.Iota(n)); err != nil || took <= 0 {
		t.Errorf("fitting takes %g s, %v", took, err)
	}
}

// moved are features whose file was written to while it was read.
type moved struct{ vectors }

func (moved) Unchanged() error { return errors.New("changed") }

// Nothing is kept of features that tell nothing, or that were changed while they were read.
func TestNothingIsKeptOfWrongFeatures(t *testing.T) {
	const n, classes = 300, 3
	set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"a", "b", "c"}, Pixels: make([]uint8, 3*n)}
	r := rng.Stream(1, "features")
	var noise, good vectors
	for i := range n {
		set.Labels = append(set.Labels, int32(i%classes))
		noise = append(noise, []float32{float32(r.NormFloat64())})
		good = append(good, []float32{float32(i % classes)})
	}
	folder := t.TempDir()
	for _, x := range []struct {
		of   Features
		want string
	}{{noise, "expected some that tell the 3 classes apart"}, {moved{good}, "changed"}, {good, ""}} {
		run := &train.Run{Data: set, Folder: folder, Seconds: map[string]float64{}}
		c, err := NewCase(run, Settings{Content: true, Features: x.of})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Content(t.Context())
		_, kept := os.Stat(filepath.Join(folder, train.ProgressFile))
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) || (kept == nil) != (x.want == "") {
			t.Errorf("%q: %v; a checkpoint: %v", x.want, err, kept == nil)
		}
	}
}
