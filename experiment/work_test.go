package experiment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/model"
)

// A cell that fails stops no other: what builds on it is left out, and all errors come at the end.
func TestAFailedCellStopsNoOther(t *testing.T) {
	g := small()
	g.Attacks, g.Defenses, g.Seeds = []string{"none"}, []string{"none", "fp:epochs=1", "abl"}, []uint64{0}
	for _, jobs := range []int{1, 2} {
		r := runner(t, g, filepath.Join(t.TempDir(), "small"))
		r.Jobs = jobs
		said := make(chan string, 20)
		r.Say = func(format string, args ...any) { said <- fmt.Sprintf(format, args...) }
		for _, name := range []string{"none.none.0", "none.abl.0"} { // files where their folders would be
			testfile.Write(t, filepath.Join(r.Folder, "cells", name), "")
		}
		err := r.Run(context.Background())
		if err == nil || !strings.Contains(err.Error(), "cell none.none.0") || !strings.Contains(err.Error(), "cell none.abl.0") || strings.Contains(err.Error(), "fp") {
			t.Errorf("%d jobs: %v", jobs, err)
		}
		close(said)
		left := 0
		for line := range said {
			if strings.HasPrefix(line, "none.fp-epochs1.0 ") && strings.Contains(line, "left out: none.none.0 failed") {
				left++
			}
		}
		if left != 1 {
			t.Errorf("%d jobs: it was said %d times that a cell is left out", jobs, left)
		}
	}
}

// What went wrong beside an interrupt is not lost.
func TestErrorsBesideAnInterruptAreKept(t *testing.T) {
	full := &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	for _, err := range []error{
		errors.Join(context.Canceled, full),
		fmt.Errorf("training: %w", errors.Join(errors.Join(errBudget, full), context.DeadlineExceeded)),
		full,
	} {
		if got := Beside(err, errBudget); !errors.Is(got, syscall.ENOSPC) || errors.Is(got, context.Canceled) || errors.Is(got, errBudget) {
			t.Errorf("beside %v: %v", err, got)
		}
	}
	for _, err := range []error{nil, context.Canceled, fmt.Errorf("x: %w", errBudget), errors.Join(context.Canceled, context.DeadlineExceeded)} {
		if got := Beside(err, errBudget); got != nil {
			t.Errorf("beside %v: %v", err, got)
		}
	}
}

// A runner that is only read from, as Saved returns it, tells nobody.
func TestNobodyHasToListen(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := dataset.Write("folder", data, signs.Render(1, 120, 20)); err != nil {
		t.Fatal(err)
	}
	if err := (&Runner{Grid: &Grid{Data: data}}).load(context.Background()); err != nil {
		t.Error(err)
	}
}

