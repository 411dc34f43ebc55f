package dataset

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/unpoison/unpoison/internal/testkit/corpus"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
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

// FuzzTable gives a table, beside which two images lie. What is read of it can be filtered.
func FuzzTable(f *testing.F) {
	for k, text := range []string{
		"file,label\na.png,x\nb.png,y\nb.png,x\n", "file\tlabel\na.png\t1\nb.png\t2\n",
		`{"file":"a.png","label":["x"]}` + "\n" + `{"file":"b.png","label":"y"}` + "\n" + `{"file":"a.png","label":"y"}`,
	} {
		f.Add([]byte(text), byte(k))
	}
	f.Add([]byte("image, Dog, Cat\na.png, 1, 0\nb.png, 0, 1\nb.png, 0, 1.0\n"), byte(0))
	f.Add([]byte("image;p;q;fold\na.png;true;false;train\nb.png;0;1;train\na.png;0;1;test\n"), byte(0))
	f.Add([]byte(`{"image":"a.png","p":1,"q":0,"r":0}`+"\n"+`{"q":true,"r":false,"p":"0.0","image":"b.png","x":null}`+"\n"), byte(2))
	f.Add([]byte("note,path,category\n\"two\nlines\",a.png,'=x\n\"a, b\",./b.png,\"y\nz\"\n"), byte(0))
	f.Add([]byte("\xff\xfef\x00,\x00l\x00a\x00b\x00e\x00l\x00\n\x00a\x00.\x00p\x00n\x00g\x00,\x001\x00\n\x00"), byte(0))
	f.Add([]byte(`{"image":"a.png","label":{"class":1e6}}`+"\n"+`{"image":"../b.png","label":-1}`), byte(2))
	f.Fuzz(func(t *testing.T, raw []byte, kind byte) {
		dir := t.TempDir()
		put(t, filepath.Join(dir, []string{"train.csv", "train.tsv", "train.jsonl"}[int(kind)%3]), raw)
		for k, name := range []string{"a.png", "b.png"} {
			put(t, filepath.Join(dir, name), dot(uint8(k)))
		}
		d, err := Load(context.Background(), dir, Options{SkipBad: true})
		if err != nil {
			return
		}
		for _, l := range d.Train.Labels {
			if l < 0 || int(l) >= len(d.Train.Classes) {
				t.Errorf("label %d of %d classes", l, len(d.Train.Classes))
			}
		}
		if d.Layout != "table" || len(d.Skipped) > 0 || d.Train.Len() < 2 {
			return
		}
		drop := make([]bool, d.Train.Len())
		drop[0] = true
		var labels []int32
		if d.Train.Len() > 2 { // what is left has an image, or the columns, of each class
			labels = slices.Repeat([]int32{-1}, d.Train.Len())
			labels[1] = d.Train.Labels[2]
		}
		if _, err := Correct(context.Background(), d, Options{SkipBad: true}, drop, labels, filepath.Join(t.TempDir(), "out")); err != nil && strings.Contains(err.Error(), "differ") {
			t.Error(err)
		}
	})
}

// FuzzStored gives a file of decoded images, with its two checksums made right.
func FuzzStored(f *testing.F) {
	store := f.TempDir()
	w, err := newDecodedWriter(store, decodedHead{Made: "x", Height: 1, Width: 2})
	if err != nil {
		f.Fatal(err)
	}
	for k, bad := range []*RecordError{nil, {Want: "a", Got: "b"}, nil} {
		if err := w.add([]byte{1, 2, 3, 4, 5, byte(k)}, ImageDigest{byte(k)}, bad); err != nil {
			f.Fatal(err)
		}
	}
	path, err := w.finish(3)
	if err != nil {
		f.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw[:len(raw)-decodedEnd], 100)
	f.Add([]byte(`{"height":1,"width":1,"sources":1,"bad":{"0":{}}}`), 49)
	f.Fuzz(func(t *testing.T, raw []byte, head int) {
		if head < 0 || head > len(raw) {
			return
		}
		var d decodedFile
		if json.Unmarshal(raw[len(raw)-head:], &d.decodedHead) == nil {
			d.Sources = min(max(0, d.Sources), len(raw))
			tail := raw[min(len(raw), max(0, int(min(d.pixels(), int64(len(raw)))))):]
			sum := sha256.Sum256(tail)
			raw = append(bytes.Clone(raw), sum[:]...)
		} else {
			raw = append(bytes.Clone(raw), make([]byte, sha256.Size)...)
		}
		raw = append(binary.LittleEndian.AppendUint64(raw, uint64(head)), decodedMagic...)
		path := filepath.Join(t.TempDir(), "x"+decodedSuffix)
		put(t, path, raw)
		file, err := openDecoded(path)
		if err != nil {
			return
		}
		defer file.file.Close()
		if _, pixels, err := file.load(t.Context()); err == nil && int64(len(pixels)) != file.pixels() {
			t.Errorf("%d bytes, expected %d", len(pixels), file.pixels())
		}
	})
}

// FuzzFeatures gives a file of features of six images.
func FuzzFeatures(f *testing.F) {
	for _, p := range []string{"torch-float32", "torch-float16", "numpy-big-endian", "numpy-columns"} {
		raw, err := os.ReadFile("testdata/features/" + p + ".npy")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, false)
	}
	for _, rows := range []any{
		[]namedRow{{"train/a/0.png", []float32{1, 2}}, {"1.png", nil}, {"2.png", []float32{3, 4}}},
		[]plainRow{{[]float64{1}}, {nil}, {[]float64{2}}, {nil}, {nil}, {[]float64{5}}},
	} {
		var b bytes.Buffer
		var err error
		switch rows := rows.(type) {
		case []namedRow:
			err = parquet.Write(&b, rows)
		case []plainRow:
			err = parquet.Write(&b, rows)
		}
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes(), true)
	}
	set := sixImages()
	f.Fuzz(func(t *testing.T, raw []byte, table bool) {
		path := filepath.Join(t.TempDir(), map[bool]string{false: "f.npy", true: "f.parquet"}[table])
		put(t, path, raw)
		got, err := LoadFeatures(path, set, FeatureOptions{})
		if err != nil {
			return
		}
		for i := range set.Len() {
			row := got.At(i)
			if row != nil && len(row) != got.Width {
				t.Errorf("%d numbers, expected %d", len(row), got.Width)
			}
			for _, v := range row {
				if !finite(v) {
					t.Errorf("image %d has %v", i, v)
				}
			}
		}
	})
}

// loadFile loads a folder in which a single file lies.
func loadFile(t *testing.T, name string, raw []byte) {
	dir := t.TempDir()
	testfile.Write(t, filepath.Join(dir, name), raw)
	_, _ = Load(context.Background(), dir, Options{SkipBad: true})
}
