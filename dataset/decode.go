package dataset

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"path/filepath"
	"slices"
	"strings"

	_ "image/gif" // formats of image files
	_ "image/jpeg"
	_ "image/png"

	_ "golang.org/x/image/bmp"
	"golang.org/x/image/draw"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// maxPixels bounds what a header may ask to allocate: with 8 bytes a pixel, and 3 for what comes of it, 740 MB.
const maxPixels = 64 << 20

var imageSuffixes = []string{".jpg", ".jpeg", ".png", ".webp", ".ppm", ".pgm", ".gif", ".bmp", ".tif", ".tiff"}

// IsImage tells by a file's name whether it is an image.
func IsImage(name string) bool {
	return slices.Contains(imageSuffixes, strings.ToLower(filepath.Ext(name)))
}

// decodeDepth turns an image file's bytes into RGB, upright. Images of its set with 16 bits a sample really have depth bits, 8 to 16;
// 0 is 16. clear tells whether it has other colours without its transparency.
func decodeDepth(raw []byte, depth int) (pixels []uint8, h, w int, clear bool, err error) {
	img, err := decodeImage(raw)
	if err != nil {
		return nil, 0, 0, false, err
	}
	if depth > 0 && depth < 16 {
		if err := deepen(img, depth); err != nil {
			return nil, 0, 0, false, err
		}
	}
	pixels, h, w = rgb(img)
	pixels, h, w = upright(pixels, h, w, orientation(raw))
	return pixels, h, w, isClear(img), nil
}

// isClear tells whether an image has transparent pixels that are not black, or may have been of any colour.
func isClear(img image.Image) bool {
	if o, ok := img.(interface{ Opaque() bool }); !ok || o.Opaque() {
		return false
	}
	m, ok := img.(*image.NRGBA)
	return !ok || clearPixels(m.Pix, 4, 1)
}

// clearPixels is isClear for four bytes a pixel. Pixels lie so far from each other, and so do the bytes of one.
func clearPixels(pix []uint8, pixel, channel int) bool {
	for i := 0; i < len(pix) && i+3*channel < len(pix); i += pixel {
		if pix[i+3*channel] < 255 && pix[i]|pix[i+channel]|pix[i+2*channel] != 0 {
			return true
		}
	}
	return false
}

// decodeImage decodes an image file as it is stored, or the first frame of one that moves.
func decodeImage(raw []byte) (image.Image, error) {
	head, err := headOf(raw)
	if err != nil {
		return nil, err
	}
	raw, at := firstWebPFrame(raw)
	img, format, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	if fax := tiffTag(raw, 259); format == "tiff" && (fax == 3 || fax == 4) && tiffTag(raw, 262) == 1 {
		if m, ok := img.(*image.Gray); ok { // the decoder has black for white where black is zero
			for i := range m.Pix {
				m.Pix[i] ^= 0xff
			}
		}
	}
	if format == "gif" {
		at = img.Bounds().Min
	}
	w, h := head.width, head.height
	if head.turned {
		w, h = h, w
	}
	if b := img.Bounds(); b.Dx() == w && b.Dy() == h {
		return img, nil
	}
	// A frame that covers a part of the picture.
	canvas := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(canvas, img.Bounds().Sub(img.Bounds().Min).Add(at), img, img.Bounds().Min, draw.Over)
	return canvas, nil
}

// imageHead is what the first bytes of an image file say.
type imageHead struct {
	height, width int  // upright
	turned        bool // stored lying on its side
	grey, deep    bool // one channel; 16 bits a sample
}

// headOf looks at an image file's head and refuses what is too large to decode.
func headOf(raw []byte) (h imageHead, err error) {
	c, _, err := decodeConfigOf(raw)
	if err != nil {
		return h, err
	}
	if c.Width <= 0 || c.Height <= 0 || c.Width > maxPixels/c.Height {
		return h, fmt.Errorf("%d×%d pixels", c.Width, c.Height)
	}
	h = imageHead{height: c.Height, width: c.Width, turned: orientation(raw) >= 5}
	if h.turned {
		h.height, h.width = c.Width, c.Height
	}
	switch c.ColorModel {
	case color.GrayModel:
		h.grey = true
	case color.Gray16Model:
		h.grey, h.deep = true, true
	case color.RGBA64Model, color.NRGBA64Model:
		h.deep = true
	}
	return h, nil
}

