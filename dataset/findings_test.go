package dataset

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/klauspost/compress/gzip"
)

// What single layouts have to get right beside the conformance suite.

// dot is a PNG file of one colour.
func dot(v uint8) []byte {
	var b bytes.Buffer
	img := image.NewRGBA(image.Rect(0, 0, 2, 2))
	for i := range img.Pix {
		img.Pix[i] = v
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	img.Pix[0]++ // no grey
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// shown is what a set's images are: "class:value" of each, sorted.
func shown(s *Set) string {
	if s == nil {
		return "none"
	}
	var all []string
	for i, l := range s.Labels {
		all = append(all, fmt.Sprintf("%s:%d", s.Classes[l], s.Image(i)[1]))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// files writes dots and texts: a name that ends in =N is an image of that value.
func files(t *testing.T, dir string, names ...string) string {
	t.Helper()
	for _, n := range names {
		name, content, ok := strings.Cut(n, "=")
		var v int
		if _, err := fmt.Sscan(content, &v); ok && err == nil && !strings.ContainsAny(content, ",\n") {
			put(t, filepath.Join(dir, name), dot(uint8(v)))
		} else {
			put(t, filepath.Join(dir, name), []byte(content))
		}
	}
	return dir
}

func TestFoldersAreUnderstood(t *testing.T) {
	for _, c := range []struct {
		files       string
		train, test string // or, in train, what the error says
		notes       string
	}{
		{"bus/a.png=1 car/b.png=2 train/c.png=3", "bus:1 car:2 train:3", "none", ""},
		{"train/bus/a.png=1 train/car/b.png=2 valid/bus/c.png=3", "bus:1 car:2", "bus:3", ""},
		{"Train/bus/a.png=1 Train/car/b.png=2 Test/bus/c.png=3", "bus:1 car:2", "bus:3", ""},
		{"training_set/bus/a.png=1 training_set/car/b.png=2 test_set/bus/c.png=3", "bus:1 car:2", "bus:3", ""},
		{"dataset/train/bus/a.png=1 dataset/train/car/b.png=2 dataset/test/car/c.png=3 readme.txt=x", "bus:1 car:2", "car:3", ""},
		{"train/bus/a.png=1 train/car/b.png=2 test/car/c.png=3 dev/car/d.png=4", "bus:1 car:2", "car:3", "dev/ is not read"},
		{"train/bus/a.png=1 train/car/b.png=2 test/car/c.png=3 extra/d.png=4", "bus:1 car:2", "car:3", `"extra"`},
		{"train/bus/a.png=1 train/car/b.png=2 van/d.png=4", `may be the training images or a class beside "van"`, "", ""},
		{"train/bus/a.png=1 train/car/b.png=2 training/car/c.png=3", "could both be", "", ""},
		{"train/bus/a.png=1 train/car/b.png=2 test/van/c.png=3", `expected a label of ["bus" "car"], found "van"`, "", ""},
		{
			"bus/a.png=1 bus/b.heic=x bus/c=x car/d=4 car/e.heic=y car/.ipynb_checkpoints/e.png=9 loose.png=3 .hid/x.png=1", "bus:1 car:4", "none",
			"3 files are no images that are read (.heic 2, none 1)|1 images lie in no class's folder|\".hid\"",
		},
		{"bus/a.png=1 car/b.png=2 van/readme.txt=x", "bus:1 car:2", "none", `1 of 3 classes have no training image: "van"`},
	} {
		dir := files(t, t.TempDir(), strings.Fields(c.files)...)
		d, err := Load(context.Background(), dir, Options{})
		if err != nil {
			if !strings.Contains(err.Error(), c.train) {
				t.Errorf("%s: %v", c.files, err)
			}
			continue
		}
		if shown(d.Train) != c.train || shown(d.Test) != c.test {
			t.Errorf("%s: %s and %s", c.files, shown(d.Train), shown(d.Test))
		}
		for _, n := range strings.Split(c.notes, "|") {
			if !strings.Contains(strings.Join(d.Notes, "\n"), n) {
				t.Errorf("%s: the notes %q do not say %q", c.files, d.Notes, n)
			}
		}
	}
}

func TestTablesAreUnderstood(t *testing.T) {
	utf := func(order binary.AppendByteOrder, mark bool, text string) string {
		var b []byte
		if mark {
			text = "\ufeff" + text
		}
		for _, u := range utf16.Encode([]rune(text)) {
			b = order.AppendUint16(b, u)
		}
		return string(b)
	}
	const plain = "file,label\na.png,x\nb.png,y\n"
	const two = "a.png=1 b.png=2"
	for name, c := range map[string]struct {
		table, text, files string
		options            Options
		want               string // the images, or what the error says
	}{
		"mark":            {"t.csv", "\ufeff" + plain, two, Options{}, "x:1 y:2"},
		"UTF-16 LE":       {"t.csv", utf(binary.LittleEndian, true, plain), two, Options{}, "x:1 y:2"},
		"UTF-16 BE":       {"t.csv", utf(binary.BigEndian, true, plain), two, Options{}, "x:1 y:2"},
		"no mark":         {"t.csv", utf(binary.LittleEndian, false, plain), two, Options{}, "x:1 y:2"},
		"lines in cells":  {"t.csv", "note,file,label\n\"two\nlines\",a.png,x\n\"a, b\",b.png,\"y\nz\"\n", two, Options{}, "x:1 y\nz:2"},
		"semicolons":      {"t.csv", "file;label\na.png;x\nb.png;y\n", two, Options{}, "x:1 y:2"},
		"up":              {"t.csv", "file,label\n../a.png,x\nb.png,y\n", two, Options{}, "--root DIR"},
		"root":            {"t.csv", "file,label\na.png,x\nb.png,y\n", "", Options{Root: "R"}, "x:7 y:8"},
		"absolute":        {"t.csv", "file,label\nR/a.png,x\nR/b.png,y\n", "", Options{Root: "R"}, "x:7 y:8"},
		"absolute not":    {"t.csv", "file,label\nR/a.png,x\nR/b.png,y\n", "", Options{}, "--root DIR"},
		"absolute in":     {"t.csv", "file,label\nD/a.png,x\nD/b.png,y\n", two, Options{}, "x:1 y:2"},
		"below a class":   {"train.csv", plain, "train/x/a.png=1 train/y/b.png=2 test/x/a.png=9", Options{}, "x:1 y:2"},
		"below two":       {"t.csv", plain, "p/a.png=1 q/a.png=2 b.png=2", Options{}, "p/a.png or q/a.png; folder:"},
		"numbers":         {"t.csv", "file,label\na.png,10\nb.png,9\n", two, Options{}, "10:1 9:2"},
		"large numbers":   {"t.jsonl", `{"file":"a.png","label":1000000}` + "\n" + `{"file":"b.png","label":2000000}`, two, Options{}, "1000000:1 2000000:2"},
		"metadata":        {"metadata.jsonl", `{"file_name":"x/a.png","text":"k"}`, "x/a.png=1 y/b.png=2", Options{}, "x:1 y:2"},
		"metadata, class": {"metadata.csv", "file_name,label\nx/a.png,k\ny/b.png,l\n", "x/a.png=1 y/b.png=2", Options{}, "k:1 l:2"},
		"columns":         {"t.csv", "id,breed\na.png,x\nb.png,y\n", two, Options{Image: "id", Label: "breed"}, "x:1 y:2"},
		"no column":       {"t.csv", plain, two, Options{Label: "breed"}, `no column "breed" for --label; there are ["file" "label"]`},
		"cells":           {"t.csv", "file,label\na.png,x\nb.png\n", two, Options{}, "t.csv, row 2: expected 2 cells, found 1"},
		"a list":          {"t.jsonl", `{"file":"a.png","label":["x"]}` + "\n" + `{"file":"b.png","label":["y"]}`, two, Options{}, "x:1 y:2"},
		"two names":       {"t.jsonl", `{"file":"a.png","label":["x","y"]}`, two, Options{}, "t.jsonl, row 1: expected one label, found a list of 2 labels"},
		"a file twice":    {"t.csv", "file,label\na.png,x\na.png,y\n", two, Options{}, "x:1 y:1"},
	} {
		t.Run(name, func(t *testing.T) {
			root, dir := files(t, t.TempDir(), "a.png=7", "b.png=8"), t.TempDir()
			text := strings.ReplaceAll(strings.ReplaceAll(c.text, "R/", root+"/"), "D/", dir+"/")
			put(t, filepath.Join(dir, c.table), []byte(text))
			files(t, dir, strings.Fields(c.files)...)
			if c.options.Root != "" {
				c.options.Root = root
			}
			d, err := Load(context.Background(), dir, c.options)
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = shown(d.Train)
			}
			if err == nil && got != c.want || !strings.Contains(got, c.want) {
				t.Errorf("%s", got)
			}
			if err == nil && d.Train.Source(0) == d.Train.Source(1) {
				t.Errorf("two images are called %s", d.Train.Source(0))
			}
			if err == nil && d.Layout == "table" {
				if table, row := d.Train.Listed(1); table != c.table || row != 2 {
					t.Errorf("listed in %s, row %d", table, row)
				}
			}
		})
	}
}

// shardOf writes name, content pairs as a tar file. A content that begins with -> is a link.
func shardOf(t *testing.T, members ...string) string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		h := &tar.Header{Name: members[i], Mode: 0o644, Size: int64(len(members[i+1]))}
		if to, ok := strings.CutPrefix(members[i+1], "->"); ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, to, 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			_, _ = w.Write([]byte(members[i+1]))
		}
	}
	_ = w.Close()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "train-0.tar"), b.Bytes())
	return dir
}

