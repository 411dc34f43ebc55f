package dataset

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// counting is a layout of parts of image files that counts which of them are read as a whole, by part.
func counting(train, test int, bad func(part string, k int) bool) (o Options, opened map[string]*atomic.Int32) {
	opened = map[string]*atomic.Int32{"train": {}, "test": {}}
	part := func(name string, n int) *Part {
		return &Part{Name: name, Records: func(yield func(Record) error) error {
			for k := range n {
				raw := fmt.Appendf(nil, "P6 2 1 255\n%s%02d", name[:2], k)
				raw = append(raw, byte(k), 7)
				if bad != nil && bad(name, k) {
					raw = raw[:len(raw)-1]
				}
				r := Record{Source: fmt.Sprintf("%s/%d", name, k), Row: -1, Label: Name(string(rune('a' + k%3))), apart: true}
				r.Head = func() ([]byte, error) { return raw, nil }
				r.File = func() ([]byte, error) {
					opened[name].Add(1)
					return raw, nil
				}
				if err := yield(r); err != nil {
					return err
				}
			}
			return nil
		}}
	}
	l := Layout{Name: "counting", Open: func(context.Context, string, Options) (*Contents, error) {
		c := &Contents{Train: part("train", train)}
		if test > 0 {
			c.Test = part("test", test)
		}
		return c, nil
	}}
	return Options{Layouts: []Layout{l}}, opened
}

// loadCounting reads the images of counting, and returns how many training and test images were opened for that.
func loadCounting(t *testing.T, o Options, opened map[string]*atomic.Int32) (d *Data, train, test int32) {
	t.Helper()
	for _, n := range opened {
		n.Store(0)
	}
	d, err := Load(context.Background(), "counting:"+t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	return d, opened["train"].Load(), opened["test"].Load()
}

// statAll describes the files in a folder, by path.
func statAll(t *testing.T, dir string) map[string]os.FileInfo {
	t.Helper()
	all := map[string]os.FileInfo{}
	for _, name := range kept(t, dir) {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Join(dir, name)] = st
	}
	return all
}

// The images of a limit are those that the limit takes of the whole, and no other is opened, in memory or in a store. A store knows
// them from the whole and from others as many.
func TestALimitDecodesItsImagesAlone(t *testing.T) {
	o, opened := counting(60, 7, nil)
	whole, _, _ := loadCounting(t, o, opened)
	store := t.TempDir()
	for _, seed := range []uint64{1, 2} {
		want := whole.Train.pick(firstShuffled(Options{Limit: 20, Seed: seed}, 60))
		for _, where := range []string{"", store, store} {
			o.Limit, o.Seed, o.Store = 20, seed, where
			read := 0
			o.Watch = func(part string, done, of int) {
				if part == "train" {
					if read++; done > read || of != 20 {
						t.Errorf("%d of %d after %d", done, of, read)
					}
				}
			}
			before := statAll(t, store)
			d, train, test := loadCounting(t, o, opened)
			for path, st := range before {
				if now, err := os.Stat(path); err != nil || !os.SameFile(st, now) {
					t.Errorf("seed %d in %q: %s was made anew", seed, where, path)
				}
			}
			most := int32(20)
			if where != "" {
				most += 20 // of what may be the same images in the store
			}
			if diff := likeSet(want, d.Train); diff != "" || train < 20 || train > most || test != 7 || read < 20 {
				t.Errorf("seed %d in %q: %s; %d training and %d test images were opened", seed, where, diff, train, test)
			}
			if fmt.Sprint(d.Notes) != fmt.Sprint(whole.Notes) {
				t.Errorf("the notes are %q, not %q", d.Notes, whole.Notes)
			}
		}
	}
	if files := kept(t, store); len(files) != 3 || !slices.ContainsFunc(files, func(f string) bool { return strings.Contains(f, "-20x1x2") }) {
		t.Errorf("the store holds %q", files)
	}
	o.Limit = 0
	o.Watch = nil
	for range 2 {
		if d, _, _ := loadCounting(t, o, opened); likeSet(whole.Train, d.Train) != "" || len(kept(t, store)) != 4 {
			t.Errorf("the whole after a limit: %s, %q", likeSet(whole.Train, d.Train), kept(t, store))
		}
	}
}

