package cli

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// deepImage is a PNG of 16 bits a sample, whose brightest is given.
func deepImage(t *testing.T, path string, brightest uint16) {
	t.Helper()
	img := image.NewGray16(image.Rect(0, 0, 16, 16))
	for i := range 256 {
		img.SetGray16(i%16, i/16, color.Gray16{Y: uint16(int(brightest) * i / 255)})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	testfile.Write(t, path, b.Bytes())
}

// A model's images of 16 bits a sample are read as those were that it learnt from, however dark they are.
func TestModelsKeepTheDepthOfTheirImages(t *testing.T) {
	dir := t.TempDir()
	data, dark, bright := filepath.Join(dir, "data"), filepath.Join(dir, "dark"), filepath.Join(dir, "bright")
	for i := range 80 {
		of := []string{"a", "b"}[i%2]
		deepImage(t, filepath.Join(data, "train", of, fmt.Sprint(i, ".png")), uint16(200+1900*(i%2)+5*i))
		deepImage(t, filepath.Join(dark, of, fmt.Sprint(i, ".png")), uint16(200+i%2))
		deepImage(t, filepath.Join(bright, of, fmt.Sprint(i, ".png")), 9000)
	}
	run := filepath.Join(dir, "run")
	model := filepath.Join(run, "model.safetensors")
	if code, _, errs := call("train", "--data", data, "--out", run, "--model", "small-cnn", "--defense", "none", "--epochs-tune", "4"); code != exitDone {
		t.Fatal(errs)
	}
	one, other := filepath.Join(dark, "a", "0.png"), filepath.Join(data, "train", "b", "79.png")
	predict := func(args ...string) string {
		t.Helper()
		code, out, errs := call(append([]string{"predict", "--model", model, "--json"}, args...)...)
		if code != exitDone {
			t.Fatalf("%v: %d, %s", args, code, errs)
		}
		first, _, _ := strings.Cut(out, "\n")
		return first
	}
	if alone, beside, right := predict(one), predict(one, other), predict("--depth", "12", one); alone != beside || alone != right {
		t.Errorf("a dark image is another one alone:\n%s\n%s\n%s", alone, beside, right)
	}
	eval := func(data string, args ...string) string {
		_, out, errs := call(append([]string{"eval", "--model", model, "--data", data, "--json"}, args...)...)
		return out + errs[strings.Index(errs, "\n")+1:]
	}
	if got, want := eval(dark), eval(dark, "--depth", "12"); got != want {
		t.Errorf("%s, expected %s", got, want)
	}
	why := "samples of 12 bits, up to 4095, found 9000; the model learnt from images of 12 bits, and --depth N reads these as of others"
	if code, _, errs := call("eval", "--model", model, "--data", bright); code != exitFailed || !strings.Contains(errs, why) {
		t.Errorf("brighter images: %d, %s", code, errs)
	}
	if code, _, errs := call("predict", "--model", model, filepath.Join(bright, "a", "0.png")); code != exitFailed || !strings.Contains(errs, why) {
		t.Errorf("a brighter image: %d, %s", code, errs)
	}
	repaired := filepath.Join(dir, "repaired")
	if code, _, errs := call("repair", "--method", "fp", "--model", model, "--clean", data, "--epochs", "1", "--out", repaired); code != exitDone {
		t.Fatal(errs)
	}
	model = filepath.Join(repaired, "model.safetensors")
	if alone, right := predict(one), predict("--depth", "12", one); alone != right {
		t.Errorf("of a repaired model:\n%s\n%s", alone, right)
	}
}
