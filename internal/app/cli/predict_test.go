package cli

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// noisyImages are n PNG files that all differ.
func noisyImages(t *testing.T, n, side int) (files []string) {
	t.Helper()
	dir := t.TempDir()
	for k := range n {
		img := image.NewNRGBA(image.Rect(0, 0, side, side))
		for p := range side * side {
			img.Set(p%side, p/side, color.NRGBA{uint8(p*k + k), uint8(p * 7), uint8(k * 3), 255})
		}
		path := filepath.Join(dir, fmt.Sprint(k, ".png"))
		f, err := os.Create(path)
		if err == nil {
			err = png.Encode(f, img)
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	return files
}

// Files that can't be read are named, and the others have the predictions that each has alone, in their order.
func TestPredictPassesOverBadFiles(t *testing.T) {
	good, file := noisyImages(t, 140, 16), newModel(t, 16, "cat", "dog", "eel")
	predict := func(files ...string) (code int, out, errs string) {
		return call(append([]string{"predict", "--model", file, "--json"}, files...)...)
	}
	code, all, errs := predict(good...)
	if lines := strings.SplitAfter(all, "\n"); code != exitDone || errs != "" || len(lines) != len(good)+1 {
		t.Fatalf("%d, %d lines, %s", code, len(lines), errs)
	}
	for k, line := range strings.Split(strings.TrimSpace(all), "\n") {
		if !strings.Contains(line, fmt.Sprintf("%q", good[k])) {
			t.Fatalf("line %d is %s", k, line)
		}
		if k%23 == 0 {
			if _, alone, _ := predict(good[k]); alone != line+"\n" {
				t.Errorf("image %d alone is %s, among others %s", k, alone, line)
			}
		}
	}
	damaged := filepath.Join(t.TempDir(), "damaged.png")
	testfile.Write(t, damaged, "\x89PNG")
	mixed := append([]string{"missing.png"}, good...)
	mixed = append(mixed[:9:9], append([]string{damaged}, mixed[9:]...)...)
	code, out, errs := predict(mixed...)
	if code != exitFailed || out != all {
		t.Errorf("%d, other predictions: %t", code, out != all)
	}
	for _, want := range []string{"unpoison: missing.png: ", "unpoison: " + damaged + ": expected a readable image", "2 of 142 files have no prediction"} {
		if !strings.Contains(errs, want) {
			t.Errorf("%q is not in %s", want, errs)
		}
	}
	if code, out, errs := predict(damaged); code != exitFailed || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, damaged) {
		t.Errorf("a bad file alone: %d, %s%s", code, out, errs)
	}
}

// Predictions are printed while files are still read, so that few images lie in memory.
func TestPredictHoldsFewImages(t *testing.T) {
	const side = 224
	images, file := noisyImages(t, 2, side), newModel(t, side, "cat", "dog")
	few := max(1, predictBytes/(evaluate.Batch*side*side*3))*evaluate.Batch + 5*runtime.GOMAXPROCS(0)
	files := append(slices.Repeat(images[:1], few), images[1])
	var errs strings.Builder
	a := &app{err: &errs, args: append([]string{"predict", "--model", file}, files...)}
	a.out = writing(func() { _ = os.Remove(images[1]) })
	if code := a.run(t.Context()); code != exitFailed || !strings.Contains(errs.String(), images[1]) {
		t.Errorf("%d: all of %d images were read before the first was judged: %s", code, len(files), errs.String())
	}
}

// writing is called for what is written.
type writing func()

func (w writing) Write(p []byte) (int, error) {
	w()
	return len(p), nil
}
