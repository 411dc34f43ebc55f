package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/corpus"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/rng"

	"golang.org/x/image/bmp"
)

// synthetic returns n random images of the given classes.
func synthetic(n, side int, classes []string) *Set {
	s := &Set{Height: side, Width: side, Classes: classes}
	r := rng.Stream(1, "synthetic", n, side)
	img := make([]uint8, side*side*3)
	for i := range n {
		for k := range img {
			img[k] = uint8(r.IntN(256))
		}
		s.add(img, int32(i%len(classes)), "memory", i)
	}
	return s
}

func numbered(n int) []string {
	c := make([]string, n)
	for i := range c {
		c[i] = fmt.Sprintf("%05d", i)
	}
	return c
}

func TestLayoutsRoundTrip(t *testing.T) {
	for _, l := range []struct {
		name    string
		classes []string
	}{{"cifar10", cifar10Classes}, {"cifar100", numbered(100)}, {"gtsrb", numbered(4)}, {"folder", []string{"a", "b", "c"}}} {
		t.Run(l.name, func(t *testing.T) {
			dir := t.TempDir()
			d := &Data{Train: synthetic(120, 32, l.classes), Test: synthetic(40, 32, l.classes)}
			if err := Write(l.name, dir, d); err != nil {
				t.Fatal(err)
			}
			got, err := Load(context.Background(), dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got.Layout != l.name {
				t.Errorf("recognised as %s", got.Layout)
			}
			named, err := Load(context.Background(), l.name+":"+dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if named.Train.Digest() != got.Train.Digest() {
				t.Error("layout:DIR reads other data than DIR")
			}
			// Layouts that sort by class change the order, not the content.
			if want, have := content(d.Train), content(got.Train); !slices.Equal(want, have) {
				t.Error("training images or labels changed")
			}
			if want, have := content(d.Test), content(got.Test); !slices.Equal(want, have) {
				t.Error("test images or labels changed")
			}
			for _, i := range []int{0, got.Train.Len() - 1} {
				if src := got.Train.Source(i); src == "" || strings.HasPrefix(src, "image ") {
					t.Errorf("image %d has no source: %q", i, src)
				}
			}
		})
	}
}

// content lists images with their class names, sorted.
func content(s *Set) []string {
	var all []string
	for i, l := range s.Labels {
		all = append(all, s.Classes[l]+string(s.Image(i)))
	}
	slices.Sort(all)
	return all
}

func TestCIFARErrorsNameFileAndRow(t *testing.T) {
	dir := t.TempDir()
	if err := Write("cifar10", dir, &Data{Train: synthetic(30, 32, cifar10Classes), Test: synthetic(10, 32, cifar10Classes)}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "data_batch_1.bin")
	raw := testfile.Read(t, path)
	for _, c := range []struct {
		name   string
		damage func([]byte) []byte
		want   []string
		left   int
	}{
		{"label", func(b []byte) []byte { b[7*3073] = 77; return b }, []string{"data_batch_1.bin", "row 7", "0 to 9", "77"}, 29},
		{"cut", func(b []byte) []byte { return b[:len(b)-5] }, []string{"data_batch_1.bin", "row 29", "3073", "3068"}, 29},
	} {
		t.Run(c.name, func(t *testing.T) {
			testfile.Write(t, path, c.damage(bytes.Clone(raw)))
			_, err := Load(context.Background(), dir, Options{})
			var rec *RecordError
			if !errors.As(err, &rec) {
				t.Fatalf("got %v, expected a RecordError", err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
			d, err := Load(context.Background(), dir, Options{SkipBad: true})
			if err != nil {
				t.Fatal(err)
			}
			if len(d.Skipped) != 1 || d.Train.Len() != c.left {
				t.Errorf("skipped %d, %d images left, expected 1 and %d", len(d.Skipped), d.Train.Len(), c.left)
			}
		})
	}
}

func TestFolderReadsImageFormats(t *testing.T) {
	dir := t.TempDir()
	img := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for y := range 30 {
		for x := range 40 {
			img.Set(x, y, color.RGBA{200, 100, 50, 255})
		}
	}
	grey := image.NewGray(image.Rect(0, 0, 16, 16))
	write := func(name string, encode func(*os.File) error) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := encode(f); err != nil {
			t.Fatal(err)
		}
	}
	write("one/a.png", func(f *os.File) error { return png.Encode(f, img) })
	write("one/b.jpg", func(f *os.File) error { return jpeg.Encode(f, img, &jpeg.Options{Quality: 100}) })
	write("one/c.bmp", func(f *os.File) error { return bmp.Encode(f, img) })
	write("two/d.gif", func(f *os.File) error { return gif.Encode(f, img, nil) })
	write("two/e.png", func(f *os.File) error { return png.Encode(f, grey) })
	write("two/f.ppm", func(f *os.File) error {
		_, err := f.Write(append([]byte("P6 # comment\n2 1\n255\n"), 200, 100, 50, 200, 100, 50))
		return err
	})
	d, err := Load(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Train.Len() != 6 || d.Train.Height != 30 || d.Train.Width != 30 {
		t.Fatalf("%d images of %d×%d, expected 6 of 30×30", d.Train.Len(), d.Train.Height, d.Train.Width)
	}
	for _, i := range []int{0, 1, 2, 3, 5} {
		c := d.Train.Image(i)[3*(15*30+15):]
		for k, want := range []int{200, 100, 50} {
			if diff := int(c[k]) - want; diff < -25 || diff > 25 {
				t.Errorf("%s: colour %v, expected about 200, 100, 50", d.Train.Source(i), c[:3])
				break
			}
		}
	}

	testfile.Write(t, filepath.Join(dir, "one", "broken.png"), "\x89PNG\r\n\x1a\nno")
	if _, err := Load(context.Background(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "one/broken.png") {
		t.Errorf("the error does not name the file: %v", err)
	}
	d, err = Load(context.Background(), dir, Options{SkipBad: true})
	if err != nil || len(d.Skipped) != 1 || d.Train.Len() != 6 {
		t.Errorf("with SkipBad: %v, %v", d, err)
	}
}

func TestUnknownLayoutListsLayouts(t *testing.T) {
	_, err := Load(context.Background(), t.TempDir(), Options{})
	if err == nil || !strings.Contains(err.Error(), "cifar10") || !strings.Contains(err.Error(), "folder") {
		t.Errorf("got %v", err)
	}
	if _, err := Load(context.Background(), filepath.Join(t.TempDir(), "missing"), Options{}); err == nil {
		t.Error("a missing folder was accepted")
	}
}

func TestLimitIsASeededSubset(t *testing.T) {
	dir := t.TempDir()
	if err := Write("cifar10", dir, &Data{Train: synthetic(100, 32, cifar10Classes)}); err != nil {
		t.Fatal(err)
	}
	load := func(seed uint64) *Set {
		d, err := Load(context.Background(), dir, Options{Limit: 20, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		return d.Train
	}
	first, again, other := load(1), load(1), load(2)
	if first.Digest() != again.Digest() || first.Digest() == other.Digest() || first.Len() != 20 {
		t.Error("the limit is no seeded subset of 20")
	}
}

func TestClassesInAnotherOrder(t *testing.T) {
	s := &Set{Classes: []string{"a", "b", "c"}, Labels: []int32{0, 1, 2, 1}}
	for _, names := range [][]string{{"a", "b"}, {"a", "b", "d"}, {"a", "b", "d", "e"}, {"a", "b", "b"}, {"a", "b", "c", "c"}, nil} {
		if s.OrderClasses(names) || !slices.Equal(s.Labels, []int32{0, 1, 2, 1}) || s.Classes[2] != "c" {
			t.Errorf("%v: %+v", names, s)
		}
	}
	if !s.OrderClasses([]string{"c", "a", "b"}) || !slices.Equal(s.Labels, []int32{1, 2, 0, 2}) || s.Classes[0] != "c" {
		t.Errorf("%+v", s)
	}
	if !s.OrderClasses([]string{"b", "x", "a", "c"}) || !slices.Equal(s.Labels, []int32{2, 0, 3, 0}) || len(s.Classes) != 4 {
		t.Errorf("with a class that it lacks: %+v", s)
	}
}

func TestDuplicates(t *testing.T) {
	s := synthetic(10, 8, []string{"a", "b"})
	copy(s.Image(4), s.Image(2)) // the same label
	copy(s.Image(7), s.Image(2)) // another label
	if d := s.Twins(); d.Same != 2 || d.Conflicting != 1 {
		t.Errorf("%d duplicates, %d conflicting, expected 2 and 1", d.Same, d.Conflicting)
	}
}

func TestResizeKeepsConstantsAndAverages(t *testing.T) {
	in := bytes.Repeat([]byte{10, 20, 30}, 50*40)
	for i, v := range Resize(in, 50, 40, 32, 32) {
		if want := []byte{10, 20, 30}[i%3]; v != want {
			t.Fatalf("a constant image is not constant: %d at %d", v, i)
		}
	}
	// Stripes finer than a pixel must not alias: they average out.
	stripes := make([]byte, 256*256*3)
	for i := range stripes {
		stripes[i] = byte(i / 3 % 2 * 255)
	}
	for _, v := range Resize(stripes, 256, 256, 16, 16)[16*3*4 : 16*3*12] {
		if v < 100 || v > 155 {
			t.Fatalf("fine stripes give %d, expected about 128", v)
		}
	}
}

func FuzzPNM(f *testing.F) {
	corpus.Add(f)
	f.Add([]byte("P6\n2 1\n255\nabcdef"))
	f.Add([]byte("P5 #c\n1 1 65535 ab"))
	f.Add([]byte("P6 99999999 99999999 255 "))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if img, err := decodePNM(bytes.NewReader(raw)); err == nil && img.Bounds().Empty() {
			t.Error("an empty image without an error")
		}
	})
}
