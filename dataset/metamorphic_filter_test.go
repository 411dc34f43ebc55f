package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/rng"
)

// marked draws which images are suspects: few, many or all but one.
func marked(r *rand.Rand, n int) (drop []bool, keep []int) {
	drop = make([]bool, n)
	share, stays := []float64{0.1, 0.5, 0.9, 1}[r.IntN(4)], r.IntN(n)
	for i := range drop {
		if drop[i] = i != stays && r.Float64() < share; !drop[i] {
			keep = append(keep, i)
		}
	}
	return drop, keep
}

// metamorphicFilter drops random images of data that were read, and reads what is written, as users do: by its folder alone.
// Either it is exactly the rest, or an error is returned and nothing is there.
func metamorphicFilter(ctx context.Context, t *testing.T, called string, r *rand.Rand, d *Data, o Options, harmless bool) {
	t.Helper()
	drop, keep := marked(r, d.Train.Len())
	out := filepath.Join(t.TempDir(), "out")
	_, err := Correct(ctx, d, o, drop, nil, out)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: filter took too long", called)
		}
		if harmless && !strings.Contains(err.Error(), "every training image of the classes") { // of which some layouts then know nothing
			t.Errorf("%s: filter: %v", called, err)
		}
		if _, err := os.Lstat(out); err == nil {
			t.Errorf("%s: filter failed and left %s", called, out)
		}
		return
	}
	left, err := Load(ctx, out, o)
	if err != nil {
		t.Errorf("%s: what filter wrote: %v", called, err)
		return
	}
	if left.Layout != d.Layout {
		t.Errorf("%s: %s was written as %s", called, d.Layout, left.Layout)
	}
	isRest(t, called+", training", d.Train, keep, left.Train)
	if (d.Test == nil) != (left.Test == nil) || d.Unlabelled != left.Unlabelled {
		t.Errorf("%s: test images come or go", called)
	} else if d.Test != nil {
		isRest(t, called+", test", d.Test, rng.Iota(d.Test.Len()), left.Test)
	}
	labels := corrections(r, d.Train, drop)
	at := filepath.Join(t.TempDir(), "out")
	if _, err := Correct(ctx, d, o, drop, labels, at); err != nil {
		if harmless || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: correct: %v", called, err)
		}
	} else if got, err := Load(ctx, at, o); err != nil {
		t.Errorf("%s: what correct wrote: %v", called, err)
	} else {
		isCorrected(t, called, d.Train, drop, labels, got.Train)
	}
	for _, dir := range []string{out, at} {
		if err := os.RemoveAll(filepath.Dir(dir)); err != nil {
			t.Fatal(err)
		}
	}
}

// isRest compares the images at of one set with another set: pixels, where they have one size, files and names of classes.
func isRest(t *testing.T, called string, a *Set, at []int, b *Set) {
	t.Helper()
	if b.Len() != len(at) {
		t.Errorf("%s: %d images are left, expected %d", called, b.Len(), len(at))
		return
	}
	for k, i := range at {
		same := a.ImageDigest(i) == b.ImageDigest(k)
		if a.Height == b.Height && a.Width == b.Width {
			same = same && bytes.Equal(a.Image(i), b.Image(k))
		}
		if !same || a.Classes[a.Labels[i]] != b.Classes[b.Labels[k]] {
			t.Errorf("%s: image %d is %s of %q, expected %s of %q", called, k, b.Source(k), b.Classes[b.Labels[k]], a.Source(i), fmt.Sprint(a.Classes[a.Labels[i]]))
			return
		}
	}
}

// What can't be decoded stays where it lies, and what was written is read again without it.
func TestFilterPassesOverBadImages(t *testing.T) {
	dir := copied(t, "testdata/folder")
	bad := filepath.Join(dir, "train")
	classes, err := os.ReadDir(bad)
	if err != nil {
		t.Fatal(err)
	}
	bad = filepath.Join(bad, classes[0].Name(), "zzz.png")
	testfile.Write(t, bad, "\x89PNG\r\n\x1a\nno more")
	d, err := Load(t.Context(), dir, Options{SkipBad: true})
	if err != nil {
		t.Fatal(err)
	}
	drop := make([]bool, d.Train.Len())
	drop[0] = true
	out := filepath.Join(t.TempDir(), "out")
	if _, err := Correct(t.Context(), d, Options{SkipBad: true}, drop, nil, out); err != nil {
		t.Fatal(err)
	}
	left, err := Load(t.Context(), out, Options{SkipBad: true})
	if err != nil || left.Train.Len() != d.Train.Len()-1 {
		t.Errorf("%v, %v", left, err)
	}
}