// decodeConfigOf is image.DecodeConfig that also knows moving WebP files, whose size stands in their head.
func decodeConfigOf(raw []byte) (image.Config, string, error) {
	if w, h, ok := webPCanvas(raw); ok {
		return image.Config{ColorModel: color.NRGBAModel, Width: w, Height: h}, "webp", nil
	}
	return image.DecodeConfig(bytes.NewReader(raw))
}

// samples calls visit with the high and low byte of each colour sample of an image with 16 bits a sample.
func samples(img image.Image, visit func(b []uint8)) {
	pix, channels := []uint8(nil), 4
	switch m := img.(type) {
	case *image.Gray16:
		pix, channels = m.Pix, 1
	case *image.RGBA64:
		pix = m.Pix
	case *image.NRGBA64:
		pix = m.Pix
	}
	for i := 0; i+2 <= len(pix); i += 2 {
		if channels == 1 || i/2%4 < 3 { // alpha always has all bits
			visit(pix[i : i+2])
		}
	}
}

// brightest returns the largest colour sample of an image with 16 bits a sample.
func brightest(raw []byte) (most int, err error) {
	img, err := decodeImage(raw)
	if err == nil {
		samples(img, func(b []uint8) { most = max(most, int(b[0])<<8|int(b[1])) })
	}
	return most, err
}

// deepen moves samples of depth bits to the top of their 16.
func deepen(img image.Image, depth int) error {
	over := 0
	samples(img, func(b []uint8) {
		v := int(b[0])<<8 | int(b[1])
		if v >= 1<<depth {
			over = max(over, v)
		}
		v = v * 65535 / (1<<depth - 1)
		b[0], b[1] = uint8(v>>8), uint8(v)
	})
	if over > 0 {
		return &depthError{depth, over}
	}
	return nil
}

// depthError is of an image with a sample that its bits do not hold.
type depthError struct{ depth, sample int }

func (e *depthError) want() string {
	return fmt.Sprintf("samples of %d bits, up to %d", e.depth, 1<<e.depth-1)
}

func (e *depthError) Error() string { return fmt.Sprintf("expected %s, found %d", e.want(), e.sample) }

// rgb flattens an image on black.
func rgb(img image.Image) (pixels []uint8, h, w int) {
	b := img.Bounds()
	h, w = b.Dy(), b.Dx()
	line := image.NewRGBA(image.Rect(0, 0, w, 1)) // a copy of the whole would take more than the image
	out := make([]uint8, 0, h*w*3)
	for y := range h {
		draw.Draw(line, line.Bounds(), img, image.Pt(b.Min.X, b.Min.Y+y), draw.Src)
		for i := 0; i < len(line.Pix); i += 4 {
			out = append(out, line.Pix[i], line.Pix[i+1], line.Pix[i+2])
		}
	}
	return out, h, w
}

// Resize scales RGB bytes with a Catmull-Rom filter that widens when it shrinks, so that nothing
// aliases. The aspect ratio is not kept.
func Resize(pixels []uint8, h, w, toH, toW int) []uint8 {
	if h == toH && w == toW {
		return pixels
	}
	src := ToImage(pixels, h, w)
	dst := image.NewRGBA(image.Rect(0, 0, toW, toH))
	draw.CatmullRom.Scale(dst, dst.Bounds(), src, src.Bounds(), draw.Src, nil)
	out := make([]uint8, 0, toH*toW*3)
	for i := 0; i < len(dst.Pix); i += 4 {
		out = append(out, dst.Pix[i], dst.Pix[i+1], dst.Pix[i+2])
	}
	return out
}
