package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/dataset"
)

// imageSuffixes are the names' endings that images mostly have.
var imageSuffixes = []string{".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"}

// dataSuffixes are those of files that say more than a folder of images does: what is wrong with them, their reader knows.
var dataSuffixes = []string{".csv", ".tsv", ".jsonl", ".json", ".parquet", ".tar", ".gz", ".zst", ".npy", ".npz", ".bin", ".zip"}

// mostLooked bounds how many files are looked at to explain an error.
const mostLooked = 20_000

// explain returns an error that shows the expected layout, if the folder is what people have who try this for the first
// time: images that are in no folders of classes, or all in one, or none at all. Otherwise it returns err.
func explain(dir string, err error) error {
	var none *dataset.UnrecognisedError
	var record *dataset.RecordError
	if !errors.As(err, &none) && !strings.HasPrefix(err.Error(), "data folder:") || errors.As(err, &record) {
		return err // of files that were recognised
	}
	if st, statErr := os.Stat(dir); statErr != nil || !st.IsDir() {
		return err
	}
	looked, images, first, folder, strange := 0, 0, "", "", false
	walkErr := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if looked++; err != nil || looked > mostLooked {
			strange = true
			return fs.SkipAll
		}
		switch suffix := strings.ToLower(filepath.Ext(path)); {
		case e.IsDir():
		case slices.Contains(dataSuffixes, suffix) || !e.Type().IsRegular():
			strange = true
		case slices.Contains(imageSuffixes, suffix):
			if images++; images == 1 {
				folder, first = filepath.Split(path)
				folder = filepath.Clean(folder)
			}
			strange = strange || filepath.Dir(path) != folder // of several folders its reader has more to say
		}
		return nil
	})
	if walkErr != nil || strange {
		return err
	}
	name := filepath.Base(filepath.Clean(dir))
	found := "there are no images in " + dir
	if images > 0 {
		found = dir + " holds images, and no folders that say what they show"
		if class := filepath.Base(folder); folder != filepath.Clean(dir) {
			found = fmt.Sprintf("all images in %s lie in one folder, %s; a classifier tells at least two classes apart", dir, class)
		}
	}
	if first == "" {
		first = "1.jpg"
	}
	return fmt.Errorf(`%s.
Expected a folder for each class, with its images in it:

  %[2]s/cat/%[3]s
  %[2]s/dog/2.jpg

or a table with a line for each image, %[2]s/labels.csv:

  path,label
  %[3]s,cat

unpoison data --help lists the other layouts`, found, name, first)
}
