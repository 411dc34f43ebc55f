package cli

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// What features writes is what audit reads, for the same images.
func TestFeaturesForAnAudit(t *testing.T) {
	data, out := signFolder(t, 80, 10), filepath.Join(t.TempDir(), "new", "f.npy")
	args := []string{"features", "--data", data, "--backbone", filepath.Join("..", "features", "testdata", "vit.onnx"), "--output", "tokens", "--pool", "mean", "--out", out}
	code, text, errs := call(append(args, "--json")...)
	var got struct {
		Images, Width int
		Kept          string
	}
	if err := json.Unmarshal([]byte(text), &got); code != 0 || err != nil || got.Images != 80 || got.Width != 16 || got.Kept != "the mean of 17 tokens" {
		t.Errorf("%d: %s%s (%v)", code, text, errs, err)
	}
	code, text, errs = call("audit", "--data", data, "--features", out, "--epochs-inspect", "0", "--pixels=false", "--out", filepath.Join(t.TempDir(), "audit"))
	if code != 0 || !strings.Contains(text, "features: 16 numbers an image") {
		t.Errorf("%d: %s%s", code, text, errs)
	}
	code, _, errs = call(append(args, "--limit", "1", "--normalize", "0/1e-45")...)
	if left, _ := os.ReadDir(filepath.Dir(out)); code != exitFailed && code != exitUsage || len(left) != 2 {
		t.Errorf("%d: %s; %v is left", code, errs, left)
	}
	changed := signFolder(t, 80, 10) // as many images, one of them another
	var black bytes.Buffer
	if err := png.Encode(&black, image.NewRGBA(image.Rect(0, 0, 32, 32))); err != nil {
		t.Fatal(err)
	}
	testfile.Write(t, filepath.Join(changed, "train", firstClass(t, changed), "000000.png"), black.Bytes())
	audit := func(data string, more ...string) {
		t.Helper()
		args := []string{"audit", "--data", data, "--features", out, "--epochs-inspect", "0", "--pixels=false", "--out", t.TempDir()}
		code, text, errs := call(append(args, more...)...)
		if code != exitFailed || !strings.Contains(errs, "they are of other images, or of these in another order, as "+out+".json says") {
			t.Errorf("features of other images: %d, %s%s", code, text, errs)
		}
	}
	audit(changed)
	some := append(slices.Clone(args), "--skip-bad", "--limit", "70", "--seed", "3")
	if _, text, _ = call(some...); !strings.Contains(text, " --limit=70 --skip-bad=true --seed=3 --features ") {
		t.Errorf("the next command: %s", text)
	}
	audit(data, "--limit", "70", "--seed", "4")
	own := filepath.Join(t.TempDir(), "own.onnx")
	if code, _, errs := call("export", "--model", newModel(t, 32, "a", "b"), "--out", own); code != 0 {
		t.Fatal(errs)
	}
	if code, _, errs := call("features", "--data", data, "--backbone", own, "--normalize", "none", "--out", out); code != exitUsage || !strings.Contains(errs, "scales them itself") {
		t.Errorf("a normalization for bytes: %d, %s", code, errs)
	}
}

// Features that tell nothing leave no run behind: mended, under the same name, the same command finds what it looks for.
func TestFeaturesAreMended(t *testing.T) {
	data, file := signFolder(t, 80, 10), filepath.Join(t.TempDir(), "f.npy")
	d, err := dataset.Load(t.Context(), data, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	write := func(of func(i int) float32) {
		head := fmt.Sprintf("%-117s\n", "{'descr': '<f4', 'fortran_order': False, 'shape': (80, 1), }")
		npy := append([]byte("\x93NUMPY\x01\x00"), byte(len(head)), 0)
		npy = append(npy, head...)
		for i := range d.Train.Len() {
			npy = binary.LittleEndian.AppendUint32(npy, math.Float32bits(of(i)))
		}
		testfile.Write(t, file, string(npy))
	}
	for _, more := range []string{"--resume=false", "--resume"} {
		args := []string{"audit", "--data", data, "--features", file, "--epochs-inspect", "0", "--pixels=false", "--out", filepath.Join(t.TempDir(), "run"), more}
		write(func(i int) float32 { return float32(i * 37 % 80) })
		if code, _, errs := call(args...); code != exitFailed || !strings.Contains(errs, "expected some that tell the 10 classes apart") {
			t.Errorf("%s: %d, %s", more, code, errs)
		}
		write(func(i int) float32 { return 10 * float32(d.Train.Labels[i]) })
		if code, _, errs := call(args...); code != exitDone {
			t.Errorf("%s, mended: %d, %s", more, code, errs)
		}
	}
}
