package dataset

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// clearNote returns what is said of transparent images.
func clearNote(notes []string) string {
	k := slices.IndexFunc(notes, func(n string) bool { return strings.Contains(n, "transparent") })
	if k < 0 {
		return ""
	}
	said, _, _ := strings.Cut(notes[k], ";")
	return said
}

// clearPNG is an image of one colour with a transparent pixel of another.
func clearPNG(under color.NRGBA) []byte {
	img := image.NewNRGBA(image.Rect(0, 0, 4, 4))
	for i := range img.Pix {
		img.Pix[i] = 255 - uint8(i%3)
	}
	for i := 3; i < len(img.Pix); i += 4 {
		img.Pix[i] = 255
	}
	img.SetNRGBA(1, 2, under)
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// What transparency hides from an audit, programs that leave it out train on: it is said of which images.
func TestTransparentImagesAreNoted(t *testing.T) {
	hidden, shown := clearPNG(color.NRGBA{255, 0, 9, 20}), clearPNG(color.NRGBA{255, 0, 9, 255})
	dir := t.TempDir()
	for i, raw := range [][]byte{shown, clearPNG(color.NRGBA{}), hidden, shown[:50], hidden} { // black under transparency is black in any case
		put(t, filepath.Join(dir, "a", fmt.Sprintf("%d.png", i)), raw)
		put(t, filepath.Join(dir, "b", fmt.Sprintf("%d.png", i)), shown)
	}
	o := Options{SkipBad: true}
	const want = "2 images with transparent pixels, the first is a/2.png"
	stored := o
	stored.Store = t.TempDir()
	for name, o := range map[string]Options{"in memory": o, "in a new file": stored, "in a file that is there": stored} {
		d, err := Load(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if got := clearNote(d.Notes); got != want {
			t.Errorf("%s: %q, expected %q", name, got, want)
		}
	}
	if d, _, _, err := inPacks(dir, o); err != nil || clearNote(d.Notes) != want {
		t.Errorf("in packs: %+v, %v", d, err)
	}
	ignore := func(int, []uint8, error) error { return nil }
	notes, err := EachImage(t.Context(), []string{filepath.Join(dir, "a", "0.png"), filepath.Join(dir, "a", "4.png")}, 4, 4, 0, ignore)
	if err != nil || !strings.HasPrefix(clearNote(notes), "1 image with transparent pixels, the first is "+dir) {
		t.Errorf("files: %q, %v", notes, err)
	}
}

func TestTransparentPixelsOfAllKinds(t *testing.T) {
	pixels := slices.Repeat([]byte{7, 8, 9, 255}, 2*3*3)
	planes := slices.Concat(slices.Repeat([]byte{7}, 9), slices.Repeat([]byte{8}, 9), slices.Repeat([]byte{9}, 9), slices.Repeat([]byte{255}, 9))
	for name, planar := range map[string]bool{"pixels": false, "planes": true} {
		raw := slices.Clone(pixels[:36])
		at := 4*4 + 3
		if planar {
			raw, at = planes, 3*9+4
		}
		r := &Record{Raw: &Raw{Height: 3, Width: 3, Channels: 4, Planar: planar}}
		before := r.isClear(raw)
		if raw[at] = 254; before || !r.isClear(raw) {
			t.Errorf("%s: a transparent pixel is not seen, or one that is not there", name)
		}
	}
	var b bytes.Buffer
	p := image.NewPaletted(image.Rect(0, 0, 2, 2), color.Palette{color.RGBA{9, 9, 9, 255}, color.RGBA{}})
	p.Pix[3] = 1
	if err := gif.Encode(&b, p, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, _, clear, err := decodeDepth(b.Bytes(), 16); err != nil || !clear {
		t.Errorf("GIF: %v, %v", clear, err)
	}
	if _, _, _, clear, err := decodeDepth(dot(3), 16); err != nil || clear {
		t.Errorf("a plain image: %v, %v", clear, err)
	}
}
