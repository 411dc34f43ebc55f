package dataset

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

func TestDepthIsJudgedOverTheSet(t *testing.T) {
	asPNG := func(most uint16) []byte {
		img := image.NewGray16(image.Rect(0, 0, 2, 2))
		img.SetGray16(0, 0, color.Gray16{Y: most})
		var b bytes.Buffer
		_ = png.Encode(&b, img)
		return b.Bytes()
	}
	asPGM := func(most uint16) []byte {
		return append(binary.BigEndian.AppendUint16([]byte("P5 2 2 65535\n"), most), 0, 0, 0, 0, 0, 0)
	}
	asPPM := func(most uint16) []byte {
		b := []byte("P6 2 2 65535\n")
		for range 3 {
			b = binary.BigEndian.AppendUint16(b, most)
		}
		return append(b, make([]byte, 3*3*2)...)
	}
	for name, file := range map[string]func(most uint16) []byte{"x.png": asPNG, "x.pgm": asPGM, "x.ppm": asPPM} {
		t.Run(name, func(t *testing.T) { judgesDepth(t, name, file) })
	}
}

func judgesDepth(t *testing.T, name string, file func(most uint16) []byte) {
	dir := t.TempDir()
	for k, most := range []uint16{100, 4095} {
		put(t, filepath.Join(dir, []string{"a", "b"}[k], name), file(most))
	}
	for depth, want := range map[int][2]uint8{0: {6, 255}, 12: {6, 255}, 16: {0, 15}} {
		d, err := Load(context.Background(), dir, Options{Depth: depth})
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]uint8{d.Train.Image(0)[0], d.Train.Image(1)[0]}; got != want || d.Train.Grey == (name == "x.ppm") {
			t.Errorf("depth %d: %v, expected %v", depth, got, want)
		}
		if depth == 0 && !strings.Contains(strings.Join(d.Notes, ""), "of 12 bits") {
			t.Errorf("%q", d.Notes)
		}
	}
	if _, err := Load(context.Background(), dir, Options{Depth: 10}); err == nil || !strings.Contains(err.Error(), "b/"+name) {
		t.Errorf("too few bits: %v", err)
	}
}

func TestFirstFrames(t *testing.T) {
	palette := color.Palette{color.Black, color.RGBA{200, 0, 0, 255}}
	first := image.NewPaletted(image.Rect(1, 1, 3, 3), palette)
	for i := range first.Pix {
		first.Pix[i] = 1
	}
	var b bytes.Buffer
	err := gif.EncodeAll(&b, &gif.GIF{
		Image: []*image.Paletted{first, image.NewPaletted(image.Rect(0, 0, 4, 4), palette)}, Delay: []int{1, 1}, Config: image.Config{Width: 4, Height: 4, ColorModel: palette},
	})
	if err != nil {
		t.Fatal(err)
	}
	pixels, h, w, err := decode(b.Bytes())
	if err != nil || h != 4 || w != 4 || pixels[0] != 0 || pixels[3*5] != 200 || pixels[3*15] != 0 {
		t.Errorf("%d×%d, %v, %v", w, h, pixels, err)
	}
	if !animated(b.Bytes()) {
		t.Error("it does not move")
	}
	still := testfile.Read(t, "testdata/odd/plain.webp")
	// A frame that fills the picture of 24 × 16.
	frame := append([]byte{0, 0, 0, 0, 0, 0, 23, 0, 0, 15, 0, 0, 1, 0, 0, 0}, still[12:]...)
	chunk := func(kind string, data []byte) []byte {
		return append(binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(data))), append(data, make([]byte, len(data)%2)...)...)
	}
	body := slices.Concat([]byte("WEBP"), chunk("VP8X", []byte{webPMoves, 0, 0, 0, 23, 0, 0, 15, 0, 0}), chunk("ANIM", make([]byte, 6)), chunk("ANMF", frame), chunk("ANMF", frame))
	moving := append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
	want, _, _, err := decode(still)
	if err != nil {
		t.Fatal(err)
	}
	if got, h, w, err := decode(moving); err != nil || h != 16 || w != 24 || !bytes.Equal(got, want) || !animated(moving) {
		t.Errorf("WebP: %d×%d: %v", w, h, err)
	}
	if animated(still) || animated(dot(1)) {
		t.Error("still pictures move")
	}
}

