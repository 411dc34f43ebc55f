package dataset

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/x448/float16"

	"github.com/unpoison/unpoison/internal/base/sysinfo"
)

// Features are numbers that somebody's network made of a set's images.
type Features struct {
	Width   int    // numbers an image
	Missing int    // images without any
	Unused  int    // rows of a file that no image of the set is named by
	Note    string // how rows of a Parquet file were joined, and what is missing

	why  string  // rows are of no image
	rows []int32 // per image: its row, −1 if it has none; nil: they are in order
	at   func(row int) []float32
	n    int

	read *os.File    // that is mapped, and what it was; nil: none is
	from os.FileInfo //
}

// Len returns the number of images.
func (f *Features) Len() int { return f.n }

// Unchanged reports an error if the file that the features are read from was written to since.
func (f *Features) Unchanged() error {
	if f.read == nil {
		return nil
	}
	st, err := f.read.Stat()
	if err == nil && (st.Size() != f.from.Size() || !st.ModTime().Equal(f.from.ModTime())) {
		err = fmt.Errorf("features %s: the file was changed while it was in use", f.read.Name())
	}
	return err
}

// At returns the features of image i, which are not to be changed, or nil if it has none. It may be called by several at a
// time. It panics with a LostError if the file was cut off meanwhile.
func (f *Features) At(i int) []float32 {
	if f.rows != nil {
		if i = int(f.rows[i]); i < 0 {
			return nil
		}
	}
	return f.at(i)
}

// FeatureOptions name a Parquet file's columns; empty: the usual ones, if there is one alone.
type FeatureOptions struct{ Features, Image string }

var parquetFeatures = []string{"features", "feature", "embedding", "embeddings", "vector"}

// LoadFeatures reads features of a set's images from a file: .npy, an array N×D of float16 or float32, whose rows are in
// the order of the set; or .parquet with a column of lists of numbers, which are joined by file name where there is such a
// column, and are in order else. A file name is the image's source, or its last two elements or the last one where they are no
// other image's.
// Images may lack features in a Parquet file: a list that is null or empty, or no row of their name. Numbers that are not
// finite are refused with their row, counted from 0. A .npy file is mapped, a Parquet file takes four bytes a number. A .npy file that
// NoteFeatures noted to be of other images is refused.
func LoadFeatures(file string, set *Set, o FeatureOptions) (f *Features, err error) {
	defer Lost(&err)
	switch ext := strings.ToLower(path.Ext(file)); ext {
	case ".npy":
		f, err = npyFeatures(file, set)
	case ".parquet":
		f, err = parquetFeaturesOf(file, set, o)
	default:
		return nil, fmt.Errorf("%s: expected features in a .npy or .parquet file, found the ending %q", file, ext)
	}
	if err != nil {
		return nil, fmt.Errorf("features %s: %w", file, err)
	}
	for i := range f.n {
		if f.At(i) == nil {
			f.Missing++
		}
	}
	if f.Missing == f.n {
		return nil, fmt.Errorf("features %s: none of the %d images has any%s", file, f.n, f.why)
	}
	if f.Missing > 0 || f.Unused > 0 {
		f.Note += fmt.Sprintf("; %d of %d images have no features, %d rows of %s are of no image%s", f.Missing, f.n, f.Unused, path.Base(file), f.why)
	}
	return f, nil
}

// inOrder refuses features whose rows can't be in the order of a set.
func inOrder(rows int, set *Set) error {
	if rows != set.Len() {
		return fmt.Errorf("%d rows for %d training images: rows in order need one for each, in the order of the data; a Parquet file with a column of file names may have others", rows, set.Len())
	}
	return nil
}

func notFinite(row, column int, v float32) error {
	return fmt.Errorf("row %d: expected finite numbers, found %v in column %d", row, v, column)
}

func finite(v float32) bool { return v-v == 0 }

// checkFinite reports the first row with a number that is not finite.
func checkFinite(rows int, at func(row int) []float32) error {
	for i := range rows {
		for k, v := range at(i) {
			if !finite(v) {
				return notFinite(i, k, v)
			}
		}
	}
	return nil
}

