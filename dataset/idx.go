package dataset

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// IDX, the format of the MNIST family: train-images-idx3-ubyte, train-labels-idx1-ubyte and t10k-…,
// plain or gzipped.

func idxFile(dir, part, kind string) string {
	for _, sep := range []string{"-", "."} {
		for _, end := range []string{"", ".gz"} {
			if p := filepath.Join(dir, part+"-"+kind+sep+map[string]string{"images": "idx3", "labels": "idx1"}[kind]+"-ubyte"+end); exists(p) {
				return p
			}
		}
	}
	return ""
}

func isIDX(dir string) bool { return idxFile(dir, "train", "images") != "" }

func loadIDX(ctx context.Context, dir string, r *reader) (*Data, error) {
	read := func(part string) ([]raw, error) {
		images, labels := idxFile(dir, part, "images"), idxFile(dir, part, "labels")
		if images == "" {
			return nil, nil
		}
		if labels == "" {
			return nil, fmt.Errorf("%s: expected %s-labels-idx1-ubyte beside the images", dir, part)
		}
		dims, body, err := readIDX(images)
		if err != nil {
			return nil, err
		}
		p := raw{file: filepath.Base(images), labelsFile: filepath.Base(labels), c: 1, pixels: body}
		switch len(dims) {
		case 3:
		case 4:
			p.c = dims[3]
		default:
			return nil, fmt.Errorf("%s: expected 3 dimensions, found %d", images, len(dims))
		}
		p.n, p.h, p.w = dims[0], dims[1], dims[2]
		ldims, lbody, err := readIDX(labels)
		if err != nil {
			return nil, err
		}
		if len(ldims) != 1 {
			return nil, fmt.Errorf("%s: expected 1 dimension, found %d", labels, len(ldims))
		}
		for _, l := range lbody {
			p.labels = append(p.labels, int64(l))
		}
		return []raw{p}, nil
	}
	train, err := read("train")
	if err != nil {
		return nil, err
	}
	if train == nil {
		return nil, fmt.Errorf("%s: expected train-images-idx3-ubyte", dir)
	}
	test, err := read("t10k")
	if err != nil {
		return nil, err
	}
	return r.fromRaw(ctx, nil, train, test)
}

// maxArray bounds what one array of a file may hold.
const maxArray = 4 << 30

// readIDX returns the dimensions and the unsigned bytes of a file.
func readIDX(path string) (dims []int, body []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		defer z.Close()
		in = z
	}
	if dims, body, err = parseIDX(in); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return dims, body, err
}

func parseIDX(in io.Reader) (dims []int, body []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, nil, fmt.Errorf("expected an IDX header, the file ends")
	}
	if head[0] != 0 || head[1] != 0 || head[2] != 0x08 || head[3] == 0 || head[3] > 4 {
		return nil, nil, fmt.Errorf("expected an IDX header of unsigned bytes, found % x", head)
	}
	total := 1
	for range head[3] {
		var d [4]byte
		if _, err := io.ReadFull(in, d[:]); err != nil {
			return nil, nil, fmt.Errorf("expected %d dimensions, the file ends", head[3])
		}
		n := int(binary.BigEndian.Uint32(d[:]))
		if n <= 0 || n > maxArray/total {
			return nil, nil, fmt.Errorf("dimension %d makes too large an array", n)
		}
		dims, total = append(dims, n), total*n
	}
	if body, err = readExactly(in, total); err != nil {
		return nil, nil, err
	}
	return dims, body, nil
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
