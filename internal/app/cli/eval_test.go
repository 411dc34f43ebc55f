package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Success on triggered images is what the attack beside them says it is.
func TestSuccessOfTriggeredImages(t *testing.T) {
	for text, want := range map[string]float64{
		`{"name":"badnets","target":1}`: 30, `{"name":"badnets","random_labels":true}`: 70, "": 30,
	} {
		dir := t.TempDir()
		if text != "" {
			if err := os.WriteFile(filepath.Join(dir, "attack.json"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, triggered := range []string{dir, filepath.Join(dir, "triggered"), filepath.Join(dir, "triggered") + "/", "folder:" + filepath.Join(dir, "triggered")} {
			if got, err := success(triggered, 30); err != nil || got != want {
				t.Errorf("%q, %s: %g, expected %g: %v", text, triggered, got, want, err)
			}
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "attack.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := success(dir, 30); err == nil {
		t.Error("a damaged attack.json was taken")
	}
}

// A class of which there is no test image has no accuracy, which is not an accuracy of 0.
func TestClassesWithoutTestImages(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(data, os.DirFS(filepath.Join("..", "..", "..", "dataset", "testdata", "folder"))); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(data, "test", "dog")); err != nil {
		t.Fatal(err)
	}
	args := []string{"eval", "--model", newModel(t, 32, "cat", "dog"), "--data", data}
	code, text, errs := call(args...)
	if code != exitDone || !strings.Contains(text, "dog                 –, no images") || !strings.Contains(text, "cat ") {
		t.Errorf("%d, %s%s", code, text, errs)
	}
	if code, text, errs = call(append(args, "--json")...); code != exitDone || !strings.Contains(text, ",null]") {
		t.Errorf("%d, %s%s", code, text, errs)
	}
}
