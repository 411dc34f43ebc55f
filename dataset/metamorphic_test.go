package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/rng"
)

// Small data sets drawn by seed: what is read agrees with what was written, or reading ends in an error; without random
// suspects, what is written and read again is exactly the rest. It takes neither long nor much memory. UNPOISON_METAMORPHIC says how many are drawn, UNPOISON_METAMORPHIC_FIRST the first seed.
func TestMetamorphic(t *testing.T) {
	count, first := 60, 0
	for name, to := range map[string]*int{"UNPOISON_METAMORPHIC": &count, "UNPOISON_METAMORPHIC_FIRST": &first} {
		if v := os.Getenv(name); v != "" {
			n, err := strconv.Atoi(v)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			*to = n
		}
	}
	for seed := first; seed < first+count && !t.Failed(); seed++ {
		if seed > first && (seed-first)%1000 == 0 {
			t.Logf("%d are right", seed-first)
		}
		metamorphic(t, seed)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.Sys > 1<<30 {
		t.Errorf("%d MB were taken", m.Sys>>20)
	}
}

var oddNames = []string{"cat", "Hund ö", "a,b", `q"uote`, "train", "test", "with space", "日本", "x.y", "007", "-minus", "=1+1", "e\u0301"}

func drawTiny(r *rand.Rand, h *holder) *tiny {
	side := []int{1, 2, 5, 32}[r.IntN(4)]
	if h.layout == "cifar10" || h.layout == "cifar100" || h.layout == "cifar-python" {
		side = 32
	}
	test := r.IntN(3)
	s := tinySet(side, h.grey && (!h.colour || r.IntN(3) == 0), 1+r.IntN(4), test)
	if test == 0 {
		s.test = nil
	}
	order := r.Perm(len(oddNames))[:len(s.classes)]
	for k, i := range order {
		s.classes[k] = oddNames[i]
	}
	slices.Sort(s.classes)
	for _, part := range [][]tinyImage{s.train, s.test} {
		for i := range part {
			if from := part[r.IntN(len(part))]; r.IntN(8) == 0 {
				part[i].pix = from.pix // the same image, perhaps of another class
			}
		}
	}
	s.columns = h.layout == "table" && r.IntN(4) == 0
	if h.split {
		s.words = [][2]string{{"train", "test"}, {"TRAIN", "valid"}, {"training", "testing"}, {"trainset", "dev"}, {"train_set", "eval"}}[r.IntN(5)]
	}
	return s
}

// damages change files; the harmless ones leave the data as they were.
var damages = []struct {
	name     string
	harmless bool
	do       func(t *testing.T, r *rand.Rand, dir string, h *holder)
}{
	{"none", true, func(*testing.T, *rand.Rand, string, *holder) {}},
	{"junk", true, func(t *testing.T, _ *rand.Rand, dir string, h *holder) { addJunk(t, dir, h) }},
	{"links", true, func(t *testing.T, _ *rand.Rand, dir string, h *holder) { linkAll(t, dir, h) }},
	{"wrap", true, func(t *testing.T, _ *rand.Rand, dir string, _ *holder) {
		inner := filepath.Join(t.TempDir(), "inner")
		for _, step := range [][2]string{{dir, inner}, {inner, filepath.Join(dir, "[a-b] *")}} {
			if err := os.MkdirAll(filepath.Dir(step[1]), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(step[0], step[1]); err != nil {
				t.Fatal(err)
			}
		}
	}},
	{"flip", false, func(t *testing.T, r *rand.Rand, dir string, _ *holder) {
		path := anyFile(t, r, dir)
		raw := testfile.Read(t, path)
		if len(raw) > 0 {
			raw[r.IntN(len(raw))] ^= 1 << r.IntN(8)
		}
		put(t, path, raw)
	}},
	{"cut", false, func(t *testing.T, r *rand.Rand, dir string, _ *holder) {
		path := anyFile(t, r, dir)
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, r.Int64N(st.Size()+1)); err != nil {
			t.Fatal(err)
		}
	}},
	{"gone", false, func(t *testing.T, r *rand.Rand, dir string, _ *holder) { _ = os.Remove(anyFile(t, r, dir)) }},
	{"FIFO", false, func(t *testing.T, r *rand.Rand, dir string, _ *holder) {
		path := anyFile(t, r, dir)
		_ = os.Remove(path)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}},
	{"loop", false, func(t *testing.T, r *rand.Rand, dir string, _ *holder) {
		path := anyFile(t, r, dir)
		if err := os.Symlink(dir, filepath.Join(filepath.Dir(path), "loop")); err != nil {
			t.Fatal(err)
		}
	}},
	{"device", false, func(t *testing.T, r *rand.Rand, dir string, _ *holder) {
		path := anyFile(t, r, dir)
		_ = os.Remove(path)
		if err := os.Symlink("/dev/zero", path); err != nil {
			t.Fatal(err)
		}
	}},
	{"sparse", false, func(t *testing.T, r *rand.Rand, dir string, _ *holder) {
		if err := os.Truncate(anyFile(t, r, dir), 20<<30); err != nil {
			t.Skip("no sparse files here")
		}
	}},
}

func anyFile(t *testing.T, r *rand.Rand, dir string) string {
	var files []string
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files = append(files, p)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	return files[r.IntN(len(files))]
}

func metamorphic(t *testing.T, seed int) {
	r := rng.Stream(uint64(seed), "metamorphic")
	h := &holders[r.IntN(len(holders))]
	s := drawTiny(r, h)
	damage := &damages[max(0, r.IntN(len(damages)+4)-4)]
	options := Options{SkipBad: r.IntN(2) == 0}
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, dir, s)
	damage.do(t, r, dir, h)
	called := fmt.Sprintf("seed %d, %s, damage %s, skip %v", seed, h.name, damage.name, options.SkipBad)
	start := processorTime()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // for what waits
	defer cancel()
	d, err := Load(ctx, dir, options)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		t.Errorf("%s: it waits", called)
	case damage.harmless && err != nil:
		t.Errorf("%s: %v", called, err)
	case damage.harmless:
		h.same(t, s, d)
	case err == nil: // the images that are there are those that were written
		agrees(t, called, h, s.train, d.Train, s)
		if d.Test != nil {
			agrees(t, called, h, s.test, d.Test, s)
		}
	}
	if err == nil {
		metamorphicFilter(ctx, t, called, r, d, options, damage.harmless)
	}
	if took := processorTime() - start; took > 10*time.Second {
		t.Errorf("%s: it took %v", called, took)
	}
	if t.Failed() {
		t.Log(called)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}

