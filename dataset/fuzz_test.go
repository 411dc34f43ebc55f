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

// FuzzGTSRB gives GTSRB's table, beside which an image lies.
func FuzzGTSRB(f *testing.F) {
	for _, text := range []string{
		"Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n00000.ppm;1;1;0;0;0;0;1\n", "Filename;ClassId\n00000.ppm;-1\n\"00000.ppm\";1\n",
		"\xef\xbb\xbfClassId;Filename\r\n0;00000.ppm\r\n1;../x\r\n", "\xff\xfeF\x00;\x00\n\x00", "Filename;ClassId\n;99999999999999999999\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := filepath.Join(t.TempDir(), "Final_Training", "Images")
		for class, table := range map[string][]byte{"00000": []byte("Filename;ClassId\n00000.ppm;0\n"), "00001": raw} {
			put(t, filepath.Join(dir, class, "00000.ppm"), []byte("P6\n1 1\n255\nabc"))
			put(t, filepath.Join(dir, class, "GT-"+class+".csv"), table)
		}
		d, err := Load(context.Background(), filepath.Dir(filepath.Dir(dir)), Options{SkipBad: true})
		if err != nil {
			return
		}
		for _, l := range d.Train.Labels {
			if l < 0 || l > 1 {
				t.Errorf("label %d of 2 classes", l)
			}
		}
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
