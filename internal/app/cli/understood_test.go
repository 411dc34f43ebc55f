package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// Every command that reads data says first what it took them for, and what it passed over.
func TestEveryCommandSaysWhatItUnderstood(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(data, os.DirFS(filepath.Join("..", "..", "..", "dataset", "testdata", "folder"))); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"notes.heic": "x", "x.png": "no image"} {
		testfile.Write(t, filepath.Join(data, "train", "cat", name), text)
	}
	dir := t.TempDir()
	none := filepath.Join(dir, "none.npy")
	run := filepath.Join(dir, "run")
	grid, list := filepath.Join(dir, "grid.yaml"), filepath.Join(dir, "suspects.csv")
	if err := os.Mkdir(run, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		list:                                "source\nnone\n",
		filepath.Join(run, runs.ResultFile): `{"data":{"path":"x","layout":"folder"}}`,
		grid:                                "name: g\ndata: folder:" + data + "\nmodel: small-cnn\nattacks: [\"badnets:target=99\"]\ndefenses: [none]\n",
	} {
		testfile.Write(t, path, text)
	}
	two, three := newModel(t, 32, "cat", "dog"), newModel(t, 32, "a", "b", "c")
	// Most end with an error right after the data were read.
	for _, args := range [][]string{
		{"data", "info", data},
		{"data", "filter", "--data", data, "--suspects", list, "--out", filepath.Join(dir, "f")},
		{"attack", "badnets:target=99", "--data", data, "--out", filepath.Join(dir, "a")},
		{"train", "--data", data, "--features", none, "--out", filepath.Join(dir, "t")},
		{"features", "--data", data, "--backbone", filepath.Join("..", "features", "testdata", "resnet.onnx"), "--out", filepath.Join(dir, "f.npy")},
		{"audit", "--data", data, "--features", none, "--out", filepath.Join(dir, "u")},
		{"unlearn", "--data", data, "--model", three, "--suspects", list, "--out", filepath.Join(dir, "l")},
		{"repair", "--clean", data, "--model", three, "--method", "fp", "--out", filepath.Join(dir, "r")},
		{"review", run, "--data", data},
	} {
		_, _, errs := call(append(args, "--skip-bad")...)
		for _, want := range []string{"folder: 8 training images from train/, 4 test images from test/, 2 classes, 32×32 RGB", "1 files are no images that are read (.heic 1)", "skipped 1 bad records", "x.png"} {
			if !strings.Contains(errs, want) {
				t.Errorf("%q does not say %q: %s", args, want, errs)
			}
		}
	}
	bad := filepath.Join(data, "train", "cat", "x.png")
	if err := os.Rename(bad, filepath.Join(data, "test", "cat", "x.png")); err != nil { // eval reads test images alone
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"eval", "--data", data, "--model", two},
		{"eval", "--data", filepath.Join("..", "..", "..", "dataset", "testdata", "folder"), "--model", two, "--triggered", data},
	} {
		_, _, errs := call(append(args, "--skip-bad")...)
		for _, want := range []string{"folder: 8 training images from train/, 4 test images from test/", "1 files are no images that are read (.heic 1)", "skipped 1 bad records", "x.png"} {
			if !strings.Contains(errs, want) {
				t.Errorf("%q does not say %q: %s", args, want, errs)
			}
		}
	}
	if err := os.Remove(filepath.Join(data, "test", "cat", "x.png")); err != nil {
		t.Fatal(err)
	}
	_, out, errs := call("experiment", "run", grid, "--out", filepath.Join(dir, "e"))
	for _, want := range []string{"folder: 8 training images from train/", "1 files are no images"} {
		if !strings.Contains(out+errs, want) {
			t.Errorf("a grid does not say %q: %s%s", want, out, errs)
		}
	}
}

// data info says what is there twice: in a part, across the parts, and under another label.
func TestInfoSaysWhatIsThereTwice(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(data, os.DirFS(filepath.Join("..", "..", "..", "dataset", "testdata", "folder"))); err != nil {
		t.Fatal(err)
	}
	first, err := filepath.Glob(filepath.Join(data, "train", "cat", "*"))
	if err != nil || len(first) == 0 {
		t.Fatal(err)
	}
	raw := testfile.Read(t, first[0])
	for _, name := range []string{"train/cat/again.png", "train/dog/again.png", "test/dog/again.png"} {
		testfile.Write(t, filepath.Join(data, name), raw)
	}
	_, out, _ := call("data", "info", data)
	for _, want := range []string{
		"10 images; 2 are there twice, 1 of them under another label, such as train/cat/00.png and train/cat/again.png", "5 images; no image is there twice",
		"1 test images are training images too, 1 of them under another label, such as train/cat/00.png and test/dog/again.png",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%s", out)
		}
	}
}