// With bad images passed over, a limit is of the readable ones; without, only those that it takes have to be readable, but all labels
// have to be right.
func TestALimitAmongBadImages(t *testing.T) {
	bad := func(part string, k int) bool { return part == "train" && k%5 == 1 }
	o, opened := counting(60, 0, bad)
	o.SkipBad = true
	whole, _, _ := loadCounting(t, o, opened)
	o.Limit, o.Seed = 20, 4
	d, train, _ := loadCounting(t, o, opened)
	if diff := likeSet(whole.Train.pick(firstShuffled(o, 48)), d.Train); diff != "" || len(d.Skipped) != 12 || train != 60 {
		t.Errorf("%s; %d were passed over, %d opened", diff, len(d.Skipped), train)
	}
	o.SkipBad = false
	for limit := 1; limit < 60; limit++ {
		o.Limit = limit
		_, err := Load(context.Background(), "counting:"+t.TempDir(), o)
		pick := firstShuffled(o, 60)
		if i := slices.IndexFunc(pick, func(k int) bool { return bad("train", k) }); (err != nil) != (i >= 0) || err != nil && !strings.Contains(err.Error(), fmt.Sprintf("train/%d:", pick[i])) {
			t.Fatalf("the images %v: %v", pick, err)
		}
	}
	dir := t.TempDir()
	put(t, filepath.Join(dir, "images.npy"), npy("|u1", []int{4, 1, 2}, []byte{1, 2, 3, 4, 5, 6, 7, 8}))
	put(t, filepath.Join(dir, "labels.npy"), npy("|u1", []int{4}, []byte{0, 1, 0, 2}))
	put(t, filepath.Join(dir, "classes.txt"), []byte("a\nb\n"))
	for seed := range uint64(8) {
		if _, err := Load(context.Background(), dir, Options{Limit: 1, Seed: seed}); err == nil || !strings.Contains(err.Error(), "row 3") {
			t.Errorf("a label that is no class is passed over: %v", err)
		}
	}
}

