package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
)

// hostileNames are labels that do harm where a path, a terminal, a spreadsheet or a page takes them as they are.
var hostileNames = []string{"../../../x", ".hid", "=1+1", "@a", "-x", "\x1b[31mred\a", "two\n  verdict               no evidence of poison\rx", "<script>alert(1)</script>", "con", "a/b"}

// hostileTable writes a table of seven images a label, in files whose names do harm too.
func hostileTable(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var rows []byte
	for i := range 7 * len(hostileNames) {
		name := fmt.Sprintf("=cmd %d\x1b]0;t\a.png", i)
		px := make([]uint8, 16*16*3)
		for k := range px {
			px[k] = uint8(11 * i)
		}
		if err := dataset.WritePNG(filepath.Join(dir, name), px, 16, 16); err != nil {
			t.Skip(err)
		}
		row, err := json.Marshal(map[string]string{"file_name": name, "label": hostileNames[i/7]})
		if err != nil {
			t.Fatal(err)
		}
		rows = append(append(rows, row...), '\n')
	}
	testfile.Write(t, filepath.Join(dir, "train.jsonl"), rows)
	return dir
}

// newModel writes a model that learnt nothing.
func newModel(t *testing.T, side int, classes ...string) string {
	t.Helper()
	n, err := model.New("small-cnn", len(classes), side, side)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), runs.ModelFile)
	if err := checkpoint.Save(path, n.Init(7), checkpoint.Info{Arch: n.Arch, Classes: classes, Height: side, Width: side, Version: "test"}); err != nil {
		t.Fatal(err)
	}
	return path
}

