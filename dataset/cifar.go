package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

// CIFAR's binary version: records of label bytes and 3072 bytes of image, channel after channel.

const (
	cifarSide   = 32
	cifarPixels = cifarSide * cifarSide
)

var cifar10Classes = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

func isCIFAR10(dir string) bool {
	m, _ := filepath.Glob(filepath.Join(dir, "data_batch_*.bin"))
	return len(m) > 0
}

func isCIFAR100(dir string) bool { return exists(filepath.Join(dir, "train.bin")) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func loadCIFAR10(ctx context.Context, dir string, r *reader) (*Data, error) {
	files, _ := filepath.Glob(filepath.Join(dir, "data_batch_*.bin"))
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: expected data_batch_1.bin and so on, found none", dir)
	}
	sort.Strings(files)
	return loadCIFAR(ctx, dir, files, "test_batch.bin", 1, classNames(dir, "batches.meta.txt", cifar10Classes, 10), r)
}

func loadCIFAR100(ctx context.Context, dir string, r *reader) (*Data, error) {
	return loadCIFAR(ctx, dir, []string{filepath.Join(dir, "train.bin")}, "test.bin", 2, classNames(dir, "fine_label_names.txt", nil, 100), r)
}

// classNames reads a line a class, if the file is there.
func classNames(dir, file string, names []string, n int) []string {
	if raw, err := os.ReadFile(filepath.Join(dir, file)); err == nil {
		if f := strings.Fields(string(raw)); len(f) == n {
			return f
		}
	}
	if names != nil {
		return names
	}
	names = make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

func loadCIFAR(ctx context.Context, dir string, train []string, test string, labels int, classes []string, r *reader) (*Data, error) {
	read := func(files []string) (*Set, error) {
		s := &Set{Height: cifarSide, Width: cifarSide, Classes: classes}
		var total int64
		for _, f := range files {
			if st, err := os.Stat(f); err == nil {
				total += st.Size()
			}
		}
		n := int(total) / (labels + 3*cifarPixels)
		s.Pixels, s.Labels = make([]uint8, 0, n*3*cifarPixels), make([]int32, 0, n)
		for _, f := range files {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := readCIFAR(s, f, filepath.Base(f), labels, r); err != nil {
				return nil, err
			}
		}
		return s, nil
	}
	d := &Data{}
	var err error
	if d.Train, err = read(train); err != nil {
		return nil, err
	}
	if path := filepath.Join(dir, test); exists(path) {
		if d.Test, err = read([]string{path}); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// readCIFAR appends the records of one file; with two label bytes the second counts (fine labels).
func readCIFAR(s *Set, path, name string, labels int, r *reader) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	size := labels + 3*cifarPixels
	rec := make([]byte, size)
	img := make([]uint8, 3*cifarPixels)
	for row := 0; ; row++ {
		n, err := io.ReadFull(f, rec)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return r.bad(&RecordError{name, row, fmt.Sprintf("a record of %d bytes", size), fmt.Sprintf("%d bytes: the file is cut off", n)})
		}
		if err != nil {
			return err
		}
		label := int(rec[labels-1])
		if label >= len(s.Classes) {
			if err := r.bad(&RecordError{name, row, fmt.Sprintf("a label from 0 to %d", len(s.Classes)-1), strconv.Itoa(label)}); err != nil {
				return err
			}
			continue
		}
		for p := range cifarPixels {
			for c := range 3 {
				img[3*p+c] = rec[labels+c*cifarPixels+p]
			}
		}
		s.add(r.fit(img, cifarSide, cifarSide, s), int32(label), name, row)
	}
}

func writeCIFAR10(dir string, d *Data) error {
	return writeCIFAR(dir, d, "data_batch_%d.bin", "test_batch.bin", 1, "batches.meta.txt")
}

func writeCIFAR100(dir string, d *Data) error {
	return writeCIFAR(dir, d, "train.bin", "test.bin", 2, "fine_label_names.txt")
}

func writeCIFAR(dir string, d *Data, train, test string, labels int, meta string) error {
	if d.Train.Height != cifarSide || d.Train.Width != cifarSide {
		return fmt.Errorf("CIFAR's layout holds 32×32 images, these have %d×%d", d.Train.Height, d.Train.Width)
	}
	batch := max(1, d.Train.Len())
	if strings.Contains(train, "%d") {
		batch = max(10000, (d.Train.Len()+4)/5)
	}
	for k := 0; k*batch < max(1, d.Train.Len()); k++ {
		name := train
		if strings.Contains(train, "%d") {
			name = fmt.Sprintf(train, k+1)
		}
		if err := writeCIFARFile(filepath.Join(dir, name), d.Train, k*batch, min((k+1)*batch, d.Train.Len()), labels); err != nil {
			return err
		}
	}
	if d.Test != nil {
		if err := writeCIFARFile(filepath.Join(dir, test), d.Test, 0, d.Test.Len(), labels); err != nil {
			return err
		}
	}
	return atomicfile.WriteBytes(filepath.Join(dir, meta), []byte(strings.Join(d.Train.Classes, "\n")+"\n"))
}

func writeCIFARFile(path string, s *Set, lo, hi, labels int) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		rec := make([]byte, labels+3*cifarPixels)
		for i := lo; i < hi; i++ {
			rec[labels-1] = byte(s.Labels[i])
			img := s.Image(i)
			for p := range cifarPixels {
				for c := range 3 {
					rec[labels+c*cifarPixels+p] = img[3*p+c]
				}
			}
			if _, err := w.Write(rec); err != nil {
				return err
			}
		}
		return nil
	})
}
