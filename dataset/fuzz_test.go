package dataset

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/corpus"
)

func seedFrom(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		f.Fatalf("%s: no files: %v", pattern, err)
	}
	for _, p := range files {
		raw, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
}

func FuzzImage(f *testing.F) {
	corpus.Add(f)
	seedFrom(f, "testdata/odd/*")
	f.Fuzz(func(t *testing.T, raw []byte) {
		head, err := headOf(raw)
		if err != nil || head.width*head.height > 1<<20 {
			return
		}
		animated(raw)
		if head.deep {
			_, _ = brightest(raw)
		}
		if pixels, h, w, err := decode(raw); err == nil && len(pixels) != h*w*3 {
			t.Errorf("%d bytes for %d×%d", len(pixels), h, w)
		}
	})
}

func FuzzNPY(f *testing.F) {
	corpus.Add(f)
	seedFrom(f, "testdata/numpy/planar/*.npy")
	f.Fuzz(func(_ *testing.T, raw []byte) {
		in := bytes.NewReader(raw)
		if a, err := npyHead(in); err == nil && product(a.dims) < 1<<20 {
			_, _ = a.labels(in)
		}
	})
}

func FuzzIDX(f *testing.F) {
	corpus.Add(f)
	seedFrom(f, "testdata/idx/*ubyte")
	f.Fuzz(func(t *testing.T, raw []byte) {
		dims, body, err := parseIDX(bytes.NewReader(raw))
		n := 1
		for _, d := range dims {
			n *= d
		}
		if err == nil && len(body) != n {
			t.Errorf("%d bytes for %v", len(body), dims)
		}
	})
}

func FuzzTar(f *testing.F) {
	corpus.Add(f)
	seedFrom(f, "testdata/webdataset/*.tar")
	f.Fuzz(func(_ *testing.T, raw []byte) {
		s := newShard("shard", Options{})
		if s.look(tar.NewReader(bytes.NewReader(raw))) != nil {
			return
		}
		_ = s.records(tar.NewReader(bytes.NewReader(raw)), func(c Record) error {
			if c.File != nil {
				_, _ = c.File()
			}
			return nil
		})
	})
}

// FuzzFiles writes what it is given as one of the formats that are read from files.
func FuzzFiles(f *testing.F) {
	corpus.Add(f)
	for k, p := range []string{"testdata/cifar-python/data_batch_2", "testdata/table/train.csv", "testdata/table/lines.jsonl", "testdata/numpy/all.npz"} {
		raw, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, byte(k))
	}
	names := []string{"data_batch_1", "train.csv", "train.jsonl", "all.npz"}
	f.Fuzz(func(t *testing.T, raw []byte, kind byte) {
		loadFile(t, names[int(kind)%len(names)], raw)
	})
}

func FuzzParquet(f *testing.F) {
	corpus.Add(f)
	seedFrom(f, "testdata/parquet/data/*")
	f.Fuzz(func(t *testing.T, raw []byte) {
		loadFile(t, "train.parquet", raw)
	})
}

// loadFile loads a folder in which a single file lies.
func loadFile(t *testing.T, name string, raw []byte) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _ = Load(context.Background(), dir, Options{SkipBad: true})
}
