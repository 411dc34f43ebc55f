package dataset

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// What a writer is at work on stays, whoever cleans or writes meanwhile; what one left that was killed goes.
func TestWritersOfOneStore(t *testing.T) {
	dir, o := mixedFolder(t), Options{SkipBad: true, Store: t.TempDir()}
	w, err := newDecodedWriter(o.Store, decodedHead{Height: 1, Width: 1})
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(o.Store, ".decoded.7.partial"), []byte("killed"))
	var sets [3]*Data
	var errs [3]error
	var wg sync.WaitGroup
	for k := range sets {
		wg.Go(func() { sets[k], errs[k] = Load(context.Background(), dir, o) })
	}
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	for _, d := range sets[1:] {
		if diff := likeSet(sets[0].Train, d.Train); diff != "" {
			t.Error(diff)
		}
	}
	names := kept(t, o.Store)
	if slices.Contains(names, ".decoded.7.partial") || len(names) != 2 || !slices.Contains(names, filepath.Base(w.file.Name())) {
		t.Errorf("in the store are %q", names)
	}
	if files, _, err := CleanStore(o.Store); files != 1 || err != nil {
		t.Errorf("%d files removed, %v", files, err)
	}
	path, err := w.finish(0)
	if err != nil {
		t.Errorf("cleaning took what was being written: %v", err)
	}
	for _, want := range []int{0, 1} { // its writer has yet to open it, or is done
		if files, _, err := CleanStore(o.Store); files != want || err != nil {
			t.Errorf("%s: %d files removed, expected %d, %v", path, files, want, err)
		}
		w.drop()
	}
}

// Many that begin at once, each of which looks for what others left, all end up with a file of their own.
func TestWritersBeginAtOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				w, err := newDecodedWriter(dir, decodedHead{Height: 1, Width: 1})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := os.Stat(w.file.Name()); err != nil {
					t.Error(err)
				}
				w.drop()
			}
		})
	}
	wg.Wait()
	if names := kept(t, dir); len(names) != 0 {
		t.Errorf("%q are left", names)
	}
}

func TestStoreIsNoData(t *testing.T) {
	dir := mixedFolder(t)
	for _, store := range []string{dir, filepath.Join(dir, "store"), filepath.Join(dir, "a", "b", "c")} {
		if _, err := Load(context.Background(), dir, Options{SkipBad: true, Store: store}); err == nil || !strings.Contains(err.Error(), "lies in the data") {
			t.Errorf("%s: %v", store, err)
		}
	}
	if names := kept(t, dir); !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("%q", names)
	}
	file := filepath.Join(t.TempDir(), "f")
	put(t, file, nil)
	if _, err := Load(context.Background(), dir, Options{SkipBad: true, Store: file}); err == nil || !strings.Contains(err.Error(), "store "+file) {
		t.Error(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}
