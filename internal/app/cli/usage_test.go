package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// misused calls the program, which has to exit with 2 and a line.
func misused(t *testing.T, args []string) {
	t.Helper()
	code, _, errs := call(args...)
	if code != exitUsage {
		t.Errorf("%v exits with %d: %s", args, code, errs)
	}
	if strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "unpoison: ") {
		t.Errorf("%v: expected one line, got %q", args, errs)
	}
}

// Numbers that would wrap, or take forever, are refused.
func TestHugeNumbersAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"train", "--data", "x", "--out", "y", "--epochs-tune", "1100000000000000000"},
		{"train", "--data", "x", "--out", "y", "--defense", "abl", "--epochs-isolate", "1100000000000000000"},
		{"train", "--data", "x", "--out", "y", "--defense", "abl", "--epochs-unlearn", "1e300"},
		{"train", "--data", "x", "--out", "y", "--defense", "abl", "--unlearn-steps", "9000000000000000000"},
		{"train", "--data", "x", "--out", "y", "--epochs-content", "1100000000000000000"},
		{"train", "--data", "x", "--out", "y", "--batch", "9000000000000000000"},
		{"audit", "--data", "x", "--out", "y", "--epochs-inspect", "1100000000000000000"},
		{"repair", "--clean", "x", "--out", "y", "--model", "m", "--method", "nad", "--epochs", "1100000000000000000"},
		{"unlearn", "--data", "x", "--out", "y", "--model", "m", "--suspects", "s", "--method", "ft-all", "--tune-epochs", "1100000000000000000"},
		{"unlearn", "--data", "x", "--out", "y", "--model", "m", "--suspects", "s", "--method", "retrain", "--scratch-epochs", "1100000000000000000"},
		{"attack", "badnets:patch_size=9000000000000000000", "--data", "x", "--out", "y"},
		{"attack", "trojan:steps=9000000000000000000", "--data", "x", "--out", "y"},
		{"attack", "dynamic:epochs=9000000000000000000", "--data", "x", "--out", "y"},
	} {
		misused(t, args)
	}
}

func TestUsageErrorsExitWith2(t *testing.T) {
	for _, args := range [][]string{
		{"train"},
		{"train", "--out", "x"},
		{"nonsense"},
		{"data", "inof", "x"},
		{"experiment", "papr", "cifar10"},
		{"experiment", "detect", "tabel"},
		{"train", "--no-such-flag"},
		{"version", "extra"},
		{"train", "--data", "x", "--out", "y", "--attack", "nope"},
		{"train", "--data", "x", "--out", "y", "--defense", "nope"},
		{"train", "--data", "x", "--out", "y", "--unlearn-steps", "5"},
		{"train", "--data", "x", "--out", "y", "--recipe", "paper", "--epochs-content", "1"},
		{"train", "--data", "x", "--out", "y", "--model", "nope"},
		{"train", "--data", "x", "--out", "y", "--recipe", "nope"},
		{"attack"},
		{"bench", "--batch", "0"},
		{"demo", "--engine", "nope"},
		{"eval"},
		{"unlearn"},
		{"audit"},
		{"features", "--data", "x", "--out", "f.npy"},
		{"features", "--data", "x", "--backbone", "n.onnx", "--out", "f.csv"},
		{"features", "--data", "x", "--backbone", "n.onnx", "--out", "f.npy", "--pool", "max"},
		{"features", "--data", "x", "--backbone", "n.onnx", "--out", "f.npy", "--normalize", "0.5"},
		{"features", "--data", "x", "--backbone", "../features/testdata/resnet.onnx", "--out", "f.npy", "--size", "64"},
		// Before the data are read:
		{"train", "--data", "x", "--out", "y", "--defense", "abl", "--epochs-isolate", "-1"},
		{"train", "--data", "x", "--out", "y", "--epochs-tune", "-1"},
		{"train", "--data", "x", "--out", "y", "--defense", "none", "--epochs-tune", "0"},
		{"train", "--data", "x", "--out", "y", "--defense", "abl", "--unlearn-steps", "0"},
		{"repair", "--clean", "x", "--out", "y", "--model", "m", "--method", "nad", "--epochs", "0"},
		{"unlearn", "--data", "x", "--out", "y", "--model", "m", "--suspects", "s", "--steps", "0"},
		{"unlearn", "--data", "x", "--out", "y", "--model", "m", "--suspects", "s", "--method", "ft-all", "--tune-epochs", "0"},
		{"train", "--data", "x", "--out", "y", "--rate-tune", "NaN"},
		{"train", "--data", "x", "--out", "y", "--attack", "badnets", "--rate", "1"},
		{"train", "--data", "signs", "--out", "y", "--limit", "-1"},
		{"train", "--data", "signs", "--out", "y", "--size", "100000"},
		{"audit", "--data", "signs", "--out", "y", "--label", "z"},
		{"data", "info", "signs", "--store", "z"},
		{"audit", "--data", "x", "--out", "y", "--epochs-inspect", "-1"},
		{"attack", "dynamic:epochs=-1", "--data", "x", "--out", "y"},
		{"unlearn", "--data", "x", "--out", "y", "--model", "m", "--suspects", "s", "--rate", "0"},
		{"unlearn", "--data", "x", "--out", "y", "--model", "m", "--suspects", "s", "--mode", "none"},
		{"experiment", "auto", "photos", "--photos", "x", "--out", "y", "--jobs", "0"},
		{"experiment", "auto", "photos", "--photos", "x", "--out", "y", "--budget", "-1h"},
		{"experiment", "verdict", "--model", "nope", "--out", "y"},
		{"experiment", "run", "x", "--out", "y", "--shard", "9/3"},
		{"experiment", "run", "x", "--out", "y", "--shard", "1/3", "--cell", "c"},
		{"experiment", "join", "--out", "y"},
		{"experiment", "join", "x"},
		{"predict", "--model", "m", "--top", "0", "x.png"},
		{"repair", "--clean", "x", "--out", "y", "--model", "m", "--method", "fp", "--tolerance", "2"},
		// What would be passed over:
		{"repair", "--clean", "x", "--out", "y", "--model", "m", "--method", "fp", "--beta", "2"},
		{"repair", "--clean", "x", "--out", "y", "--model", "m", "--method", "nad", "--tolerance", "0.1"},
		{"unlearn", "--data", "x", "--out", "y", "--model", "m", "--suspects", "s", "--tune-epochs", "2"},
		{"unlearn", "--data", "x", "--out", "y", "--model", "m", "--suspects", "s", "--method", "ft-all", "--steps", "2"},
		{"unlearn", "--data", "x", "--out", "y", "--model", "m", "--suspects", "s", "--method", "ft-all", "--pretrained", "p"},
		{"unlearn", "--data", "x", "--out", "y", "--model", "m", "--suspects", "s", "--method", "retrain", "--tune-rate", "1"},
		{"experiment", "auto", "gap", "--scale", "quick", "--limit", "200", "--out", "y"},
		{"train", "--data", "x", "--out", "y", "--rate", "0.2"},
		{"train", "--data", "x", "--out", "y", "--target", "1"},
		{"train", "--data", "x", "--out", "y", "--cache", "z"},
	} {
		misused(t, args)
	}
}

