package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// IDX, the format of the MNIST family: train-images-idx3-ubyte, train-labels-idx1-ubyte and t10k-…,
// plain or gzipped.

// idxFile is the file of a part's images or labels, or "".
func idxFile(dir, part, kind string) string {
	if all := idxFiles(dir, part, kind); len(all) > 0 {
		return all[0]
	}
	return ""
}

// idxFiles are the files under all names that it may have; the first is read.
func idxFiles(dir, part, kind string) (all []string) {
	for _, sep := range []string{"-", "."} {
		for _, end := range []string{"", ".gz"} {
			if p := filepath.Join(dir, part+"-"+kind+sep+map[string]string{"images": "idx3", "labels": "idx1"}[kind]+"-ubyte"+end); exists(p) {
				all = append(all, p)
			}
		}
	}
	return all
}

// sameIDX refuses files of one array that hold different ones.
func (s *store) sameIDX(files []string) error {
	if len(files) < 2 {
		return nil
	}
	var sums [][]byte
	for _, path := range files {
		h := sha256.New()
		in, _, err := s.openPacked(path)
		if err == nil {
			_, err = io.Copy(h, in)
			in.Close()
		}
		if err != nil {
			return s.ofFile(path, err)
		}
		if sums = append(sums, h.Sum(nil)); !bytes.Equal(sums[0], sums[len(sums)-1]) {
			return fmt.Errorf("%s and %s differ, and both could be meant; remove one", s.rel(files[0]), s.rel(path))
		}
	}
	return nil
}

func isIDX(dir string, _ Options) bool { return idxFile(dir, "train", "images") != "" }

func openIDX(_ context.Context, dir string, o Options) (*Contents, error) {
	s := newStore(dir, o)
	part := func(name string) (*Part, error) {
		for _, kind := range []string{"images", "labels"} {
			if err := s.sameIDX(idxFiles(dir, name, kind)); err != nil {
				return nil, err
			}
		}
		images, labels := idxFile(dir, name, "images"), idxFile(dir, name, "labels")
		if images == "" {
			return nil, nil
		}
		a, err := idxImages(s, images)
		if err != nil {
			return nil, s.ofFile(images, err)
		}
		switch {
		case labels != "":
			a.labelsName = s.rel(labels)
			if a.labels, err = idxLabels(s, labels); err != nil {
				return nil, s.ofFile(labels, err)
			}
		case name == "train":
			return nil, fmt.Errorf("expected train-labels-idx1-ubyte beside the images")
		}
		return arrayPart([]arrays{*a})
	}
	c := &Contents{}
	var err error
	if c.Train, err = part("train"); err != nil {
		return nil, err
	}
	if c.Train == nil {
		return nil, fmt.Errorf("expected train-images-idx3-ubyte")
	}
	c.Test, err = part("t10k")
	return c, err
}

// maxArray bounds what one array of a file may claim to hold.
const maxArray = 1 << 40

// openPacked opens a file, unpacking it if its name ends in .gz, and returns how many bytes may come out of it.
func (s *store) openPacked(path string) (io.ReadCloser, int64, error) {
	f, size, err := s.open(path)
	if err != nil || !strings.HasSuffix(path, ".gz") {
		return f, size, err
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	most := 1<<20 + maxRatio*size
	return struct {
		io.Reader
		io.Closer
	}{&bounded{z, most}, closers{z, f}}, most, nil
}

func idxImages(s *store, path string) (*arrays, error) {
	in, most, err := s.openPacked(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	dims, err := idxHead(in)
	if err != nil {
		return nil, err
	}
	if len(dims) != 3 && len(dims) != 4 {
		return nil, fmt.Errorf("expected 3 dimensions, found %d", len(dims))
	}
	a := &arrays{name: s.rel(path), packed: strings.HasSuffix(path, ".gz"), image: Raw{Height: dims[1], Width: dims[2], Channels: 1}}
	if len(dims) == 4 {
		a.image.Channels = dims[3]
	}
	if err := a.bound(dims[0], most); err != nil {
		return nil, err
	}
	a.open = func() (io.ReadCloser, error) {
		in, _, err := s.openPacked(path)
		if err != nil {
			return nil, s.ofFile(path, err)
		}
		_, err = idxHead(in)
		return in, s.ofFile(path, err)
	}
	return a, nil
}

func product(dims []int) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= int64(d)
	}
	return n
}

func idxLabels(s *store, path string) (*labelList, error) {
	in, most, err := s.openPacked(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	dims, body, err := parseIDX(io.LimitReader(in, most))
	if err != nil {
		return nil, err
	}
	if len(dims) != 1 {
		return nil, fmt.Errorf("expected 1 dimension, found %d", len(dims))
	}
	l := &labelList{numbers: make([]int64, len(body))}
	for i, v := range body {
		l.numbers[i] = int64(v)
	}
	return l, nil
}

// idxHead reads the dimensions of an array of unsigned bytes.
func idxHead(in io.Reader) (dims []int, err error) {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, fmt.Errorf("expected an IDX header, the file ends")
	}
	if head[0] != 0 || head[1] != 0 || head[2] != 0x08 || head[3] == 0 || head[3] > 4 {
		return nil, fmt.Errorf("expected an IDX header of unsigned bytes, found % x", head)
	}
	total := 1
	for range head[3] {
		var d [4]byte
		if _, err := io.ReadFull(in, d[:]); err != nil {
			return nil, fmt.Errorf("expected %d dimensions, the file ends", head[3])
		}
		n := int(binary.BigEndian.Uint32(d[:]))
		if n <= 0 || n > maxArray/total {
			return nil, fmt.Errorf("dimension %d makes too large an array", n)
		}
		dims, total = append(dims, n), total*n
	}
	return dims, nil
}

// parseIDX reads an array whole.
func parseIDX(in io.Reader) (dims []int, body []byte, err error) {
	if dims, err = idxHead(in); err != nil {
		return nil, nil, err
	}
	body, err = readExactly(in, int(product(dims)))
	return dims, body, err
}

// readExactly reads n bytes, growing with what is really there.
func readExactly(in io.Reader, n int) ([]byte, error) {
	var b bytes.Buffer
	got, err := io.Copy(&b, io.LimitReader(in, int64(n)))
	if err != nil {
		return nil, err
	}
	if got < int64(n) {
		return nil, fmt.Errorf("expected %d bytes of data, found %d: the file is cut off", n, got)
	}
	return b.Bytes(), nil
}
