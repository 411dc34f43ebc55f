package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// Images that their layout has no room for at the asked size are written as a folder a class.
func TestAttackWritesOtherSizes(t *testing.T) {
	data, out := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "out")
	if err := dataset.Write("cifar10", data, signs.Render(1, 60, 10)); err != nil {
		t.Fatal(err)
	}
	if code, text, errs := call("attack", "badnets", "--data", "cifar10:"+data, "--size", "48", "--out", out); code != exitDone {
		t.Fatalf("%d: %s%s", code, text, errs)
	}
	d, err := dataset.Load(context.Background(), out, dataset.Options{})
	if err != nil || d.Layout != "folder" || d.Train.Height != 48 || d.Train.Len() != 60 {
		t.Errorf("%+v, %v", d, err)
	}
}

// CIFAR-100's coarse labels are not read, and what becomes of them is said.
func TestCoarseLabelsAreSaid(t *testing.T) {
	for _, layout := range []string{"cifar10", "cifar100"} {
		dir := t.TempDir()
		data, out := filepath.Join(dir, "data"), filepath.Join(dir, "out")
		if err := dataset.Write(layout, data, signs.Render(1, 60, 20)); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"badnets", "--out", out}, {"apply", "--from", out, "--out", filepath.Join(dir, "applied")}} {
			if code, _, errs := call(append([]string{"attack", "--data", data}, args...)...); code != exitDone || strings.Contains(errs, "the coarse labels are all 0") != (layout == "cifar100") {
				t.Errorf("%s, %v: %d, %s", layout, args, code, errs)
			}
		}
	}
}

// Fewer covering images than were asked for are said.
func TestFewerCoversAreSaid(t *testing.T) {
	data := signFolder(t, 60, 20)
	for cover, want := range map[string]int{"0.1": exitDone, "0.95": exitFailed} {
		out := filepath.Join(t.TempDir(), "out")
		code, _, errs := call("attack", "badnets:cover="+cover, "--data", data, "--out", out)
		_, err := os.Stat(out)
		if code != want || (want == exitDone) != (err == nil) || strings.Contains(errs, "cover 0.95 needs 57 images") != (want != exitDone) {
			t.Errorf("cover=%s: %d, %v, %s", cover, code, err, errs)
		}
	}
}