func TestShardsAreUnderstood(t *testing.T) {
	a, b := string(dot(1)), string(dot(2))
	for name, c := range map[string]struct {
		members []string
		options Options
		want    string
	}{
		"apart":         {[]string{"p/a.png", a, "p/b.png", b, "p/b.cls", "1", "p/a.cls", "0"}, Options{}, "0:1 1:2"},
		"dots":          {[]string{"a.v2.png", a, "a.cls", "0", "b.v2.png", b, "b.cls", "1"}, Options{}, "0:1 1:2"},
		"text":          {[]string{"a.png", a, "a.txt", "cat", "b.png", b, "b.txt", "dog"}, Options{}, "cat:1 dog:2"},
		"captions":      {[]string{"a.png", a, "a.txt", "one", "a.cls", "3", "b.png", b, "b.txt", "two", "b.cls", "4"}, Options{}, "3:1 4:2"},
		"large":         {[]string{"a.png", a, "a.json", `{"label":1000000}`, "b.png", b, "b.json", `{"label":2000000}`}, Options{}, "1000000:1 2000000:2"},
		"a link":        {[]string{"a.png", a, "a.cls", "0", "b.png", "->a.png", "b.cls", "1"}, Options{}, "0:1 1:1"},
		"a name twice":  {[]string{"a.png", a, "a.cls", "0", "b.png", b, "b.cls", "1", "a.png", b}, Options{}, "train-0.tar/a.png: expected one member a.png, found two, members 0 and 4"},
		"two images":    {[]string{"a.in.png", a, "a.out.png", b, "a.cls", "0", "b.in.png", b, "b.cls", "1"}, Options{}, "--image ENDING"},
		"one of two":    {[]string{"a.in.png", a, "a.out.png", b, "a.cls", "0", "b.in.png", b, "b.cls", "1"}, Options{Image: "in.png"}, "0:1 1:2"},
		"labels differ": {[]string{"a.png", a, "a.cls", "0", "a.json", `{"label":1}`, "b.png", b, "b.cls", "1"}, Options{}, `"0" in cls and 1 in json`},
	} {
		d, err := Load(context.Background(), shardOf(t, c.members...), c.options)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
		} else if shown(d.Train) != c.want {
			t.Errorf("%s: %s", name, shown(d.Train))
		}
	}
}

