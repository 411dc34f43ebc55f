package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	if left, _ := os.ReadDir(filepath.Dir(out)); code != exitFailed && code != exitUsage || len(left) != 1 {
		t.Errorf("%d: %s; %v is left", code, errs, left)
	}
	own := filepath.Join(t.TempDir(), "own.onnx")
	if code, _, errs := call("export", "--model", newModel(t, 32, "a", "b"), "--out", own); code != 0 {
		t.Fatal(errs)
	}
	if code, _, errs := call("features", "--data", data, "--backbone", own, "--normalize", "none", "--out", out); code != exitUsage || !strings.Contains(errs, "scales them itself") {
		t.Errorf("a normalization for bytes: %d, %s", code, errs)
	}
}
