package dataset

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// NumPy: an .npz with images (uint8 N×H×W×C, or N×H×W) and labels, as x_train, y_train, x_test, y_test
// or images, labels; or a folder with such .npy files.

var numpyNames = map[string][2][]string{ // part: names of images, of labels
	"train": {{"x_train", "train_images", "train_x", "images", "x", "data"}, {"y_train", "train_labels", "train_y", "labels", "y", "targets"}},
	"test":  {{"x_test", "test_images", "test_x"}, {"y_test", "test_labels", "test_y"}},
}

func isNumPy(path string) bool { return len(numpyFiles(path)) > 0 }

// numpyFiles returns how to open each array, by its name.
func numpyFiles(path string) map[string]func() (io.ReadCloser, error) {
	all := map[string]func() (io.ReadCloser, error){}
	st, err := os.Stat(path)
	if err != nil {
		return nil
	}
	if st.IsDir() {
		for _, f := range []string{"*.npz", "*.npy"} {
			m, _ := filepath.Glob(filepath.Join(path, f))
			if f == "*.npz" && len(m) == 1 {
				return numpyFiles(m[0])
			}
			for _, p := range m {
				if f == "*.npy" {
					all[strings.ToLower(strings.TrimSuffix(filepath.Base(p), ".npy"))] = func() (io.ReadCloser, error) { return os.Open(p) }
				}
			}
		}
	} else if strings.HasSuffix(strings.ToLower(path), ".npz") {
		z, err := zip.OpenReader(path)
		if err != nil {
			return nil
		}
		defer z.Close()
		for _, e := range z.File {
			name := e.Name
			all[strings.ToLower(strings.TrimSuffix(name, ".npy"))] = func() (io.ReadCloser, error) { return openInZip(path, name) }
		}
	}
	for _, n := range numpyNames["train"][0] {
		if all[n] != nil {
			return all
		}
	}
	return nil
}

// openInZip opens one entry and closes the archive with it.
func openInZip(path, name string) (io.ReadCloser, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, err
	}
	f, err := z.Open(name)
	if err != nil {
		z.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{f, closers{f, z}}, nil
}

type closers []io.Closer

func (c closers) Close() error {
	var first error
	for _, x := range c {
		if err := x.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func loadNumPy(ctx context.Context, path string, r *reader) (*Data, error) {
	files := numpyFiles(path)
	if files == nil {
		return nil, fmt.Errorf("%s: expected arrays of images named %s", path, strings.Join(numpyNames["train"][0], ", "))
	}
	read := func(part string) ([]raw, error) {
		names := numpyNames[part]
		find := func(names []string) string {
			for _, n := range names {
				if files[n] != nil {
					return n
				}
			}
			return ""
		}
		images, labels := find(names[0]), find(names[1])
		if images == "" {
			return nil, nil
		}
		if labels == "" {
			return nil, fmt.Errorf("%s: expected labels beside %s, named %s", path, images, strings.Join(names[1], ", "))
		}
		a, err := readArray(files[images], images)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		l, err := readArray(files[labels], labels)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		p := raw{file: images, labelsFile: labels, c: 1}
		if a.kind != "u1" {
			return nil, fmt.Errorf("%s: %s holds %s, expected uint8", path, images, a.kind)
		}
		switch d := a.dims; {
		case len(d) == 3:
			p.n, p.h, p.w = d[0], d[1], d[2]
		case len(d) == 4 && (d[3] == 1 || d[3] == 3 || d[3] == 4):
			p.n, p.h, p.w, p.c = d[0], d[1], d[2], d[3]
		case len(d) == 4 && (d[1] == 1 || d[1] == 3):
			p.n, p.c, p.h, p.w, p.planar = d[0], d[1], d[2], d[3], true
		default:
			return nil, fmt.Errorf("%s: %s has the shape %v, expected N×H×W×C", path, images, d)
		}
		p.pixels = a.data
		if p.labels, err = l.integers(); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, labels, err)
		}
		return []raw{p}, nil
	}
	train, err := read("train")
	if err != nil {
		return nil, err
	}
	test, err := read("test")
	if err != nil {
		return nil, err
	}
	classes, err := numpyClasses(path)
	if err != nil {
		return nil, err
	}
	return r.fromRaw(ctx, classes, train, test)
}

