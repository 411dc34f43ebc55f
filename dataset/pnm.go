package dataset

import (
	"bufio"
	"fmt"
	"image"
	"image/color"
	"io"
)

// PPM and PGM files.

func init() {
	image.RegisterFormat("ppm", "P6", decodePNM, decodePNMConfig)
	image.RegisterFormat("pgm", "P5", decodePNM, decodePNMConfig)
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
	channels, w, h, limit, err := pnmHeader(bufio.NewReader(rd))
	c := image.Config{ColorModel: color.RGBAModel, Width: w, Height: h}
	switch deep := limit == 65535; {
	case deep && channels == 1:
		c.ColorModel = color.Gray16Model
	case deep:
		c.ColorModel = color.RGBA64Model
	case channels == 1:
		c.ColorModel = color.GrayModel
	}
	return c, err
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
	if limit == 65535 {
		return deepPNM(body[:line*h], channels, w, h), nil
	}
	value := func(i int) uint8 {
		v := int(body[i*width])
		if width == 2 {
			v = v<<8 | int(body[i*width+1])
		}
		return uint8(min(255, (v*255+limit/2)/limit))
	}
	if channels == 1 {
		img := image.NewGray(image.Rect(0, 0, w, h))
		for i := range img.Pix {
			img.Pix[i] = value(i)
		}
		return img, nil
	}
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for p := range h * w {
		for c := range 3 {
			img.Pix[4*p+c] = value(3*p + c)
		}
		img.Pix[4*p+3] = 255
	}
	return img, nil
}

// deepPNM is an image whose samples may have all 16 bits, as they are stored.
func deepPNM(samples []byte, channels, w, h int) image.Image {
	if channels == 1 {
		return &image.Gray16{Pix: samples, Stride: 2 * w, Rect: image.Rect(0, 0, w, h)}
	}
	img := image.NewRGBA64(image.Rect(0, 0, w, h))
	for p := range h * w {
		copy(img.Pix[8*p:], samples[6*p:6*p+6])
		img.Pix[8*p+6], img.Pix[8*p+7] = 255, 255
	}
	return img
}
