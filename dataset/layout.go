package dataset

import (
	"context"
	"slices"
)

// A Layout is one way of keeping labelled images. It says which files there are and goes through their records; what the
// records make together (classes, sizes, depth, what is missing) is settled in one place for all layouts.
type Layout struct {
	Name  string // as in name:DIR
	About string // a line for the help
	// Recognise reports whether dir, a folder or a file, looks like this layout. It is called for every layout and has
	// to be quick. Nil: only name:DIR reads it.
	Recognise func(dir string, o Options) bool
	// Open finds the parts of the data in dir.
	Open func(ctx context.Context, dir string, o Options) (*Contents, error)
	// Write stores data in the layout under a folder; nil if only reading is supported.
	Write func(dir string, d *Data) error
}

// Contents is what a layout found.
type Contents struct {
	// Classes are the classes' names in order, where the layout says them; else they are made of the training labels.
	Classes []string
	// Train, Test and Validation are the parts; only the first has to be there. Validation data are the test data where
	// there are no others with labels.
	Train, Test, Validation *Part
	// Size is the height and width that images of several sizes are expected at; 0: what keeps their detail.
	Size int
	// Notes are sentences that users have to know, such as what was passed over.
	Notes []string
}

// A Part is the training, test or validation data.
type Part struct {
	// Name says where it lies, as users see it: "train/", "train-*.parquet".
	Name string
	// Claim is how many bytes of pixels the files claim to hold, where their heads say it; what does not fit into
	// memory is refused before it is read.
	Claim int64
	// Records calls yield for each record in order and ends with its first error. It is called twice or more.
	Records func(yield func(Record) error) error

	unlabelled func() string // what to do where no record has a label; nil: nothing

	notes func() []string // sentences like Contents.Notes, once the records were gone through; nil: there are none
}

// A Record is an image with its label, as a layout finds it.
type Record struct {
	// Source is the image's file relative to the data, a member of an archive as archive/member, or the file of many
	// images that Row counts from 0. Row is -1 where Source is one image.
	Source string
	Row    int
	// Table and TableRow are the file and the row in it, from 1, that name the image, if one does.
	Table    string
	TableRow int
	// split and folder are the parts that its row and its folder say.
	split, folder string

	Label Label
	// LabelSource is the file of the labels where it is another one than Source; errors name it with Row.
	LabelSource string

	// File returns the bytes of an image file, and Head, which may be nil, its first ones where that is cheaper.
	File, Head func() ([]byte, error)
	apart      bool // File may be called at any time, by anybody
	// Raw are pixels that lie in no image file.
	Raw *Raw
	// known is what was noted when Raw was decoded from an image; nil: nothing was.
	known *packed

	// Err says what is wrong with the record. It ends the reading, or is counted with Options.SkipBad.
	Err *RecordError
}

// Raw is an image as plain bytes.
type Raw struct {
	Height, Width, Channels int  // Channels is 1, 3, or 4, of which the last is transparency
	Planar                  bool // channel after channel instead of pixel after pixel
	// Pixels returns the bytes, which are only valid until the next record.
	Pixels func() ([]byte, error)
}

// builtin lists the layouts in the order in which they are tried.
func builtin() []Layout {
	return []Layout{
		{"cifar10", "CIFAR-10 binary version: data_batch_*.bin, test_batch.bin", isCIFAR10, openCIFAR10, writeCIFAR10},
		{"cifar100", "CIFAR-100 binary version: train.bin, test.bin", isCIFAR100, openCIFAR100, writeCIFAR100},
		{"cifar-python", "CIFAR's Python version: data_batch_1, …, test_batch; train, test", isCIFARPickle, openCIFARPickle, nil},
		{"gtsrb", "GTSRB: Final_Training/Images/NNNNN/*.ppm with CSV", isGTSRB, openGTSRB, writeGTSRB},
		{"idx", "MNIST's IDX: train-images-idx3-ubyte, train-labels-…, t10k-…, .gz", isIDX, openIDX, nil},
		{"parquet", "Hugging Face's Parquet: train-*.parquet, test-*.parquet", isParquet, openParquet, nil},
		{"webdataset", "tar shards with .jpg and .cls or .json, also .tar.gz, .tar.zst", isWebDataset, openWebDataset, nil},
		{"numpy", "NumPy: .npz or .npy with x_train, y_train, x_test, y_test (uint8)", isNumPy, openNumPy, nil},
		{"table", "CSV, TSV or JSON Lines with a path and a label a row", isTable, openTable, nil},
		{"folder", "a folder a class, also under train/ and test/ or val/", isFolder, openFolder, writeFolder},
	}
}

// Layouts lists the names of the built-in layouts with a line about each.
func Layouts() [][2]string {
	var all [][2]string
	for _, l := range builtin() {
		all = append(all, [2]string{l.Name, l.About})
	}
	return all
}

func layoutNamed(layouts []Layout, name string) *Layout {
	i := slices.IndexFunc(layouts, func(l Layout) bool { return l.Name == name })
	if i < 0 {
		return nil
	}
	return &layouts[i]
}