func TestNumPyLabels(t *testing.T) {
	pix := make([]byte, 3*2*2*3)
	for i := range pix {
		pix[i] = byte(i)
	}
	text := func(names ...string) (b []byte) {
		for _, n := range names {
			for _, r := range append([]rune(n), 0, 0)[:2] {
				b = binary.LittleEndian.AppendUint32(b, uint32(r))
			}
		}
		return b
	}
	for name, c := range map[string]struct {
		kind   string
		dims   []int
		labels []byte
		want   string
	}{
		"large":      {"<u2", []int{3}, []byte{0, 0x80, 1, 0x80, 0, 0x80}, "[32768 32769]"},
		"big-endian": {">u2", []int{3}, []byte{0, 5, 0, 6, 0, 5}, "[5 6]"},
		"names":      {"<U2", []int{3}, text("é", "ab", "é"), "[ab é]"},
		"bytes":      {"|S2", []int{3}, []byte("x\x00yyx\x00"), "[x yy]"},
		"one-hot":    {"|u1", []int{3, 2}, []byte{1, 0, 0, 1, 1, 0}, "[0 1]"},
		"two ones":   {"|u1", []int{3, 2}, []byte{1, 0, 1, 1, 1, 0}, "labels, row 1: expected one label, found 2 classes of 2"},
		"no number":  {"<f4", []int{3}, []byte{0, 0, 0, 0, 0, 0, 0xc0, 0x3f, 0, 0, 0x80, 0x3f}, "row 1: expected one label, found no whole number"},
	} {
		dir := t.TempDir()
		put(t, filepath.Join(dir, "images.npy"), npy("|u1", []int{3, 2, 2, 3}, pix))
		put(t, filepath.Join(dir, "labels.npy"), npy(c.kind, c.dims, c.labels))
		d, err := Load(context.Background(), dir, Options{})
		if got := fmt.Sprint(err); err != nil && !strings.Contains(got, c.want) || err == nil && fmt.Sprint(d.Train.Classes) != c.want {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
}

func TestDepthIsJudgedOverTheSet(t *testing.T) {
	dir := t.TempDir()
	for k, most := range []uint16{100, 4095} {
		img := image.NewGray16(image.Rect(0, 0, 2, 2))
		img.SetGray16(0, 0, color.Gray16{Y: most})
		var b bytes.Buffer
		_ = png.Encode(&b, img)
		put(t, filepath.Join(dir, []string{"a", "b"}[k], "x.png"), b.Bytes())
	}
	for depth, want := range map[int][2]uint8{0: {6, 255}, 12: {6, 255}, 16: {0, 15}} {
		d, err := Load(context.Background(), dir, Options{Depth: depth})
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]uint8{d.Train.Image(0)[0], d.Train.Image(1)[0]}; got != want || !d.Train.Grey {
			t.Errorf("depth %d: %v, expected %v", depth, got, want)
		}
		if depth == 0 && !strings.Contains(strings.Join(d.Notes, ""), "of 12 bits") {
			t.Errorf("%q", d.Notes)
		}
	}
	if _, err := Load(context.Background(), dir, Options{Depth: 10}); err == nil || !strings.Contains(err.Error(), "b/x.png") {
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
	still, err := os.ReadFile("testdata/odd/plain.webp")
	if err != nil {
		t.Fatal(err)
	}
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
	raw, err := os.ReadFile("testdata/odd/plain.png")
	if err != nil {
		t.Fatal(err)
	}
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
	if got := a.Shared(b); got.Same != 1 || got.Conflicting != 1 || got.First != [2]string{"memory:2", "memory:3"} {
		t.Errorf("%+v", got)
	}
}