// Where no test image is of a class that the attack aims at, that is said, and no empty folder is left.
func TestAttacksThatNothingMeasures(t *testing.T) {
	data, dir := signFolder(t, 80, 20), t.TempDir()
	d, err := dataset.Load(context.Background(), data, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range d.Train.Classes[1:] {
		if err := os.RemoveAll(filepath.Join(data, "test", class)); err != nil {
			t.Fatal(err)
		}
	}
	planted := filepath.Join(dir, "planted")
	const said = "nothing to measure its success on"
	code, text, errs := call("attack", "badnets", "--data", data, "--out", planted)
	if _, err := os.Stat(filepath.Join(planted, triggeredFolder)); code != exitDone || !strings.Contains(errs, said) || err == nil {
		t.Errorf("%d, %s%s, triggered: %v", code, text, errs, err)
	}
	applied := filepath.Join(dir, "applied")
	code, text, errs = call("attack", "apply", "--from", planted, "--data", data, "--out", applied)
	if _, err := os.Stat(applied); code != exitFailed || !strings.Contains(errs, said) || err == nil {
		t.Errorf("apply: %d, %s%s, %v", code, text, errs, err)
	}
	code, text, errs = call("train", "--defense", "none", "--epochs-tune", "1", "--model", "small-cnn", "--batch", "32", "--data", data, "--attack", "badnets", "--out", filepath.Join(dir, "run"))
	if code != exitDone || !strings.Contains(text, said) {
		t.Errorf("train: %d, %s%s", code, text, errs)
	}
	if err := os.RemoveAll(filepath.Join(data, "test")); err != nil {
		t.Fatal(err)
	}
	if code, _, errs = call("attack", "badnets", "--data", data, "--out", filepath.Join(dir, "again")); code != exitDone || !strings.Contains(errs, "no test images") {
		t.Errorf("without test images: %d, %s", code, errs)
	}
}

// Classes that the data don't have are a wrong setting, as a negative one is; what small images have no measure of is not made up.
func TestAttacksFitTheData(t *testing.T) {
	data := signFolder(t, 60, 20)
	for _, args := range [][]string{
		{"attack", "badnets", "--target", "-1"},
		{"attack", "badnets", "--target", "10"},
		{"attack", "badnets:targets=11"},
		{"attack", "badnets:targets=10"},
		{"attack", "tact:source=10"},
		{"attack", "cba:class_a=10"},
		{"train", "--attack", "badnets", "--target", "10"},
	} {
		code, _, errs := call(append(args, "--data", data, "--out", filepath.Join(t.TempDir(), "out"))...)
		if code != exitUsage || strings.Contains(errs, "0.000") {
			t.Errorf("%v: %d, %s", args, code, errs)
		}
	}
	for size, measured := range map[string]bool{"2": false, "32": true} {
		for _, more := range []string{"--json=false", "--json"} {
			code, text, errs := call("attack", "badnets", "--data", data, "--size", size, "--out", filepath.Join(t.TempDir(), "out"), more)
			if code != exitDone || strings.Contains(text, "SSIM 0.") != (measured && more != "--json") || strings.Contains(text, `"ssim"`) != (measured && more == "--json") ||
				strings.Contains(text, "SSIM not measured") != (!measured && more != "--json") {
				t.Errorf("size %s: %d, %s%s", size, code, text, errs)
			}
		}
	}
}

// A folder that is to be cleaned has to be there, if it was named.
func TestCleanedFoldersAreThere(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", filepath.Join(t.TempDir(), "none"))
	t.Setenv("HOME", t.TempDir())
	if code, text, errs := call("data", "clean"); code != exitDone || !strings.Contains(text, "0 files removed, 0 bytes") {
		t.Errorf("no cache: %d, %s%s", code, text, errs)
	}
	for _, dir := range []string{filepath.Join(t.TempDir(), "typo"), ""} {
		if code, _, errs := call("data", "clean", "--store", dir); code != exitFailed || !strings.Contains(errs, "there is no such folder") {
			t.Errorf("%q: %d, %s", dir, code, errs)
		}
	}
}

// The list of what an attack changed finds these images in the copy that it wrote, in whatever order that is read, and in no other data.
func TestThePoisonListIsOfItsData(t *testing.T) {
	for _, layout := range []string{"cifar10", "folder"} {
		dir := t.TempDir()
		data, out, list := filepath.Join(dir, "data"), filepath.Join(dir, "out"), filepath.Join(dir, "out", poisonFile)
		if err := dataset.Write(layout, data, signs.Render(1, 60, 10)); err != nil {
			t.Fatal(err)
		}
		if code, _, errs := call("attack", "badnets", "--rate", "0.1", "--target", "3", "--data", data, "--out", out); code != exitDone {
			t.Fatal(errs)
		}
		filtered := func(data string, more ...string) (code int, out, errs string) {
			return call(append([]string{"data", "filter", "--list", "-", "--suspects", list, "--data", data}, more...)...)
		}
		if code, _, errs := filtered(out); code != exitDone || !strings.Contains(errs, "54 of 60 training images kept") {
			t.Errorf("%s: %d, %s", layout, code, errs)
		}
		for _, more := range []string{"--by-index=false", "--by-index"} { // as the clean data are, of as many images
			if code, _, errs := filtered(data, more); code != exitFailed || !strings.Contains(errs, "does not fit the data") || !strings.Contains(errs, list) {
				t.Errorf("%s, %s: %d, %s", layout, more, code, errs)
			}
		}
		if code, _, errs := filtered(out, "--by-index"); (code == exitDone) != (layout == "cifar10") || strings.Contains(errs, "without a digest") {
			t.Errorf("%s by index: %d, %s", layout, code, errs)
		}
		raw, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		var old strings.Builder // as earlier versions wrote it
		for line := range strings.Lines(string(raw)) {
			old.WriteString(line[:strings.LastIndex(line, ",")] + "\n")
		}
		testfile.Write(t, list, old.String())
		if code, _, errs := filtered(out, "--by-index"); code != exitDone || !strings.Contains(errs, "without a digest: nothing tells whether they are of these data") {
			t.Errorf("%s, an old list: %d, %s", layout, code, errs)
		}
	}
}