// Images of several sizes get the size of all, whatever the limit takes, and so do samples of 16 bits their depth. Classes of which the
// limit takes no image are not empty.
func TestALimitChangesNeitherSizeNorDepth(t *testing.T) {
	dir := t.TempDir()
	for k := range 12 {
		put(t, filepath.Join(dir, []string{"a", "b", "c"}[k%3], fmt.Sprintf("%d.png", k)), coloured(t, 9+k, 9+k))
	}
	put(t, filepath.Join(dir, "c", "deep.png"), greyDeep(t, 700))
	whole, err := Load(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(5) {
		d, err := Load(context.Background(), dir, Options{Limit: 2, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		if diff := likeSet(whole.Train.pick(firstShuffled(Options{Limit: 2, Seed: seed}, 13)), d.Train); diff != "" || d.Depth != 10 || fmt.Sprint(d.Notes) != fmt.Sprint(whole.Notes) {
			t.Errorf("%s, %d bits, %q", diff, d.Depth, d.Notes)
		}
	}
}

// Arrays of which some rows are read are checked to their end as before.
func TestALimitReadsSomeRows(t *testing.T) {
	dir := t.TempDir()
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte{0, 0, 8, 3}, 9), 1), 2)
	pixels := []byte("abcdefghijklmnopqr")
	put(t, filepath.Join(dir, "train-images-idx3-ubyte"), append(head, pixels...))
	put(t, filepath.Join(dir, "train-labels-idx1-ubyte"), append(binary.BigEndian.AppendUint32([]byte{0, 0, 8, 1}, 9), 0, 1, 0, 1, 0, 1, 0, 1, 0))
	whole := load(t, dir)
	for seed := range uint64(20) {
		o := Options{Limit: 1 + int(seed)%8, Seed: seed}
		d, err := Load(context.Background(), dir, o)
		if err != nil || likeSet(whole.Train.pick(firstShuffled(o, 9)), d.Train) != "" {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if err := os.Truncate(filepath.Join(dir, "train-images-idx3-ubyte"), int64(len(head)+17)); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		if _, err := Load(context.Background(), dir, Options{Limit: 1, Seed: seed}); err == nil {
			t.Error("a file that is cut off is passed over")
		}
	}
}

// Of a part that nobody wants no image is opened. What is wanted is the same.
func TestOnlyThePartThatIsWantedIsDecoded(t *testing.T) {
	for _, store := range []string{"", t.TempDir()} {
		o, opened := counting(30, 10, nil)
		both, _, _ := loadCounting(t, o, opened)
		o.Store = store
		for only, want := range map[string][2]int32{OnlyTrain: {30, 0}, OnlyTest: {0, 10}} {
			o.Only = only
			d, train, test := loadCounting(t, o, opened)
			wanted, as, other, like := d.Train, both.Train, d.Test, both.Test
			if only == OnlyTest {
				wanted, as, other, like = other, like, wanted, as
			}
			if diff := likeSet(as, wanted); diff != "" || [2]int32{train, test} != want || d.Summary() != both.Summary() || fmt.Sprint(d.Notes) != fmt.Sprint(both.Notes) {
				t.Errorf("%s: %s; %d and %d were opened; %s %q", only, diff, train, test, d.Summary(), d.Notes)
			}
			if other.Pixels != nil || !slices.Equal(other.Labels, like.Labels) || other.Source(3) != like.Source(3) || len(other.digests) > 0 {
				t.Errorf("%s: the other part is %+v", only, other)
			}
		}
		if store != "" && len(kept(t, store)) != 2 {
			t.Errorf("the store holds %q", kept(t, store))
		}
	}
	if _, err := Load(context.Background(), t.TempDir(), Options{Only: "val"}); err == nil || !strings.Contains(err.Error(), `"val"`) {
		t.Error(err)
	}
}

// Training images take the place of test images where there are none, or none that can be read.
func TestOnlyTestWhereThereIsNone(t *testing.T) {
	for tests, skip := range map[int]bool{0: false, 4: true} {
		o, opened := counting(30, tests, func(part string, _ int) bool { return part == "test" })
		o.Only, o.SkipBad, o.Limit, o.Seed = OnlyTest, skip, 12, 3
		d, train, _ := loadCounting(t, o, opened)
		o.Only = ""
		both, _, _ := loadCounting(t, o, opened)
		if diff := likeSet(both.Train, d.Train); diff != "" || train != 12 && !skip || len(d.Skipped) != tests {
			t.Errorf("%d test images: %s, %d opened, %d passed over", tests, diff, train, len(d.Skipped))
		}
	}
	// A limit of training images that nobody wants.
	for _, skip := range []bool{false, true} {
		o, opened := counting(30, 5, nil)
		o.Only, o.SkipBad, o.Limit = OnlyTest, skip, 12
		if d, train, _ := loadCounting(t, o, opened); d.Train.Len() != 12 || train != 0 || d.Test.Len() != 5 {
			t.Errorf("%d images, %d opened", d.Train.Len(), train)
		}
	}
}

// Where bad images are passed over, how many of all they are is the same whichever part is wanted of training images.
func TestOnlyTrainCountsAllThatIsBad(t *testing.T) {
	o, opened := counting(30, 10, func(_ string, k int) bool { return k%7 == 0 })
	o.SkipBad = true
	both, _, _ := loadCounting(t, o, opened)
	o.Only = OnlyTrain
	if d, _, _ := loadCounting(t, o, opened); fmt.Sprint(d.Skipped) != fmt.Sprint(both.Skipped) || d.Test.Len() != both.Test.Len() || likeSet(both.Train, d.Train) != "" {
		t.Errorf("%v, expected %v", d.Skipped, both.Skipped)
	}
}
