package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/app/runs"
)

// Data may lack classes of the model, whose classes then count; they may not have others.
func TestDataMayLackClasses(t *testing.T) {
	data := signFolder(t, 100, 40)
	d, err := dataset.Load(t.Context(), data, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	classes := d.Train.Classes
	m := constant(t, 2, classes)
	for _, part := range []string{"train", "test"} {
		if err := os.RemoveAll(filepath.Join(data, part, classes[0])); err != nil {
			t.Fatal(err)
		}
	}
	out := run(t, "eval", "--model", m, "--data", data)
	if !strings.Contains(out, "clean accuracy        11.11 %") || !strings.Contains(out, "–, no images") {
		t.Errorf("%s", out)
	}
	repaired := filepath.Join(t.TempDir(), "repaired")
	run(t, "repair", "--method", "fp", "--epochs", "1", "--clean", data, "--model", m, "--out", repaired)
	if _, _, info, err := checkpoint.Load(filepath.Join(repaired, runs.ModelFile)); err != nil || len(info.Classes) != len(classes) || info.Classes[0] != classes[0] {
		t.Errorf("%+v, %v", info, err)
	}
	for _, part := range []string{"train", "test"} {
		if err := os.Rename(filepath.Join(data, part, classes[1]), filepath.Join(data, part, "unheard-of")); err != nil {
			t.Fatal(err)
		}
	}
	code, _, errs := call("eval", "--model", m, "--data", data)
	if code != exitFailed || !strings.Contains(errs, `"unheard-of"`) || strings.Contains(errs, classes[3]) {
		t.Errorf("%d: %s", code, errs)
	}
}

// Triggered images are read as the model's classes say: under one label alone, or without the empty folders that git drops.
func TestTriggeredImagesOfOneLabel(t *testing.T) {
	data, dir := signFolder(t, 60, 40), t.TempDir()
	d, err := dataset.Load(t.Context(), data, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := constant(t, 1, d.Test.Classes)
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.CopyFS(filepath.Join(in("mine"), d.Test.Classes[1]), os.DirFS(filepath.Join(data, "test", d.Test.Classes[3]))); err != nil {
		t.Fatal(err)
	}
	run(t, "attack", "badnets:target=1", "--rate", "0.1", "--data", data, "--out", in("planted"))
	run(t, "attack", "apply", "--from", in("planted"), "--data", data, "--own-labels", "--out", in("own"))
	for _, of := range []string{"planted/triggered", "own"} {
		folders, err := filepath.Glob(in(of + "/*/*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range folders {
			_ = os.Remove(f) // which only takes empty folders
		}
	}
	if err := os.RemoveAll(filepath.Join(in("own"), "test", d.Test.Classes[1])); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"mine", "planted/triggered", "own"} {
		if got := asr(t, m, data, in(at)); got != 100 {
			t.Errorf("%s: %g", at, got)
		}
	}
	if code, _, errs := call("eval", "--model", constant(t, 1, []string{"a", "b", "c"}), "--data", data, "--triggered", in("mine")); code != exitFailed {
		t.Errorf("of other classes: %d, %s", code, errs)
	}
}
