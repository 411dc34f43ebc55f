package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/dataset"
)

// dataSuffixes are those of files that say more than a folder of images does: what is wrong with them, their reader knows.
var dataSuffixes = []string{".csv", ".tsv", ".jsonl", ".json", ".parquet", ".tar", ".gz", ".zst", ".npy", ".npz", ".bin"}

// archives are the endings of files that have to be unpacked first.
var archives = []string{".zip", ".7z", ".rar", ".bz2", ".xz"}

// foreign are the endings of files that hold images of other programs, with what makes data of them that are read.
var foreign = map[string]string{
	".arrow":    `datasets.load_from_disk(DIR)["train"].to_parquet("train.parquet") makes what is read`,
	".tfrecord": "write them as image files in a folder for each class",
	".mat":      "scipy.io.loadmat reads it, and numpy.savez writes what is read",
	".h5":       "h5py reads it, and numpy.savez writes what is read",
	".hdf5":     "h5py reads it, and numpy.savez writes what is read",
	".mdb":      "write it as image files in a folder for each class",
}

// mostLooked bounds how many files are looked at to explain an error.
const mostLooked = 20_000

// explain returns an error that shows the expected layout, if the data are what people have who try this for the first
// time: images that are in no folders of classes, or all in one, or none at all, an archive or a single picture.
// Otherwise it returns err.
func explain(dir string, err error) error {
	st, statErr := os.Stat(dir)
	switch {
	case errors.Is(statErr, fs.ErrNotExist) && errors.Is(err, fs.ErrNotExist) && !strings.Contains(dir, ":"):
		return layout(fmt.Sprintf("there is no %s", dir), "DIR", "")
	case statErr != nil:
		return err
	case !st.IsDir():
		return explainFile(dir, err)
	}
	var none *dataset.UnrecognisedError
	var record *dataset.RecordError
	if !errors.As(err, &none) && !strings.HasPrefix(err.Error(), "data folder:") || errors.As(err, &record) {
		return err // of files that were recognised
	}
	looked, images, first, folder, packed, strange, other, json := 0, 0, "", "", "", false, "", false
	walkErr := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if looked++; err != nil || looked > mostLooked {
			strange = true
			return fs.SkipAll
		}
		switch suffix := strings.ToLower(filepath.Ext(path)); {
		case e.IsDir():
		case slices.Contains(archives, suffix):
			packed = path
		case foreign[suffix] != "":
			other = cmp.Or(other, path)
		case suffix == ".json": // of data, or about others
			json = true
		case slices.Contains(dataSuffixes, suffix) || !e.Type().IsRegular():
			strange = true
		case dataset.IsImage(path):
			if images++; images == 1 {
				folder, first = filepath.Split(path)
				folder = filepath.Clean(folder)
			}
			strange = strange || filepath.Dir(path) != folder // of several folders its reader has more to say
		}
		return nil
	})
	if walkErr == nil && other != "" && images == 0 && !strange {
		return layout(fmt.Sprintf("%s is no file that is read: %s", other, foreign[strings.ToLower(filepath.Ext(other))]), dir, "")
	}
	if walkErr != nil || strange || json {
		return err
	}
	switch class := filepath.Base(folder); {
	case packed != "":
		return unpack(packed)
	case images == 0:
		return layout("there are no images in "+dir, dir, "")
	case folder != filepath.Clean(dir):
		return layout(fmt.Sprintf("all images in %s lie in one folder, %s.\nA classifier tells at least two classes apart", dir, class), dir, first)
	}
	return layout(dir+" holds images, and no folders that say what they show", dir, first)
}

// explainFile is explain for a single file.
func explainFile(file string, err error) error {
	switch suffix := strings.ToLower(filepath.Ext(file)); {
	case slices.Contains(archives, suffix):
		return unpack(file)
	case foreign[suffix] != "":
		return layout(fmt.Sprintf("%s is no file that is read: %s", file, foreign[suffix]), "DIR", "")
	case dataset.IsImage(file):
		return layout(file+" is a single image", "DIR", filepath.Base(file))
	case !slices.Contains(dataSuffixes, suffix) && errors.As(err, new(*dataset.UnrecognisedError)):
		return layout(file+" is no folder, and no file that is read", "DIR", "")
	}
	return err
}

func unpack(archive string) error {
	return layout(fmt.Sprintf("%s is an archive: unpack it, and name the folder", archive), strings.TrimSuffix(filepath.Base(archive), filepath.Ext(archive)), "")
}

// layout says what was found, and what was expected in the folder; first is an image's name.
func layout(found, dir, first string) error {
	return fmt.Errorf(`%s.
Expected a folder for each class, with its images in it:

  %[2]s/cat/%[3]s
  %[2]s/dog/2.jpg

or a table with a line for each image, %[2]s/labels.csv:

  path,label
  %[3]s,cat

unpoison data --help lists the other layouts`, found, filepath.Base(filepath.Clean(dir)), cmp.Or(first, "1.jpg"))
}