func TestWhatThereIsNotIsNamed(t *testing.T) {
	if code, _, errs := call("experiment", "auto", "photos", "--cell", "nope", "--out", "x"); code != exitUsage || !strings.Contains(errs, "badnets.auto.0, badnets.before.0, blend.auto.0") {
		t.Errorf("no such cell: %d, %s", code, errs)
	}
	if code, _, errs := call("train", "--data", "no-such-folder", "--out", filepath.Join(t.TempDir(), "x")); code != exitFailed || !strings.Contains(errs, "no-such-folder") {
		t.Errorf("missing data: %d, %s", code, errs)
	}
}

// Who interrupts is told how to go on, where one can; the images are looked through before there is anything to save.
func TestInterruptedTellsHowToGoOn(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	out := filepath.Join(t.TempDir(), "out")
	for want, args := range map[string][]string{
		"unpoison: interrupted before anything was saved\n":           {"train", "--defense", "abl", "--data", "signs", "--limit", "100", "--out", out},
		"unpoison: interrupted; the same command goes on from here\n": {"experiment", "auto", "photos", "--photos", "x", "--out", out},
		"unpoison: interrupted\n":                                     {"demo", "--out", out + "2"},
	} {
		var o, e bytes.Buffer
		if code := (&app{out: &o, err: &e, args: args}).run(ctx); code != exitInterrupted || e.String() != want {
			t.Errorf("%v: %d, %q, expected %q", args, code, e.String(), want)
		}
	}
}

// A demo takes the place of an earlier one, and of nothing else.
func TestDemoRemovesOnlyDemos(t *testing.T) {
	out := t.TempDir()
	put := func(name string) {
		t.Helper()
		path := filepath.Join(out, name)
		testfile.Write(t, path, "")
	}
	left := func() int {
		entries, err := os.ReadDir(out)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	put("clean/" + runs.LogFile) // interrupted in its first run
	if err := clearDemo(out); err != nil || left() != 0 {
		t.Errorf("an interrupted demo stays: %v", err)
	}
	put("demo.html")
	put("clean/photo.png")
	if err := clearDemo(out); err == nil || !strings.Contains(err.Error(), "(clean)") || left() != 2 {
		t.Errorf("a folder of images: %v, %d left", err, left())
	}
	if err := clearDemo(filepath.Join(out, "missing")); err != nil {
		t.Error(err)
	}
	for command, gone := range map[string]bool{
		"unpoison --threads 2 demo --out x": true, "unpoison train --recipe demo --out x/auto": false, "": false,
	} {
		out = t.TempDir()
		put("auto/" + runs.LogFile)
		if command != "" {
			testfile.Write(t, filepath.Join(out, "auto", runs.ResultFile), `{"command": "`+command+`"}`)
		}
		if err := clearDemo(out); (err == nil) != gone || (left() == 0) != gone {
			t.Errorf("a run of %q: %v, %d left", command, err, left())
		}
	}
}
