package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// greyDeep is a PNG file of grey pixels with 16 bits, the brightest of which has a value.
func greyDeep(t *testing.T, most uint16) []byte {
	t.Helper()
	img := image.NewGray16(image.Rect(0, 0, 2, 2))
	img.SetGray16(1, 1, color.Gray16{Y: most})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// partOfFiles is a part of image files, which are read by file, at any time and by anybody.
func partOfFiles(n int, file func(k int) ([]byte, error)) *Part {
	return &Part{Name: "train", Records: func(yield func(Record) error) error {
		for k := range n {
			r := Record{Source: fmt.Sprint(k), Row: -1, Label: Number(int64(k % 2)), apart: true, File: func() ([]byte, error) { return file(k) }}
			if err := yield(r); err != nil {
				return err
			}
		}
		return nil
	}}
}

// The first pass opens several files at a time, and looks at no image twice.
func TestTheFirstPassLooksAtSeveralFilesAtATime(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	raw := greyDeep(t, 4000)
	var waiting, opened atomic.Int32
	all := make(chan struct{})
	s, err := newBuilder(context.Background(), Options{}).scan(partOfFiles(3, func(int) ([]byte, error) {
		opened.Add(1)
		if waiting.Add(1) == 3 {
			close(all)
		}
		select {
		case <-all:
			return raw, nil
		case <-time.After(10 * time.Second):
			return nil, errors.New("alone")
		}
	}))
	if err != nil || s.sizes[measure{2, 2}] != 3 || opened.Load() != 3 {
		t.Errorf("%d files were opened for the sizes %v: %v", opened.Load(), s.sizes, err)
	}
}

// What the first pass finds, and the error that it ends with, is the first in order, whoever is the first to look.
func TestTheFirstPassIsTheSameForAnyNumberOfProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	dark, bright := greyDeep(t, 500), greyDeep(t, 4000)
	grey, coloured := greyAlpha(8, [2]uint16{1, 255}), coloured(t, 3, 5)
	part := func(bad int) *Part {
		p := partOfFiles(40, func(k int) ([]byte, error) {
			switch {
			case k == 7: // the first of the brightest ones, which comes late
				time.Sleep(20 * time.Millisecond)
				return bright, nil
			case k > 7 && k%3 == 0:
				return bright, nil
			case k == 11:
				return coloured, nil
			case k == 13:
				return coloured[:20], nil // which tells no size
			}
			return [][]byte{dark, grey}[k%2], nil
		})
		records := p.Records
		p.Records = func(yield func(Record) error) error {
			return records(func(r Record) error {
				if bad > 0 && (r.Source == fmt.Sprint(bad) || r.Source == fmt.Sprint(bad+1)) {
					r.Err = &RecordError{r.Source, -1, "an image", "none"}
				}
				return yield(r)
			})
		}
		return p
	}
	want := ""
	for _, n := range []int{1, 2, 7} {
		runtime.GOMAXPROCS(n)
		s, err := newBuilder(context.Background(), Options{}).scan(part(0))
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(s.records, s.missing, len(s.labels), s.sizes, s.colour, s.deep, s.brightest, s.brightestAt)
		if want == "" {
			want = got
		}
		if got != want || s.brightest != 4000 || s.brightestAt != "7" || !s.colour || s.sizes[measure{3, 5}] != 1 {
			t.Errorf("%d processors: %s, expected %s", n, got, want)
		}
		var bad *RecordError
		if _, err := newBuilder(context.Background(), Options{}).scan(part(20)); !errors.As(err, &bad) || bad.File != "20" {
			t.Errorf("%d processors: %v", n, err)
		}
	}
}

// A decoder that panics in the first pass spoils one image, and says so when that is read.
func TestTheFirstPassOutlivesDecoders(t *testing.T) {
	s, err := newBuilder(context.Background(), Options{}).scan(partOfFiles(3, func(k int) ([]byte, error) {
		if k == 1 {
			panic("a decoder's")
		}
		return greyDeep(t, 9), nil
	}))
	if err != nil || s.records != 3 || s.sizes[measure{2, 2}] != 2 {
		t.Errorf("%+v, %v", s, err)
	}
}

// Where all 16 bits are to be taken, no image is decoded to find the brightest; fewer bits are checked against all images.
func TestTheBrightestIsLookedForWhereItMatters(t *testing.T) {
	dir := t.TempDir()
	for _, class := range []string{"a", "b"} {
		put(t, filepath.Join(dir, class, "x.png"), greyDeep(t, 5000))
	}
	if _, err := Load(context.Background(), dir, Options{Depth: 12}); err == nil || !strings.Contains(err.Error(), "samples of 12 bits") {
		t.Error(err)
	}
	for depth, looks := range map[int]int{0: 5000, 12: 5000, 16: 0} {
		s, err := newBuilder(context.Background(), Options{Depth: depth}).scan(partOfFiles(1, func(int) ([]byte, error) { return greyDeep(t, 5000), nil }))
		if err != nil || !s.deep || s.brightest != looks {
			t.Errorf("--depth %d: %+v, %v", depth, s, err)
		}
	}
	d, err := Load(context.Background(), dir, Options{Depth: 16})
	if err != nil || d.Depth != 16 || d.Train.Image(0)[9] != 5000>>8 {
		t.Error(d, err)
	}
}
