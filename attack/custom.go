package attack

import (
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // pictures may be JPEG too
	_ "image/png"
	"math/rand/v2"
	"os"

	"golang.org/x/image/draw"

	"github.com/unpoison/unpoison/dataset"
)

var custom = Method{
	Name:     "custom",
	About:    "A picture of your own with transparency (image=FILE), laid over the whole image.",
	Paper:    "the picture's alpha channel stamps where it is opaque and blends where it is not",
	Fixed:    true,
	Settings: func() Settings { return &Custom{Alpha: 1} },
}

// Custom are the settings of custom.
type Custom struct {
	Alpha float64 `json:"alpha,omitempty" range:"(0,1]"` // opacity beside the picture's own
	Image string  `json:"image,omitempty"`               // the picture, PNG or JPEG
}

func (s *Custom) file() string { return s.Image }

// Trigger implements Settings.
func (s *Custom) Trigger(_ Common, set *dataset.Set) (Trigger, error) {
	if s.Image == "" {
		return nil, errors.New("a picture is needed: custom:image=FILE.png")
	}
	p, err := loadPicture(s.Image, set.Height, set.Width)
	if err != nil {
		return nil, err
	}
	visible := false
	for i := 3; i < len(p.Pix); i += 4 {
		visible = visible || p.Pix[i] > 0
	}
	if !visible {
		return nil, fmt.Errorf("%s: every pixel is transparent", s.Image)
	}
	alpha := s.Alpha
	if p.Opaque() && alpha == 1 {
		return nil, fmt.Errorf("%s: no pixel is transparent, so that the picture would take the whole image's place; give a PNG that is transparent around the trigger, or lay it over faintly with alpha=0.2", s.Image)
	}
	return pixels(func(dst, src []uint8, _ bool, _ *rand.Rand) {
		for i, v := range src {
			a := alpha * float64(p.Pix[i/3*4+3]) / 255
			dst[i] = toByte((1-a)*float64(v) + a*float64(p.Pix[i/3*4+i%3]))
		}
	}), nil
}

// loadPicture reads a picture and resizes it; its colours are not multiplied with its alpha.
func loadPicture(path string, h, w int) (*image.NRGBA, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, _, err := image.DecodeConfig(f)
	if err != nil {
		return nil, fmt.Errorf("%s: expected a PNG or JPEG picture: %w", path, err)
	}
	if size.Width <= 0 || size.Height <= 0 || size.Width > (64<<20)/size.Height {
		return nil, fmt.Errorf("%s: %d×%d pixels are too many", path, size.Width, size.Height)
	}
	if _, err := f.Seek(0, 0); err != nil {
		return nil, err
	}
	src, _, err := image.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: expected a PNG or JPEG picture: %w", path, err)
	}
	dst := image.NewNRGBA(image.Rect(0, 0, w, h))
	if src.Bounds().Size() == dst.Bounds().Size() {
		draw.Copy(dst, image.Point{}, src, src.Bounds(), draw.Src, nil)
	} else {
		draw.CatmullRom.Scale(dst, dst.Bounds(), src, src.Bounds(), draw.Src, nil)
	}
	return dst, nil
}