// processorTime is what this process has had of the processors, which does not depend on what else the machine does.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it can't fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// agrees reports images that nobody wrote, but for the one that a flipped bit may have changed.
func agrees(t *testing.T, called string, h *holder, images []tinyImage, got *Set, s *tiny) {
	if got.Len() > len(images) {
		t.Errorf("%s: %d images of %d", called, got.Len(), len(images))
	}
	if h.layout == "parquet" || got.Height != s.side || got.Width != s.side {
		return // a bit of a dictionary or of a size changes many
	}
	byName := slices.Contains([]string{"folder", "table", "webdataset", "numpy", "idx"}, h.layout) // a changed label moves the numbers of others
	key := func(pix []byte, label int32, names []string) string {
		if byName {
			return names[label] + string(pix)
		}
		return fmt.Sprint(label) + string(pix)
	}
	written := map[string]int{}
	want := h.expected(s, images)
	for i, l := range want.Labels {
		written[key(want.Image(i), l, want.Classes)]++
	}
	strange := 0
	for i, l := range got.Labels {
		k := key(got.Image(i), l, got.Classes)
		if written[k]--; written[k] < 0 {
			strange++
		}
	}
	if strange > 1 {
		t.Errorf("%s: %d of %d images are none that was written", called, strange, got.Len())
	}
}

// A FIFO under the name of a stored set is no stored set: nothing waits for it.
func TestStoresPassOverFIFOs(t *testing.T) {
	dir, store := mixedFolder(t), t.TempDir()
	o := Options{SkipBad: true, Store: store}
	want, err := Load(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range kept(t, store) {
		if strings.Contains(name, ".lock") {
			continue
		}
		if err := errors.Join(os.Remove(filepath.Join(store, name)), syscall.Mkfifo(filepath.Join(store, name), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	read := make(chan error)
	go func() {
		got, err := Load(context.Background(), dir, o)
		if err == nil && got.Train.Digest() != want.Train.Digest() {
			err = errors.New("other images")
		}
		read <- err
	}()
	select {
	case err := <-read:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits")
	}
}
