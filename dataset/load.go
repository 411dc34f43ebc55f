package dataset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/rng"
)

// Options says how to read.
type Options struct {
	// Size is the height and width that images are resized to; 0 keeps the layout's own size, and
	// resizes a folder of mixed sizes to 32.
	Size int
	// SkipBad passes over unreadable records and reports them in Data.Skipped.
	SkipBad bool
	// Limit keeps the first Limit training images of a shuffle by Seed; 0 keeps all.
	Limit int
	Seed  uint64
}

// layout reads one way of keeping images.
type layout struct {
	name  string
	about string
	// recognise reports whether dir looks like this layout.
	recognise func(dir string) bool
	load      func(ctx context.Context, dir string, r *reader) (*Data, error)
	// write stores the sets in the layout; nil if only reading is supported.
	write func(dir string, d *Data) error
}

// layouts in the order in which they are tried.
var layouts = []layout{
	{"cifar10", "CIFAR-10 binary version: data_batch_*.bin, test_batch.bin", isCIFAR10, loadCIFAR10, writeCIFAR10},
	{"cifar100", "CIFAR-100 binary version: train.bin, test.bin", isCIFAR100, loadCIFAR100, writeCIFAR100},
	{"cifar-python", "CIFAR's Python version: data_batch_1, …, test_batch; train, test, meta", isCIFARPickle, loadCIFARPickle, nil},
	{"gtsrb", "GTSRB: Final_Training/Images/NNNNN/*.ppm with CSV", isGTSRB, loadGTSRB, writeGTSRB},
	{"idx", "MNIST's IDX: train-images-idx3-ubyte, train-labels-…, t10k-…, also .gz", isIDX, loadIDX, nil},
	{"parquet", "Parquet as the Hugging Face hub has it: train-*.parquet, test-*.parquet", isParquet, loadParquet, nil},
	{"webdataset", "tar shards with .jpg and .cls or .json, also .tar.gz, .tar.zst", isWebDataset, loadWebDataset, nil},
	{"numpy", "NumPy: .npz or .npy with x_train, y_train, x_test, y_test (uint8)", isNumPy, loadNumPy, nil},
	{"table", "CSV, TSV or JSON Lines with a path and a label a row", isTable, loadTable, nil},
	{"folder", "a folder a class, also under train/ and test/ or val/", isFolder, loadFolder, writeFolder},
}

// Layouts lists the names of the layouts with a line about each.
func Layouts() [][2]string {
	var all [][2]string
	for _, l := range layouts {
		all = append(all, [2]string{l.name, l.about})
	}
	return all
}

func layoutNamed(name string) *layout {
	i := slices.IndexFunc(layouts, func(l layout) bool { return l.name == name })
	if i < 0 {
		return nil
	}
	return &layouts[i]
}

// Load reads the data at spec: a folder, table or archive whose layout is recognised, or layout:path.
func Load(ctx context.Context, spec string, o Options) (*Data, error) {
	dir := spec
	var l *layout
	if name, rest, ok := strings.Cut(spec, ":"); ok {
		if l = layoutNamed(name); l != nil {
			dir = rest
		}
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("data %s: %w", spec, err)
	}
	if l == nil {
		for _, d := range []string{dir, filepath.Join(dir, "cifar-10-batches-bin"), filepath.Join(dir, "cifar-100-binary"), filepath.Join(dir, "GTSRB")} {
			i := slices.IndexFunc(layouts, func(l layout) bool { return l.recognise(d) })
			if i >= 0 {
				l, dir = &layouts[i], d
				break
			}
		}
	}
	if l == nil {
		var names []string
		for _, l := range layouts {
			names = append(names, "  "+l.name+": "+l.about)
		}
		return nil, fmt.Errorf("data %s: no layout recognised; the layouts are\n%s", dir, strings.Join(names, "\n"))
	}
	r := &reader{Options: o}
	d, err := l.load(ctx, dir, r)
	if err != nil {
		return nil, err
	}
	d.Layout, d.Path, d.Skipped = l.name, dir, r.skipped
	if d.Train == nil || d.Train.Len() == 0 {
		return nil, fmt.Errorf("data %s: no training images found", dir)
	}
	if o.Limit > 0 && o.Limit < d.Train.Len() {
		pick := rng.Shuffle(o.Seed, "limit", d.Train.Len())[:o.Limit]
		slices.Sort(pick)
		d.Train = d.Train.Subset(pick)
	}
	return d, nil
}

// Flips reports whether images of a layout may be swapped left and right in training: road signs may
// not.
func Flips(name string) bool { return name != "gtsrb" && name != "signs" }

// WritableAs returns the layout in which data of the named one can be written: itself, or folder.
func WritableAs(name string) string {
	if l := layoutNamed(name); l != nil && l.write != nil {
		return name
	}
	return "folder"
}

// Write stores d in the named layout under dir.
func Write(name, dir string, d *Data) error {
	l := layoutNamed(name)
	if l == nil || l.write == nil {
		return fmt.Errorf("layout %q can't be written", name)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return l.write(dir, d)
}

// reader carries options and collects what was passed over.
type reader struct {
	Options
	skipped []error
}

// bad returns err, or notes it and returns nil if bad records are to be passed over.
func (r *reader) bad(err error) error {
	var rec *RecordError
	if r.SkipBad && errors.As(err, &rec) {
		r.skipped = append(r.skipped, err)
		return nil
	}
	return err
}