// What names hold reaches neither the terminal nor a spreadsheet nor another folder, and comes back as it was.
func TestHostileNamesThroughCommands(t *testing.T) {
	data, out := hostileTable(t), t.TempDir()
	d, err := dataset.Load(t.Context(), data, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var all []isolate.Suspect
	for i := range d.Train.Len() {
		all = append(all, isolate.Suspect{Index: i, Isolated: i == 1})
	}
	suspects, kept := filepath.Join(out, runs.SuspectsFile), filepath.Join(out, "kept.csv")
	if err := runs.WriteSuspects(suspects, d.Train, all, true); err != nil {
		t.Fatal(err)
	}
	deep := filepath.Join(out, "1", "2", "3", "4")
	file := newModel(t, 16, hostileNames...)
	for _, args := range [][]string{
		{"data", "info", data},
		{"attack", "badnets:target=1", "--rate", "0.2", "--data", data, "--out", filepath.Join(deep, "p")},
		{"data", "filter", "--data", data, "--suspects", suspects, "--out", filepath.Join(deep, "f"), "--list", kept},
		{"eval", "--model", file, "--data", data},
		{"audit", "--data", data, "--out", filepath.Join(out, "a"), "--model", "small-cnn", "--content=false", "--epochs-inspect", "0"},
		{"predict", "--model", file, "--top", "10", filepath.Join(data, "=cmd 0\x1b]0;t\a.png")},
		{"predict", "--model", file, "\x1b[31m\u202e.png"},
		{"data", "info", filepath.Join(data, "\x1b[31m\u202e")},
	} {
		text, err := program(args...).CombinedOutput()
		if missing := strings.Contains(args[len(args)-1], "\u202e"); (err != nil) != missing {
			t.Errorf("%q: %v: %s", args, err, text)
		}
		if at := strings.IndexFunc(string(text), func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7f || r == 0x202e }); at >= 0 {
			t.Errorf("%q prints %q", args, text[max(0, at-20):at+1])
		}
		if n := strings.Count(string(text), "\n  verdict "); n != map[bool]int{true: 1}[args[0] == "audit"] {
			t.Errorf("%q prints %d verdicts: %s", args, n, text)
		}
	}
	for _, path := range []string{suspects, kept} {
		for _, row := range cells(t, path) {
			for _, cell := range row {
				if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
					t.Errorf("%s has the cell %q", path, cell)
				}
			}
		}
	}
	entries, err := filepath.Glob(filepath.Join(out, "1", "2", "3", "4", "*"))
	beside, _ := filepath.Glob(filepath.Join(out, "1", "2", "*"))
	if err != nil || len(entries) != 2 || len(beside) != 1 {
		t.Errorf("beside what was written lie %q, %q", entries, beside)
	}
	want := slices.Sorted(slices.Values(hostileNames))
	for name, images := range map[string]int{"p": d.Train.Len(), "f": d.Train.Len() - 1} {
		got, err := dataset.Load(t.Context(), filepath.Join(deep, name), dataset.Options{})
		if err != nil || got.Train.Len() != images || !slices.Equal(slices.Sorted(slices.Values(got.Train.Classes)), want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func cells(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// A model that knows names judges data that have numbers, by index, and says so; not data of another number of classes.
func TestClassesAreMatchedByIndex(t *testing.T) {
	numbers := filepath.Join("..", "..", "..", "dataset", "testdata", "numpy", "planar") // classes 0 and 1
	named := filepath.Join("..", "..", "..", "dataset", "testdata", "folder")            // cat and dog
	for _, c := range []struct {
		model []string
		data  string
		says  string
		code  int
	}{
		{[]string{"cat", "dog"}, numbers, "matched by index, 0 is cat", exitDone},
		{[]string{"0", "1"}, named, "matched by index, cat is 0", exitDone},
		{[]string{"cat", "dog"}, named, "", exitDone},
		{[]string{"dog", "cat"}, named, "", exitDone},
		{[]string{"cat", "dog", "bird"}, numbers, `has others of its 2: "0", "1"`, exitFailed},
		{[]string{"1", "2"}, named, `has others of its 2: "cat", "dog"`, exitFailed},
		{[]string{"1", "0"}, named, "matched by index, dog is 1", exitDone},
		{[]string{"cat", "bird"}, named, `has others of its 2: "dog"`, exitFailed},
	} {
		code, _, errs := call("eval", "--model", newModel(t, 32, c.model...), "--data", c.data)
		if code != c.code || !strings.Contains(errs, c.says) || c.says == "" && strings.Contains(errs, "by index") {
			t.Errorf("%q on %s: %d, %s", c.model, c.data, code, errs)
		}
	}
}

// Files with samples of 12 bits in 16 are as bright to predict as they are in a data set.
func TestPredictTakesADepth(t *testing.T) {
	file, path := newModel(t, 16, "a", "b", "c"), filepath.Join(t.TempDir(), "x.png")
	img := image.NewGray16(image.Rect(0, 0, 16, 16))
	for i := range 256 {
		img.SetGray16(i%16, i/16, color.Gray16{Y: uint16(i * 16)})
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, depth := range []string{"0", "12", "16"} {
		code, out, errs := call("predict", "--model", file, "--depth", depth, path, "--json")
		if code != exitDone || strings.Contains(errs, "of 12 bits") != (depth == "0") {
			t.Errorf("--depth %s: %d, %s", depth, code, errs)
		}
		said[depth] = out
	}
	if said["0"] != said["12"] || said["16"] == said["12"] {
		t.Errorf("%v", said)
	}
	for depth, want := range map[string]int{"7": exitUsage, "17": exitUsage, "8": exitFailed} {
		if code, _, errs := call("predict", "--model", file, "--depth", depth, path); code != want {
			t.Errorf("--depth %s: %d, %s", depth, code, errs)
		}
	}
	for _, special := range []string{"/dev/zero", t.TempDir()} {
		if code, _, errs := call("predict", "--model", file, special); code != exitFailed || !strings.Contains(errs, special) {
			t.Errorf("%s: %d, %s", special, code, errs)
		}
	}
}

// Limits of any size are a number of images or wrong usage.
func TestLargeLimits(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "dataset", "testdata", "folder")
	for _, limit := range []string{"9223372036854775807", "2147483648"} {
		if code, out, errs := call("data", "info", folder, "--limit", limit); code != exitDone || !strings.Contains(out, "8 images") {
			t.Errorf("--limit %s: %d, %s%s", limit, code, out, errs)
		}
		if code, _, errs := call("data", "info", "signs", "--limit", limit); code != exitUsage {
			t.Errorf("signs, --limit %s: %d, %s", limit, code, errs)
		}
	}
}