// array is a NumPy array in row-major order.
type array struct {
	kind string // "u1", "i8", …
	dims []int
	data []byte
}

func readArray(open func() (io.ReadCloser, error), name string) (*array, error) {
	f, err := open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a, err := parseNPY(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return a, nil
}

var (
	npyDescr = regexp.MustCompile(`'descr':\s*'([<>|=]?)([a-z][0-9]+)'`)
	npyOrder = regexp.MustCompile(`'fortran_order':\s*(True|False)`)
	npyShape = regexp.MustCompile(`'shape':\s*\(([0-9, ]*)\)`)
)

// parseNPY reads NumPy's format, versions 1 to 3, of little-endian numbers in C's order.
func parseNPY(in io.Reader) (*array, error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:]); err != nil || string(head[:6]) != "\x93NUMPY" {
		return nil, fmt.Errorf("expected a NumPy header, found %q", head[:])
	}
	size := make([]byte, 2)
	if head[6] > 1 {
		size = make([]byte, 4)
	}
	if _, err := io.ReadFull(in, size); err != nil {
		return nil, fmt.Errorf("the NumPy header is cut off")
	}
	n := int(binary.LittleEndian.Uint32(append(slices.Clone(size), 0, 0)[:4]))
	if n > 1<<20 {
		return nil, fmt.Errorf("a NumPy header of %d bytes", n)
	}
	text, err := readExactly(in, n)
	if err != nil {
		return nil, fmt.Errorf("the NumPy header is cut off")
	}
	descr, order, shape := npyDescr.FindSubmatch(text), npyOrder.FindSubmatch(text), npyShape.FindSubmatch(text)
	if descr == nil || order == nil || shape == nil {
		return nil, fmt.Errorf("expected a NumPy header of plain numbers, found %q", bytes.TrimSpace(text))
	}
	if string(order[1]) == "True" || string(descr[1]) == ">" {
		return nil, fmt.Errorf("expected little-endian numbers in C's order; numpy.ascontiguousarray makes them so")
	}
	a := &array{kind: string(descr[2])}
	width, err := strconv.Atoi(a.kind[1:])
	if err != nil || width < 1 || width > 8 {
		return nil, fmt.Errorf("an array of %s", a.kind)
	}
	total := width
	for _, s := range strings.Split(string(shape[1]), ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		d, err := strconv.Atoi(s)
		if err != nil || d <= 0 || d > maxArray/total {
			return nil, fmt.Errorf("dimension %s of the array", s)
		}
		a.dims, total = append(a.dims, d), total*d
	}
	a.data, err = readExactly(in, total)
	return a, err
}

// integers returns the elements of an array of labels: N, or N×1.
func (a *array) integers() ([]int64, error) {
	if len(a.dims) != 1 && (len(a.dims) != 2 || a.dims[1] != 1) {
		return nil, fmt.Errorf("expected a list of labels, found the shape %v", a.dims)
	}
	v := make([]int64, a.dims[0])
	for i := range v {
		switch a.kind {
		case "u1":
			v[i] = int64(a.data[i])
		case "i1":
			v[i] = int64(int8(a.data[i]))
		case "u2", "i2":
			v[i] = int64(int16(binary.LittleEndian.Uint16(a.data[2*i:])))
		case "u4", "i4":
			v[i] = int64(int32(binary.LittleEndian.Uint32(a.data[4*i:])))
		case "u8", "i8":
			v[i] = int64(binary.LittleEndian.Uint64(a.data[8*i:]))
		default:
			return nil, fmt.Errorf("expected whole numbers, found %s", a.kind)
		}
	}
	return v, nil
}