// listColumn finds the column of features, and that of file names or −1: one of text, or the path of an image with its bytes. Images
// of a set that are no files have none that was not asked for in such an image. Names in columns of other names are findNames'.
func listColumn(f *parquet.File, o FeatureOptions, set *Set) (features, image int, err error) {
	head, leaves := parquetHead(f)
	all := f.Schema().Columns()
	name, err := column(head, parquetFeatures, o.Features, "--features-column")
	if err != nil {
		return 0, 0, err
	}
	if of := leaves[name]; len(of) != 1 || len(all[of[0]]) < 2 {
		return 0, 0, fmt.Errorf("expected a column of lists of numbers (%s), found %q", strings.Join(parquetFeatures, ", "), head)
	}
	image = -1
	key, err := column(head, pathColumns, o.Image, "--features-image")
	if err != nil {
		return 0, 0, err
	}
	for _, i := range leaves[key] {
		if p := all[i]; len(p) == 1 || len(p) == 2 && p[1] == "path" && (o.Image != "" || slices.Contains(set.row, -1)) {
			image = i
		}
	}
	if image < 0 && (o.Image != "" || len(leaves[key]) > 0 && slices.Contains(set.row, -1)) {
		return 0, 0, fmt.Errorf("the column %q holds no file names", key)
	}
	return leaves[name][0], image, nil
}

// featureNumber is a value of a column of features.
func featureNumber(v parquet.Value) (float32, bool) {
	switch v.Kind() {
	case parquet.Float:
		return v.Float(), true
	case parquet.Double:
		return float32(v.Double()), true
	case parquet.FixedLenByteArray:
		if b := v.ByteArray(); len(b) == 2 { // Parquet's FLOAT16
			return float16.Frombits(uint16(b[0]) | uint16(b[1])<<8).Float32(), true
		}
	}
	return 0, false
}

// lists collects the rows of a column of lists.
type lists struct {
	values []float32
	width  int
	start  []int32 // per row: which list it has, −1 for none
	n      int     // lists
	have   int     // of the last one
	most   int64   // values that the file may have
	rows   int64   // that it says it has
}

func (l *lists) end() error {
	if l.n == 0 || l.have == l.width {
		return nil
	}
	if l.n == 1 {
		l.width = l.have
		return l.reserve()
	}
	return fmt.Errorf("row %d: expected %d numbers, found %d", len(l.start)-1, l.width, l.have)
}

// reserve makes room for all rows, or refuses them.
func (l *lists) reserve() error {
	need := min(l.rows*int64(l.width), l.most)
	if err := sysinfo.Fits(4*need, fmt.Sprintf("%d rows of %d numbers", l.rows, l.width), "; in a .npy file they need not fit"); err != nil {
		return err
	}
	l.values = slices.Grow(l.values, max(0, int(need)-len(l.values)))
	return nil
}

func (l *lists) add(v parquet.Value) error {
	if v.RepetitionLevel() == 0 {
		if err := l.end(); err != nil {
			return err
		}
		if v.IsNull() {
			l.start = append(l.start, -1)
			l.have = l.width
			return nil
		}
		l.start = append(l.start, int32(l.n))
		l.n++
		l.have = 0
	}
	row := len(l.start) - 1
	x, ok := featureNumber(v)
	switch {
	case row < 0:
		return errors.New("a list that goes on before it begins")
	case v.IsNull() || l.start[row] < 0: // a list that began with a null goes on
		return notFinite(row, l.have, float32(math.NaN()))
	case !ok:
		return fmt.Errorf("row %d: expected float16, float32 or float64, found %v", row, v.Kind())
	case !finite(x):
		return notFinite(row, l.have, x)
	case l.have == maxList:
		return fmt.Errorf("row %d: more than %d numbers", row, maxList)
	case int64(len(l.values)) >= l.most:
		return fmt.Errorf("row %d: more than %d numbers in a file of that size", row, l.most)
	}
	l.values, l.have = append(l.values, x), l.have+1
	return nil
}