func TestOrientationInPNGAndWebP(t *testing.T) {
	exif := []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00")
	raw := testfile.Read(t, "testdata/odd/plain.png")
	end := len(raw) - 12
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(exif))), "eXIf"...)
	turned := slices.Concat(raw[:33], chunk, exif, []byte{0, 0, 0, 0}, raw[33:end], raw[end:])
	if got := orientation(turned); got != 6 {
		t.Errorf("PNG: %d", got)
	}
	head, err := headOf(turned)
	if err == nil && (head.width != 16 || head.height != 24) {
		t.Errorf("PNG lies on its side: %+v", head)
	}
	webp := slices.Concat([]byte("RIFF\x00\x00\x00\x00WEBP"), []byte("EXIF"), binary.LittleEndian.AppendUint32(nil, uint32(len(exif))), exif)
	if got := orientation(webp); got != 6 {
		t.Errorf("WebP: %d", got)
	}
}

// greyAlpha is a PNG file of grey pixels, each with its transparency, of 8 or 16 bits.
func greyAlpha(bits int, pixels ...[2]uint16) []byte {
	chunk := func(kind string, data []byte) []byte {
		body := append([]byte(kind), data...)
		out := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), body...)
		return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(body))
	}
	line := []byte{0}
	for _, p := range pixels {
		for _, v := range p {
			if bits == 16 {
				line = append(line, byte(v>>8))
			}
			line = append(line, byte(v))
		}
	}
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, _ = w.Write(line)
	_ = w.Close()
	head := append(binary.BigEndian.AppendUint32(nil, uint32(len(pixels))), 0, 0, 0, 1, byte(bits), 4, 0, 0, 0)
	return slices.Concat([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", head), chunk("IDAT", z.Bytes()), chunk("IEND", nil))
}

// Grey images with transparency are read as others are: what can be seen through is black.
func TestGreyWithAlpha(t *testing.T) {
	for bits, most := range map[int]uint16{8: 255, 16: 65535} {
		dir := t.TempDir()
		put(t, filepath.Join(dir, "a", "x.png"), greyAlpha(bits, [2]uint16{most, most}, [2]uint16{most / 5, most}, [2]uint16{most, 0}, [2]uint16{most, most / 5 * 2}))
		put(t, filepath.Join(dir, "b", "y.png"), greyAlpha(bits, [2]uint16{0, most}, [2]uint16{0, 0}, [2]uint16{most / 5, most}, [2]uint16{0, most}))
		d, err := Load(context.Background(), dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range [][]byte{{255, 51, 0, 102}, {0, 0, 51, 0}} {
			for k, v := range want {
				if got := d.Train.Image(i)[3*k : 3*k+3]; !bytes.Equal(got, []byte{v, v, v}) {
					t.Errorf("%d bits, image %d: pixel %d is %v, expected %d", bits, i, k, got, v)
				}
			}
		}
	}
}

// Small files that claim much are refused before they take it.
func TestBombs(t *testing.T) {
	zeros := func(w interface{ Write([]byte) (int, error) }, mb int) {
		for range mb {
			_, _ = w.Write(make([]byte, 1<<20))
		}
	}
	idx := t.TempDir()
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, 1)
	_, _ = z.Write([]byte{0, 0, 8, 3, 0, 0, 0, 64, 0, 0, 4, 0, 0, 0, 4, 0})
	zeros(z, 64)
	_ = z.Close()
	put(t, filepath.Join(idx, "train-images-idx3-ubyte.gz"), b.Bytes()[:min(b.Len(), 200<<10)])
	put(t, filepath.Join(idx, "train-labels-idx1-ubyte"), append([]byte{0, 0, 8, 1, 0, 0, 0, 64}, make([]byte, 64)...))
	npz := t.TempDir()
	var n bytes.Buffer
	w := zip.NewWriter(&n)
	x, _ := w.Create("x_train.npy")
	_, _ = x.Write(npy("|u1", []int{300, 1024, 1024}, nil))
	zeros(x, 300)
	y, _ := w.Create("y_train.npy")
	_, _ = y.Write(npy("|u1", []int{300}, make([]byte, 300)))
	_ = w.Close()
	put(t, filepath.Join(npz, "all.npz"), n.Bytes())
	claim := t.TempDir()
	put(t, filepath.Join(claim, "train-images-idx3-ubyte"), []byte{0, 0, 8, 3, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 1, 7})
	put(t, filepath.Join(claim, "train-labels-idx1-ubyte"), []byte{0, 0, 8, 1, 0xff, 0xff, 0xff, 0xff, 7})
	line := t.TempDir()
	put(t, filepath.Join(line, "t.csv"), append([]byte("file,label\n"), bytes.Repeat([]byte("a"), maxLine+2)...))
	for name, dir := range map[string]string{"IDX": idx, "NPZ": npz, "a claim": claim, "a line": line, "a device": "/dev/zero"} {
		for _, skip := range []bool{false, true} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Load(context.Background(), dir, Options{SkipBad: skip})
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Errorf("%s was read", name)
			}
			if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 150 {
				t.Errorf("%s took %d MB", name, took)
			}
		}
	}
}

