package dataset

import (
	"bytes"
	"encoding/binary"
)

// orientation returns how a camera was held, 1 to 8 as EXIF has it, or 1 where nothing says: in JPEG, PNG, WebP and TIFF.
func orientation(raw []byte) int {
	switch {
	case bytes.HasPrefix(raw, []byte("\xff\xd8")):
		return jpegOrientation(raw)
	case bytes.HasPrefix(raw, []byte("\x89PNG\r\n\x1a\n")):
		if b := pngChunk(raw, "eXIf"); b != nil {
			return tiffOrientation(b)
		}
	case bytes.HasPrefix(raw, []byte("II*\x00")) || bytes.HasPrefix(raw, []byte("MM\x00*")):
		return tiffOrientation(raw)
	default:
		if b := riffChunk(raw, "EXIF"); b != nil {
			return tiffOrientation(bytes.TrimPrefix(b, []byte("Exif\x00\x00")))
		}
	}
	return 1
}

func jpegOrientation(jpeg []byte) int {
	for at := 2; at+4 <= len(jpeg) && jpeg[at] == 0xFF; {
		marker, size := jpeg[at+1], int(binary.BigEndian.Uint16(jpeg[at+2:]))
		if marker == 0xDA || size < 2 || at+2+size > len(jpeg) { // the picture begins
			return 1
		}
		if body := jpeg[at+4 : at+2+size]; marker == 0xE1 && len(body) > 6 && string(body[:6]) == "Exif\x00\x00" {
			return tiffOrientation(body[6:])
		}
		at += 2 + size
	}
	return 1
}

// tiffOrientation looks through the first directory of a TIFF header.
func tiffOrientation(b []byte) int {
	if v := tiffTag(b, 0x0112); v >= 1 && v <= 8 {
		return v
	}
	return 1
}

// tiffTag is a number in the first directory of a TIFF header; 0 if it is not there.
func tiffTag(b []byte, tag uint16) int {
	if len(b) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	if string(b[:2]) == "MM" {
		order = binary.BigEndian
	}
	at := int(order.Uint32(b[4:]))
	if at < 8 || at+2 > len(b) {
		return 0
	}
	n := int(order.Uint16(b[at:]))
	for k := range n {
		e := at + 2 + 12*k
		if e+12 > len(b) {
			return 0
		}
		if order.Uint16(b[e:]) == tag {
			if order.Uint16(b[e+2:]) == 4 { // 32 bits
				return int(order.Uint32(b[e+8:]))
			}
			return int(order.Uint16(b[e+8:]))
		}
	}
	return 0
}

// upright turns RGB bytes as an orientation says.
func upright(pixels []uint8, h, w, orientation int) ([]uint8, int, int) {
	if orientation <= 1 || orientation > 8 {
		return pixels, h, w
	}
	oh, ow := h, w
	if orientation >= 5 {
		oh, ow = w, h
	}
	out := make([]uint8, len(pixels))
	for y := range oh {
		for x := range ow {
			sy, sx := y, x
			switch orientation {
			case 2:
				sx = w - 1 - x
			case 3:
				sy, sx = h-1-y, w-1-x
			case 4:
				sy = h - 1 - y
			case 5:
				sy, sx = x, y
			case 6:
				sy, sx = h-1-x, y
			case 7:
				sy, sx = h-1-x, w-1-y
			case 8:
				sy, sx = x, w-1-y
			}
			copy(out[(y*ow+x)*3:(y*ow+x)*3+3], pixels[(sy*w+sx)*3:])
		}
	}
	return out, oh, ow
}
