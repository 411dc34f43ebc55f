package dataset

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"strings"

	_ "image/gif" // formats of image files
	_ "image/jpeg"
	_ "image/png"

	_ "golang.org/x/image/bmp"
	"golang.org/x/image/draw"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

func init() {
	image.RegisterFormat("ppm", "P6", decodePNM, decodePNMConfig)
	image.RegisterFormat("pgm", "P5", decodePNM, decodePNMConfig)
}

// maxPixels bounds what a header may ask to allocate: with 8 bytes a pixel, and 3 for what comes of it, 740 MB.
const maxPixels = 64 << 20

var imageSuffixes = []string{".jpg", ".jpeg", ".png", ".webp", ".ppm", ".pgm", ".gif", ".bmp", ".tif", ".tiff"}

func isImage(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	for _, s := range imageSuffixes {
		if ext == s {
			return true
		}
	}
	return false
}

// readImage decodes a file to RGB bytes. name is what errors call it.
func readImage(path, name string) (pixels []uint8, h, w int, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, 0, err
	}
	if pixels, h, w, err = decode(raw); err != nil {
		err = &RecordError{name, -1, "a readable image", err.Error()}
	}
	return pixels, h, w, err
}

// ReadImage reads an image file as RGB bytes of height × width.
func ReadImage(path string, height, width int) ([]uint8, error) {
	pixels, h, w, err := readImage(path, path)
	if err != nil {
		return nil, err
	}
	return Resize(pixels, h, w, height, width), nil
}

// decode turns an image file's bytes into RGB, upright.
func decode(raw []byte) (pixels []uint8, h, w int, err error) {
	if _, err := decodeConfig(raw); err != nil {
		return nil, 0, 0, err
	}
	img, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, 0, 0, err
	}
	pixels, h, w = rgb(img)
	pixels, h, w = upright(pixels, h, w, orientation(raw))
	return pixels, h, w, nil
}

// decodeConfig returns the size of an upright image and refuses what is too large to decode.
func decodeConfig(raw []byte) (image.Config, error) {
	c, _, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return c, err
	}
	if c.Width <= 0 || c.Height <= 0 || c.Width > maxPixels/c.Height {
		return c, fmt.Errorf("%d×%d pixels", c.Width, c.Height)
	}
	if orientation(raw) >= 5 {
		c.Width, c.Height = c.Height, c.Width
	}
	return c, nil
}

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

// fit resizes an image to the size of the set, which the first image settles if no size was asked for.
func (r *reader) fit(pixels []uint8, h, w int, s *Set) []uint8 {
	if r.Size > 0 {
		s.Height, s.Width = r.Size, r.Size
	}
	return Resize(pixels, h, w, s.Height, s.Width)
}

// Resize scales RGB bytes with a Catmull-Rom filter that widens when it shrinks, so that nothing
// aliases. The aspect ratio is not kept.
func Resize(pixels []uint8, h, w, toH, toW int) []uint8 {
	if h == toH && w == toW {
		return pixels
	}
	src := image.NewRGBA(image.Rect(0, 0, w, h))
	for p := range h * w {
		copy(src.Pix[4*p:], pixels[3*p:3*p+3])
		src.Pix[4*p+3] = 255
	}
	dst := image.NewRGBA(image.Rect(0, 0, toW, toH))
	draw.CatmullRom.Scale(dst, dst.Bounds(), src, src.Bounds(), draw.Src, nil)
	out := make([]uint8, 0, toH*toW*3)
	for i := 0; i < len(dst.Pix); i += 4 {
		out = append(out, dst.Pix[i], dst.Pix[i+1], dst.Pix[i+2])
	}
	return out
}

// pnmHeader reads magic, width, height and maximum of a binary PPM or PGM file.
func pnmHeader(r *bufio.Reader) (channels, w, h, limit int, err error) {
	var magic [2]byte
	if _, err = io.ReadFull(r, magic[:]); err != nil {
		return
	}
	channels = 3
	if magic[1] == '5' {
		channels = 1
	}
	for _, v := range []*int{&w, &h, &limit} {
		if *v, err = pnmNumber(r); err != nil {
			return
		}
	}
	if w <= 0 || h <= 0 || w > maxPixels/h || limit <= 0 || limit > 65535 {
		err = fmt.Errorf("a PNM header with width %d, height %d, maximum %d", w, h, limit)
	}
	return
}

// pnmNumber skips space and comments, reads a number and the one space behind it.
func pnmNumber(r *bufio.Reader) (int, error) {
	n, digits := 0, 0
	for {
		c, err := r.ReadByte()
		if err != nil {
			return 0, fmt.Errorf("a PNM header that ends early")
		}
		switch {
		case c == '#' && digits == 0:
			if _, err := r.ReadString('\n'); err != nil {
				return 0, fmt.Errorf("a PNM header that ends early")
			}
		case c >= '0' && c <= '9':
			if digits++; digits > 8 {
				return 0, fmt.Errorf("a PNM header with a number of more than 8 digits")
			}
			n = 10*n + int(c-'0')
		case digits > 0:
			return n, nil
		case c != ' ' && c != '\t' && c != '\n' && c != '\r':
			return 0, fmt.Errorf("byte %q in a PNM header", c)
		}
	}
}

func decodePNMConfig(rd io.Reader) (image.Config, error) {
	_, w, h, _, err := pnmHeader(bufio.NewReader(rd))
	return image.Config{ColorModel: image.NewRGBA(image.Rectangle{}).ColorModel(), Width: w, Height: h}, err
}

func decodePNM(rd io.Reader) (image.Image, error) {
	r := bufio.NewReader(rd)
	channels, w, h, limit, err := pnmHeader(r)
	if err != nil {
		return nil, err
	}
	width := 1 // bytes of a value
	if limit > 255 {
		width = 2
	}
	line := w * channels * width
	body, err := io.ReadAll(io.LimitReader(r, int64(line)*int64(h)))
	if err != nil {
		return nil, err
	}
	if len(body) < line*h {
		return nil, fmt.Errorf("image data that ends in line %d of %d", len(body)/line, h)
	}
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		row := body[y*line:]
		for x := range w {
			for c := range 3 {
				i := (x*channels + min(c, channels-1)) * width
				v := int(row[i])
				if width == 2 {
					v = v<<8 | int(row[i+1])
				}
				img.Pix[y*img.Stride+4*x+c] = uint8(min(255, (v*255+limit/2)/limit))
			}
			img.Pix[y*img.Stride+4*x+3] = 255
		}
	}
	return img, nil
}