// Grey sets keep one channel and are as their RGB twins to everybody.
func TestGreySetsAreAsRGB(t *testing.T) {
	g := &Set{Height: 2, Width: 2, Classes: []string{"a", "b"}, Grey: true}
	g.add([]uint8{1, 2, 3, 4}, 0, "m", 0)
	g.add([]uint8{5, 6, 7, 8}, 1, "m", 1)
	c := g.Clone()
	if c.Grey || g.Digest() != c.Digest() || !bytes.Equal(g.Image(1), c.Image(1)) || !bytes.Equal(g.Subset([]int{1}).Pixels, c.Image(1)) {
		t.Error("a clone differs")
	}
	c.Image(0)[0] = 9
	if c.Pixels[0] != 9 || g.Pixels[0] != 1 {
		t.Error("a clone can't be changed alone")
	}
	if p := g.pick([]int{1}); !p.Grey || len(p.Pixels) != 4 || p.Source(0) != "m:1" {
		t.Errorf("%+v", p)
	}
}

func TestSharedImages(t *testing.T) {
	a, b := synthetic(6, 8, []string{"a", "b"}), synthetic(9, 8, []string{"a", "b"})
	copy(b.Image(3), a.Image(2))
	ofA, err := a.PrintsUntil(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ofB, err := b.PrintsUntil(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := ofA.Shared(ofB); got.Same != 1 || got.Conflicting != 1 || got.First != [2]string{"memory:2", "memory:3"} {
		t.Errorf("%+v", got)
	}
}

// Transparent pixels of an array become black, as those of a file do.
func TestTransparencyOfArrays(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	img := image.NewNRGBA(image.Rect(0, 0, 16, 16))
	for i := range img.Pix {
		img.Pix[i] = uint8(r.IntN(256))
	}
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	want, _, _, _, err := decodeDepth(file.Bytes(), 8)
	if err != nil {
		t.Fatal(err)
	}
	planes := make([]byte, len(img.Pix))
	for i, v := range img.Pix {
		planes[i%4*256+i/4] = v
	}
	set := &Set{Height: 16, Width: 16}
	for raw, planar := range map[*[]byte]bool{&img.Pix: false, &planes: true} {
		if got := (&Raw{Height: 16, Width: 16, Channels: 4, Planar: planar}).image(*raw, set); !bytes.Equal(got, want) {
			t.Errorf("planar %t: other pixels than those of a PNG file", planar)
		}
	}
}

// In a fax white runs are zeros, which are black where black is zero.
func TestFaxes(t *testing.T) {
	for zero, want := range map[uint16]uint8{0: 255, 1: 0} {
		raw := append([]byte("II*\x00\x0c\x00\x00\x00"), 0xc0, 4, 0, 0x40) // two white lines and the end
		tags := [][2]uint16{{256, 8}, {257, 2}, {258, 1}, {259, 4}, {262, zero}, {273, 8}, {277, 1}, {278, 2}, {279, 4}}
		raw = binary.LittleEndian.AppendUint16(raw, uint16(len(tags)))
		for _, tag := range tags {
			for _, v := range []uint16{tag[0], 3, 1, 0, tag[1], 0} {
				raw = binary.LittleEndian.AppendUint16(raw, v)
			}
		}
		pixels, _, _, _, err := decodeDepth(append(raw, 0, 0, 0, 0), 8)
		if err != nil || !bytes.Equal(pixels, bytes.Repeat([]byte{want}, 3*16)) {
			t.Errorf("%d: %v, %v", zero, pixels, err)
		}
	}
}