// Images are planted once more with what the cells had, and not after an interrupt.
func TestPlantsAsTheCellsDid(t *testing.T) {
	r := runner(t, small(), t.TempDir())
	if err := r.load(context.Background()); err != nil {
		t.Fatal(err)
	}
	all, err := r.attacks("lba", 0)
	if err != nil || !all[0].Surrogate().NoFlip {
		t.Errorf("signs are mirrored: %v", err)
	}
	for list, want := range map[string]bool{"": false, "flip=false": true} {
		other := &Runner{Grid: &Grid{Settings: list}, data: &dataset.Data{Layout: "folder"}}
		if all, err = other.attacks("lba", 0); err != nil || all[0].Surrogate().NoFlip != want {
			t.Errorf("settings %q: an attacker's network learns without flipped images: %v, expected %v (%v)", list, !want, want, err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, _, err := r.planted(ctx, "badnets"); !errors.Is(err, context.Canceled) {
		t.Errorf("after an interrupt: %v", err)
	}
}

// A grid's own folder takes it again, whatever is empty in it.
func TestEmptyMapsAreNone(t *testing.T) {
	folder, path := filepath.Join(t.TempDir(), "g"), filepath.Join(t.TempDir(), "grid.yaml")
	testfile.Write(t, path, "name: g\ndata: signs\nattacks: [none]\ndefenses: [none]\nplain_for: {}\nseeds_for: {}\n")
	for range 2 {
		g, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := runner(t, g, folder).openFolder(); err != nil {
			t.Error(err)
		}
	}
}

// Which class is the rarest depends on the seed: that experiment takes the first alone.
func TestTheRarestClassIsOneSeeds(t *testing.T) {
	g, err := Auto("small-class", Data{}, true, []uint64{3, 4})
	if err != nil || !slices.Equal(g.Seeds, []uint64{3}) {
		t.Errorf("of two seeds: %+v, %v", g, err)
	}
}

// What a killed copy left goes with the next one.
func TestLeftCopiesAreRemoved(t *testing.T) {
	dir := t.TempDir()
	from, cells := filepath.Join(dir, "from"), filepath.Join(dir, "cells")
	for _, d := range []string{from, filepath.Join(cells, ".a.none.0.123.partial")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	testfile.Write(t, filepath.Join(from, runs.ResultFile), "{}")
	if err := copyFolder(from, filepath.Join(cells, "a.none.0")); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(cells); err != nil || len(left) != 1 || left[0].Name() != "a.none.0" {
		t.Errorf("left: %v, %v", left, err)
	}
}

// A result that was cut short, or says nothing, is no result: the cell is missing, and the file named.
func TestDamagedResultsAreMadeAgain(t *testing.T) {
	g := &Grid{Name: "g", Data: "signs", Attacks: []string{"none"}, Defenses: []string{"none"}, Seeds: []uint64{0, 1, 2, 3}}
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	var said []string
	r := &Runner{Grid: g, Folder: t.TempDir(), Shard: Shard{1, 1}, Say: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }}
	cells := g.Cells()
	for k, text := range []string{`{"version":"0.2","ca":90}`, "", `{"version":"0.2","ca"`, "{}"} {
		if err := os.MkdirAll(r.folder(cells[k]), 0o755); err != nil {
			t.Fatal(err)
		}
		testfile.Write(t, filepath.Join(r.folder(cells[k]), runs.ResultFile), text)
	}
	if missing := r.missing(cells); !slices.Equal(missing, cells[1:]) {
		t.Errorf("missing: %v", missing)
	}
	r.sayUnfinished(cells)
	for k, c := range cells {
		made := false
		if err := r.once(context.Background(), r.folder(c), func(context.Context) error { made = true; return nil }); err == nil && k > 0 != made {
			t.Errorf("cell %d: made %v", k, made)
		}
		if path := filepath.Join(r.folder(c), runs.ResultFile); (r.result(c) == nil) != (k > 0) || strings.Contains(strings.Join(said, "\n"), path) != (k > 0) {
			t.Errorf("cell %d: %q", k, said)
		}
	}
}

// finishedFolder writes the folder of a grid in which one cell is finished.
func finishedFolder(t *testing.T, path, cell, origin string) string {
	t.Helper()
	for file, text := range map[string]string{
		gridFile: "name: g\ndata: signs\nvary: [\"\", limit=50]\nattacks: [none, badnets]\ndefenses: [none]\n",
		filepath.Join("cells", cell, runs.ResultFile): fmt.Sprintf(`{"version":"0.2","data":{"origin":%q}}`, origin),
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(path, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		testfile.Write(t, filepath.Join(path, file), text)
	}
	return path
}

// A cell that is being made is left alone, and what was begun and left makes room.
func TestJoinLeavesRunningCells(t *testing.T) {
	dir := t.TempDir()
	from := finishedFolder(t, filepath.Join(dir, "from"), "none.none.0", "sha256:1")
	r := runner(t, nil, filepath.Join(dir, "to"))
	var said []string
	r.Say = func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	begun := filepath.Join(r.Folder, "cells", "none.none.0", "begun")
	if err := os.MkdirAll(begun, 0o755); err != nil {
		t.Fatal(err)
	}
	unlock, err := atomicfile.Lock(filepath.Dir(begun))
	if err != nil {
		t.Fatal(err)
	}
	if n, _, err := r.Join([]string{from}); n != 0 || err != nil || len(said) != 1 || !strings.Contains(said[0], atomicfile.ErrLocked.Error()) {
		t.Errorf("%d cells, %q: %v", n, said, err)
	}
	if _, err := os.Stat(begun); err != nil {
		t.Errorf("a running cell was replaced: %v", err)
	}
	unlock()
	if n, _, err := r.Join([]string{from}); n != 1 || err != nil {
		t.Errorf("%d cells: %v", n, err)
	}
	if _, err := os.Stat(begun); !os.IsNotExist(err) {
		t.Errorf("a run that was begun is still there: %v", err)
	}
}

// Cells that were run on other images are not joined.
func TestJoinRefusesOtherData(t *testing.T) {
	dir := t.TempDir()
	folder := func(name, cell, origin string) string {
		return finishedFolder(t, filepath.Join(dir, name), cell, origin)
	}
	a, b := folder("a", "none.none.0", "sha256:1"), folder("b", "limit50.none.none.0", "sha256:1")
	old, other := folder("old", "badnets.none.0", ""), folder("other", "limit50.badnets.none.0", "sha256:2")
	to := filepath.Join(dir, "to")
	if n, _, err := runner(t, nil, to).Join([]string{a, b, old}); n != 3 || err != nil {
		t.Errorf("%d cells of the same data: %v", n, err)
	}
	_, _, err := runner(t, nil, to).Join([]string{other})
	if err == nil || !strings.Contains(err.Error(), to) || !strings.Contains(err.Error(), other) {
		t.Errorf("of other data than what is there: %v", err)
	}
	fresh := filepath.Join(dir, "fresh")
	_, _, err = runner(t, nil, fresh).Join([]string{a, other})
	if err == nil || !strings.Contains(err.Error(), a) || !strings.Contains(err.Error(), other) {
		t.Errorf("of two data: %v", err)
	}
	if _, err := os.Stat(fresh); !os.IsNotExist(err) {
		t.Error("something was joined all the same")
	}
}

// A cell that started from another network than the grid's file holds now is not taken for one of it.
func TestPretrainedNetworksOfAFile(t *testing.T) {
	dir := t.TempDir()
	g := &Grid{
		Name: "x", Data: "signs", Limit: 100, Test: 20, Model: "small-cnn", Attacks: []string{"badnets"}, Defenses: []string{"unlearn:ft-pretrained"},
		Pretrain: filepath.Join(dir, "model.safetensors"), Settings: "tune_epochs=1,isolate_epochs=1,isolate_most=1,unlearn=none,batch=32",
	}
	n, err := model.New("small-cnn", 3, signs.Side, signs.Side)
	if err != nil {
		t.Fatal(err)
	}
	for seed, want := range []string{"", "started from another network than lies in " + g.Pretrain} {
		if err := checkpoint.Save(g.Pretrain, n.Init(uint64(seed)), checkpoint.Info{Arch: n.Arch, Classes: []string{"a", "b", "c"}, Height: signs.Side, Width: signs.Side}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := runner(t, g, filepath.Join(dir, "x")).Run(context.Background()); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("network %d: %v", seed, err)
			}
		}
	}
}

// Of a file whose network learnt from images that were normalised, the grid says so, once.
func TestPretrainedOnNormalisedImages(t *testing.T) {
	file := filepath.Join(t.TempDir(), "model.safetensors")
	n, err := model.New("small-cnn", 3, signs.Side, signs.Side)
	if err != nil {
		t.Fatal(err)
	}
	for _, norm := range []*model.Normalize{nil, {Std: [3]float32{1, 1, 2}}} {
		if err := checkpoint.Save(file, n.Init(1), checkpoint.Info{Arch: n.Arch, Classes: []string{"a", "b", "c"}, Height: signs.Side, Width: signs.Side, Normalize: norm}); err != nil {
			t.Fatal(err)
		}
		said := 0
		r := &Runner{Grid: &Grid{Pretrain: file}, Say: func(string, ...any) { said++ }}
		for range 2 {
			if _, _, err := r.pretrained(context.Background(), runs.Spec{}); err != nil {
				t.Fatal(err)
			}
		}
		if (said == 1) != (norm != nil) || said > 1 {
			t.Errorf("%v is said %d times", norm, said)
		}
	}
}

// The network that was trained on other data is the same, whichever cell needs it first.
func TestPretrainedNetworksAreOne(t *testing.T) {
	g := &Grid{Name: "x", Data: "signs", Limit: 200, Test: 20, Model: "small-cnn", Attacks: []string{"badnets"}, Defenses: []string{"unlearn:ft-pretrained"}, Settings: "tune_epochs=1"}
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	var networks []model.State
	for _, images := range []int{200, 20_000} { // of a cell's data
		r := runner(t, g, t.TempDir())
		if err := r.open(context.Background()); err != nil {
			t.Fatal(err)
		}
		o, err := g.options("badnets", g.Defenses[0], 0, images)
		if err != nil {
			t.Fatal(err)
		}
		state, _, err := r.pretrained(context.Background(), runs.Spec{Options: o, Backend: r.Backend})
		if err != nil {
			t.Fatal(err)
		}
		networks = append(networks, state)
	}
	if !reflect.DeepEqual(networks[0], networks[1]) {
		t.Error("two networks")
	}
}
