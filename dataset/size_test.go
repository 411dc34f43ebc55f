package dataset

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"path/filepath"
	"strings"
	"testing"
)

// coloured is a PNG file of h × w pixels.
func coloured(t *testing.T, h, w int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		if img.Pix[i] = uint8(i * 7); i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	img.Set(0, 0, color.RGBA{200, 3, 1, 255})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSizeKeepsDetail(t *testing.T) {
	for name, c := range map[string]struct {
		images []measure
		want   measure
		note   string // that has to be said; empty: nothing
	}{
		"alike":             {[]measure{{40, 30}, {40, 30}, {40, 30}}, measure{40, 30}, ""},
		"alike, large":      {[]measure{{480, 640}, {480, 640}}, measure{168, 224}, "have 640×480 pixels; they are read at 224×168, where 2 of 2 lose detail"},
		"just large enough": {[]measure{{224, 224}, {224, 224}}, measure{224, 224}, ""},
		"mixed":             {[]measure{{40, 90}, {60, 50}, {300, 70}}, measure{50, 50}, "have 3 sizes, from 90×40 to 70×300 pixels; they are read at 50×50, where 3 of 3 lose detail"},
		"mostly one":        {[]measure{{96, 96}, {96, 96}, {20, 20}, {96, 96}, {500, 500}}, measure{96, 96}, "where 1 of 5 lose detail"},
		"mixed, small":      {[]measure{{20, 20}, {20, 19}}, measure{19, 19}, "where 2 of 2 lose"},
		"enlarged":          {[]measure{{20, 20}, {20, 20}, {10, 10}}, measure{20, 20}, "they are read at 20×20; --size N"},
		"mixed, large":      {[]measure{{480, 640}, {640, 480}, {20, 20}}, measure{224, 224}, "2 of 3 lose detail"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for i, m := range c.images {
				put(t, filepath.Join(dir, []string{"a", "b"}[i%2], fmt.Sprintf("%d.png", i)), coloured(t, m.h, m.w))
			}
			d, err := Load(context.Background(), dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := (measure{d.Train.Height, d.Train.Width}); got != c.want {
				t.Errorf("read at %v, expected %v", got, c.want)
			}
			if notes := strings.Join(d.Notes, "\n"); c.note == "" && notes != "" || !strings.Contains(notes, c.note) {
				t.Errorf("the notes say %q, expected %q", notes, c.note)
			}
			for o, want := range map[measure]measure{{24, 0}: {24, 24}, {24, 12}: {24, 12}} {
				d, err := Load(context.Background(), dir, Options{Size: o.h, Width: o.w})
				if err != nil || d.Train.Height != want.h || d.Train.Width != want.w || len(d.Notes) > 0 {
					t.Errorf("as asked for: %+v, %v", d, err)
				}
			}
		})
	}
	if err := (Options{Width: 12}).check(); err == nil {
		t.Error("a width alone is accepted")
	}
}

// The sizes' order of being read does not matter.
func TestSizeIsOfTheSetNotOfItsOrder(t *testing.T) {
	a, b := sizes{}, sizes{}
	all := []measure{{30, 40}, {40, 30}, {50, 50}, {50, 50}, {20, 90}}
	for i := range all {
		a[all[i]]++
		b[all[len(all)-1-i]]++
	}
	if a.own() != b.own() || a.own() != (measure{30, 30}) {
		t.Errorf("%v and %v", a.own(), b.own())
	}
}
