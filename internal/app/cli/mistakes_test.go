package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset/signs"
)

func signClasses() []string { return signs.Render(1, 1, 1).Train.Classes }

// A poisoned copy of the data in place of its triggered images would give the clean accuracy as the attack success rate.
func TestAPoisonedCopyIsNoTriggeredImages(t *testing.T) {
	dir := t.TempDir()
	data, poisoned := signFolder(t, 60, 20), filepath.Join(dir, "poisoned")
	if code, _, errs := call("attack", "badnets", "--rate", "0.2", "--data", data, "--out", poisoned); code != exitDone {
		t.Fatalf("attack exits with %d: %s", code, errs)
	}
	model := newModel(t, 32, signClasses()...)
	for _, spec := range []string{poisoned, "folder:" + poisoned, poisoned + "/"} {
		code, out, errs := call("eval", "--model", model, "--data", data, "--triggered", spec)
		if code != exitFailed || out != "" || !strings.Contains(errs, "give --triggered "+filepath.Join(poisoned, "triggered")) {
			t.Errorf("--triggered %s: %d, %s%s", spec, code, out, errs)
		}
	}
	if code, out, errs := call("eval", "--model", model, "--data", data, "--triggered", filepath.Join(poisoned, "triggered")); code != exitDone || !strings.Contains(out, "attack success rate") {
		t.Errorf("the triggered images: %d, %s%s", code, out, errs)
	}
	apply := []string{"attack", "apply", "--from", poisoned, "--data", data}
	if code, _, errs := call(append(apply, "--out", filepath.Join(dir, "more"))...); code != exitDone {
		t.Fatalf("attack apply exits with %d: %s", code, errs)
	}
	if code, out, errs := call("eval", "--model", model, "--data", data, "--triggered", filepath.Join(dir, "more")); code != exitDone || !strings.Contains(out, "attack success rate") {
		t.Errorf("what attack apply wrote: %d, %s%s", code, out, errs)
	}
}

// Data are read at the size of the model's images: another --size would be passed over.
func TestAnotherSizeThanTheModelsIsRefused(t *testing.T) {
	data, out := signFolder(t, 60, 20), filepath.Join(t.TempDir(), "out")
	model := newModel(t, 32, signClasses()...)
	for _, args := range [][]string{
		{"eval", "--model", model, "--data", data},
		{"repair", "--method", "fp", "--model", model, "--clean", data, "--out", out},
		{"unlearn", "--suspects", "x.csv", "--model", model, "--data", data, "--out", out},
	} {
		code, _, errs := call(append(args, "--size", "48")...)
		if code != exitUsage || !strings.Contains(errs, "--size 48: the model takes images of 32×32") {
			t.Errorf("%v: %d, %s", args, code, errs)
		}
	}
	if code, _, errs := call("eval", "--model", model, "--data", data, "--size", "32"); code != exitDone {
		t.Errorf("--size 32: %d, %s", code, errs)
	}
}
