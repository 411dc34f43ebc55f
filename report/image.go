package report

import (
	"bytes"
	"encoding/base64"
	"html/template"
	"image/jpeg"
	"image/png"

	"github.com/unpoison/unpoison/dataset"
)

const (
	// Tile is how many pixels a side an image has on a page. Smaller ones are scaled up, their pixels as squares.
	Tile = 128
	// nearTile is that of an image that others are compared with.
	nearTile = 64
	// exact is the most bytes of an image that is written pixel by pixel.
	exact = 6 << 10

	quality, nearQuality = 88, 75 // of JPEGs
)

// ImageURL returns RGB bytes in a data URL: a PNG, every pixel as it is, or a JPEG, made smaller, if it is large.
func ImageURL(pixels []uint8, h, w int) template.URL {
	if max(h, w) <= Tile {
		var b bytes.Buffer
		if err := png.Encode(&b, dataset.ToImage(pixels, h, w)); err == nil && b.Len() <= exact {
			return dataURL("png", b.Bytes())
		}
	}
	return jpegURL(pixels, h, w, Tile, quality)
}

// SmallURL is ImageURL for an image that others are compared with: small and not exact.
func SmallURL(pixels []uint8, h, w int) template.URL {
	return jpegURL(pixels, h, w, nearTile, nearQuality)
}

func jpegURL(pixels []uint8, h, w, most, quality int) template.URL {
	if side := max(h, w); side > most {
		th, tw := max(1, h*most/side), max(1, w*most/side)
		pixels, h, w = dataset.Resize(pixels, h, w, th, tw), th, tw
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, dataset.ToImage(pixels, h, w), &jpeg.Options{Quality: quality}); err != nil {
		return "" // not for images of a set, whose sizes are positive
	}
	return dataURL("jpeg", b.Bytes())
}

func dataURL(kind string, raw []byte) template.URL {
	return template.URL("data:image/" + kind + ";base64," + base64.StdEncoding.EncodeToString(raw))
}

// Photo tells whether an image of this size is shown as a photograph: smoothly, rather than with its pixels as squares.
func Photo(h, w int) bool { return max(h, w) > Tile/2 }
