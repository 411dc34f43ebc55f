package dataset

import (
	"bytes"
	"encoding/binary"
	"image"
)

// What the decoders of PNG, GIF and WebP do not say: chunks, and whether a picture moves.

// pngChunk returns the first chunk of a kind, or nil.
func pngChunk(raw []byte, kind string) []byte {
	for at := 8; at+8 <= len(raw); {
		size := int(binary.BigEndian.Uint32(raw[at:]))
		if size > len(raw)-at-8 {
			return nil
		}
		if string(raw[at+4:at+8]) == kind {
			return raw[at+8 : at+8+size]
		}
		at += 12 + size
	}
	return nil
}

// riffChunk returns the first chunk of a kind in a WebP file, or nil.
func riffChunk(raw []byte, kind string) []byte {
	if len(raw) < 12 || string(raw[:4]) != "RIFF" || string(raw[8:12]) != "WEBP" {
		return nil
	}
	return chunkIn(raw[12:], kind)
}

func chunkIn(b []byte, kind string) []byte {
	for len(b) >= 8 {
		size := int(binary.LittleEndian.Uint32(b[4:]))
		if size > len(b)-8 {
			return nil
		}
		if string(b[:4]) == kind {
			return b[8 : 8+size]
		}
		b = b[min(len(b), 8+size+size%2):]
	}
	return nil
}

// Flags of WebP's VP8X chunk.
const (
	webPMoves = 0x02
	webPExif  = 0x08
	webPAlpha = 0x10
)

// webPCanvas returns the size of a moving WebP picture.
func webPCanvas(raw []byte) (w, h int, ok bool) {
	x := riffChunk(raw, "VP8X")
	if len(x) < 10 || x[0]&webPMoves == 0 {
		return 0, 0, false
	}
	return uint24(x[4:]) + 1, uint24(x[7:]) + 1, true
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// firstWebPFrame turns a moving WebP file into one of its first frame, which lies at a place in the picture. Others stay
// as they are.
func firstWebPFrame(raw []byte) ([]byte, image.Point) {
	if _, _, ok := webPCanvas(raw); !ok {
		return raw, image.Point{}
	}
	f := riffChunk(raw, "ANMF")
	if len(f) < 16 {
		return raw, image.Point{}
	}
	at := image.Pt(2*uint24(f), 2*uint24(f[3:]))
	var body []byte
	add := func(kind string, data []byte) {
		body = append(body, kind...)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(data)))
		body = append(body, data...)
		if len(data)%2 == 1 {
			body = append(body, 0)
		}
	}
	if alpha := chunkIn(f[16:], "ALPH"); alpha != nil {
		add("VP8X", append([]byte{webPAlpha, 0, 0, 0}, f[6:12]...))
		add("ALPH", alpha)
	}
	for _, kind := range []string{"VP8 ", "VP8L"} {
		if data := chunkIn(f[16:], kind); data != nil {
			add(kind, data)
			break
		}
	}
	out := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(body)))
	return append(append(out, "WEBP"...), body...), at
}

// headIsEnough reports whether the first bytes of a longer file say which way up it is.
func headIsEnough(head []byte) bool {
	x := riffChunk(head, "VP8X")
	return len(x) == 0 || x[0]&webPExif == 0
}

// animated reports whether an image file holds more than one frame.
func animated(raw []byte) bool {
	if _, _, ok := webPCanvas(raw); ok {
		return true
	}
	if bytes.HasPrefix(raw, []byte("\x89PNG")) {
		return pngChunk(raw, "acTL") != nil
	}
	return bytes.HasPrefix(raw, []byte("GIF8")) && gifFrames(raw) > 1 || tiffPages(raw) > 1
}

// tiffPages counts the pages of a TIFF, up to two; of another file there are none.
func tiffPages(raw []byte) int {
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case len(raw) < 8:
		return 0
	case bytes.HasPrefix(raw, []byte("MM\x00*")):
		order = binary.BigEndian
	case !bytes.HasPrefix(raw, []byte("II*\x00")):
		return 0
	}
	at := int64(order.Uint32(raw[4:]))
	if at+2 > int64(len(raw)) {
		return 0
	}
	at += 2 + 12*int64(order.Uint16(raw[at:]))
	if at+4 > int64(len(raw)) || order.Uint32(raw[at:]) == 0 {
		return 1
	}
	return 2
}

// gifFrames counts the frames of a GIF, up to two.
func gifFrames(raw []byte) (frames int) {
	if len(raw) < 13 {
		return 0
	}
	table := func(flags byte) int {
		if flags&0x80 == 0 {
			return 0
		}
		return 3 << (flags&7 + 1)
	}
	blocks := func(at int) int {
		for at < len(raw) && raw[at] > 0 {
			at += 1 + int(raw[at])
		}
		return at + 1
	}
	for at := 13 + table(raw[10]); at < len(raw) && frames < 2; {
		switch raw[at] {
		case 0x21: // an extension
			at = blocks(at + 2)
		case 0x2C: // an image
			frames++
			if at+10 > len(raw) {
				return frames
			}
			at = blocks(at + 11 + table(raw[at+9]))
		default:
			return frames
		}
	}
	return frames
}
