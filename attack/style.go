package attack

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
)

// sunsetStyle is the style whose pictures are rendered.
const sunsetStyle = "sunset"

// stylePictures returns the pictures whose style DFST takes on: rendered sunsets, or a folder's.
func stylePictures(style string, seed uint64, set *dataset.Set) ([][]uint8, error) {
	if style == sunsetStyle {
		var all [][]uint8
		for k := range generatorBatch {
			all = append(all, sunset(set.Height, set.Width, seed, k))
		}
		return all, nil
	}
	all, err := pictures(style, generatorBatch, set)
	if err != nil {
		return nil, fmt.Errorf("style %q: expected sunset or a folder of pictures: %w", style, err)
	}
	return all, nil
}

func (s *DFST) file() string {
	if s.Style == sunsetStyle {
		return ""
	}
	return s.Style
}

// pictures reads a folder's PNG and JPEG files, so many at most, in the size of the set's images.
func pictures(folder string, most int, set *dataset.Set) ([][]uint8, error) {
	files, err := pictureFiles(folder)
	if err != nil {
		return nil, err
	}
	var all [][]uint8
	for _, f := range files[:min(most, len(files))] {
		p, err := loadPicture(f, set.Height, set.Width)
		if err != nil {
			return nil, err
		}
		img := make([]uint8, set.ImageBytes())
		for i := range img {
			img[i] = p.Pix[i/3*4+i%3]
		}
		all = append(all, img)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("folder %s holds no PNG or JPEG pictures", folder)
	}
	return all, nil
}

// pictureFiles lists a folder's PNG and JPEG files by name.
func pictureFiles(folder string) (all []string, err error) {
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if slices.Contains([]string{".png", ".jpg", ".jpeg"}, strings.ToLower(filepath.Ext(e.Name()))) {
			all = append(all, filepath.Join(folder, e.Name()))
		}
	}
	return all, err
}

// sunset renders an evening: a sky from violet to orange, a low sun, bands of cloud and dark ground.
func sunset(h, w int, seed uint64, k int) []uint8 {
	r := rng.Stream(seed, "attack dfst sunset", k)
	between := func(a, b float64) float64 { return a + (b-a)*r.Float64() }
	horizon, sunX, sunY, sunR := between(0.55, 0.8), between(0.2, 0.8), between(0.3, 0.6), between(0.08, 0.16)
	top := [3]float64{between(70, 120), between(20, 60), between(70, 120)}
	low := [3]float64{between(235, 255), between(120, 170), between(20, 60)}
	ground := [3]float64{between(40, 80), between(10, 30), between(10, 35)}
	waves, phase := between(8, 20), between(0, 2*math.Pi)
	img := make([]uint8, h*w*3)
	for y := range h {
		for x := range w {
			u, v := (float64(x)+0.5)/float64(w), (float64(y)+0.5)/float64(h)
			near := math.Exp(-((u-sunX)*(u-sunX) + (v-sunY)*(v-sunY)) / (2 * sunR * sunR))
			cloud := 12 * math.Sin(waves*v+phase+2*math.Sin(3*u+phase))
			for c := range 3 {
				value := ground[c] + 40*near
				if v < horizon {
					t := v / horizon
					value = top[c]*(1-t) + low[c]*t + cloud + near*(255-low[c])
				}
				img[(y*w+x)*3+c] = toByte(value)
			}
		}
	}
	return img
}
