package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// Who gives a folder of images without classes, with one, or none is shown a layout in their own names; whoever has more in
// the folder is told what its reader says.
func TestBeginnersAreShownTheLayout(t *testing.T) {
	reader := errors.New("data folder:x: what the reader says")
	for name, c := range map[string]struct {
		files []string
		want  string // empty for the reader's error
	}{
		"nothing":         {nil, "there are no images in"},
		"other files":     {[]string{"notes.txt", "a/b/c.doc"}, "there are no images in"},
		"no classes":      {[]string{"p1.JPG", "p2.png", "readme.txt"}, "holds images, and no folders"},
		"one class":       {[]string{"cat/p1.jpg", "cat/p2.jpg"}, "all images in"},
		"train, one":      {[]string{"train/cat/p1.jpg"}, "lie in one folder, cat.\nA classifier tells at least two"},
		"two classes":     {[]string{"cat/p1.jpg", "dog/p2.jpg"}, ""},
		"class and stray": {[]string{"cat/p1.jpg", "p2.jpg"}, ""},
		"a table":         {[]string{"p1.jpg", "labels.csv"}, ""},
		"arrays":          {[]string{"x_train.npy"}, ""},
		"of datasets":     {[]string{"train/data-00000-of-00001.arrow", "train/state.json", "dataset_dict.json"}, `data-00000-of-00001.arrow is no file that is read: datasets.load_from_disk(DIR)`},
		"of MATLAB":       {[]string{"train_32x32.mat"}, "train_32x32.mat is no file that is read: scipy.io.loadmat"},
		"beside a table":  {[]string{"train_32x32.mat", "labels.csv"}, ""},
		"JSON":            {[]string{"labels.json"}, ""},
		"an archive":      {[]string{"photos.zip"}, "photos.zip is an archive: unpack it"},
	} {
		dir := filepath.Join(t.TempDir(), "photos")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, f := range c.files {
			path := filepath.Join(dir, f)
			testfile.Write(t, path, "")
		}
		err := explain(dir, reader)
		if (c.want == "") != errors.Is(err, reader) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if c.want == "" {
			continue
		}
		code, _, errs := call("audit", "--data", dir, "--out", filepath.Join(t.TempDir(), "out"))
		if code != exitFailed || !strings.Contains(errs, c.want) || !strings.Contains(errs, "\n  photos/cat/") || !strings.Contains(errs, "path,label\n") {
			t.Errorf("%s: %d, %s", name, code, errs)
		}
	}
	file := filepath.Join(t.TempDir(), "photos")
	for _, c := range []struct{ file, want string }{
		{file + ".zip", "is an archive: unpack it"}, {file + ".tar.bz2", "is an archive: unpack it"}, {file + ".JPG", "is a single image"}, {file + ".h5", "is no file that is read: h5py"}, {file + ".txt", "is no folder, and no file that is read"}, {file + "-not-there", "there is no "},
	} {
		if !strings.HasSuffix(c.file, "-not-there") {
			testfile.Write(t, c.file, "")
		}
		code, _, errs := call("audit", "--data", c.file, "--out", filepath.Join(t.TempDir(), "out"))
		if code != exitFailed || !strings.Contains(errs, c.want) || !strings.Contains(errs, "/dog/2.jpg") {
			t.Errorf("%s: %d, %s", c.file, code, errs)
		}
	}
	// Files without endings, as IDX and CIFAR have, that were recognised: their reader knows better.
	cut := t.TempDir()
	for _, name := range []string{"train-images-idx3-ubyte", "train-labels-idx1-ubyte"} {
		testfile.Write(t, filepath.Join(cut, name), []byte{0, 0, 8, 1})
	}
	if code, _, errs := call("data", "info", cut); code != exitFailed || !strings.Contains(errs, "train-images-idx3-ubyte") || strings.Contains(errs, "no images") {
		t.Errorf("a damaged IDX file: %d, %s", code, errs)
	}
	if err := explain("missing", reader); !errors.Is(err, reader) {
		t.Errorf("no such folder: %v", err)
	}
}
