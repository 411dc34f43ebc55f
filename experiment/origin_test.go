package experiment

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/train"
)

// Results of data that have changed since are neither reused nor adopted.
func TestChangedDataAreNoticed(t *testing.T) {
	root := t.TempDir()
	data := filepath.Join(root, "data")
	if err := dataset.Write("folder", data, signs.Render(1, 120, 20)); err != nil {
		t.Fatal(err)
	}
	grid := func(attacks ...string) *Grid {
		return &Grid{
			Name: "g", Data: data, Model: "small-cnn", Attacks: attacks, Defenses: []string{"none"}, Settings: "batch=32,tune_epochs=1",
		}
	}
	run := func(g *Grid, folder, keep string) (ran []string, err error) {
		r := runner(t, g, filepath.Join(root, folder))
		r.Keep = keep
		r.Say = func(format string, args ...any) {
			if name, ok := args[0].(string); ok && strings.HasPrefix(format, "%-32s is") {
				ran = append(ran, "adopted "+name)
			}
		}
		return ran, r.Run(context.Background())
	}
	keep := filepath.Join(root, "keep")
	if _, err := run(grid("none", "badnets"), "a", keep); err != nil {
		t.Fatal(err)
	}
	if ran, err := run(grid("none", "badnets"), "b", ""); err != nil || len(ran) != 2 {
		t.Fatalf("adopted of the same data: %v, %v", ran, err)
	}
	m, err := filepath.Glob(filepath.Join(data, "train", "*", "000003.png"))
	if err != nil || len(m) != 1 {
		t.Fatal(m, err)
	}
	if err := os.Remove(m[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := run(grid("none", "badnets"), "a", ""); err == nil || !strings.Contains(err.Error(), "other data") {
		t.Errorf("going on with other data: %v", err)
	}
	if _, err := run(grid("badnets"), "c", keep); err == nil || !strings.Contains(err.Error(), "other data") {
		t.Errorf("results kept of other data: %v", err)
	}
	if ran, err := run(grid("badnets"), "d", ""); err != nil || len(ran) != 0 {
		t.Errorf("a grid beside adopts what is of other data: %v, %v", ran, err)
	}
}

// So are those of attacks whose picture is another one now.
func TestChangedPicturesAreNoticed(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "mark.png")
	draw := func(v uint8) {
		if err := dataset.WritePNG(path, bytes.Repeat([]byte{v}, 192), 8, 8); err != nil {
			t.Fatal(err)
		}
	}
	run := func(folder string) (adopted int, err error) {
		r := runner(t, &Grid{
			Name: "g", Data: "signs", Limit: 120, Test: 20, Model: "small-cnn", Attacks: []string{"blend:image=" + path}, Defenses: []string{"none"}, Settings: "batch=32,tune_epochs=1",
		}, filepath.Join(root, folder))
		r.Say = func(format string, _ ...any) {
			if strings.HasPrefix(format, "%-32s is") {
				adopted++
			}
		}
		return adopted, r.Run(context.Background())
	}
	draw(200)
	for k, folder := range []string{"a", "a", "b"} {
		if n, err := run(folder); err != nil || n != k/2 {
			t.Fatalf("%s of the same picture: %d cells adopted, %v", folder, n, err)
		}
	}
	draw(20)
	if _, err := run("a"); err == nil || !strings.Contains(err.Error(), "another picture") {
		t.Errorf("going on with another picture: %v", err)
	}
	if n, err := run("c"); err != nil || n != 0 {
		t.Errorf("of another picture: %d cells adopted, %v", n, err)
	}
}

// A result of another search is shown, and said to be one, but neither adopted nor taken for finished.
func TestEarlierSearchesAreMadeAgain(t *testing.T) {
	root := t.TempDir()
	g := &Grid{
		Name: "g", Data: "signs", Limit: 200, Test: 20, Model: "small-cnn", Attacks: []string{"badnets"},
		Defenses: []string{"auto:content=false,inspect_epochs=0,tune_epochs=0"}, Settings: "batch=32",
	}
	run := func(folder, keep string) *Runner {
		r := runner(t, g, filepath.Join(root, folder))
		r.Keep = keep
		if err := r.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		return r
	}
	keep := filepath.Join(root, "keep")
	r := run("a", keep)
	c := g.Cells()[0]
	path, kept := filepath.Join(r.folder(c), runs.ResultFile), filepath.Join(keep, "g.jsonl")
	today := fmt.Sprintf(`"revision":%d`, audit.Revision)
	for _, p := range []string{path, kept} {
		raw, err := os.ReadFile(p)
		old := bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte(`"revision": `), []byte(`"revision":`)), []byte(today), []byte(`"revision":1`))
		if err != nil || !bytes.Contains(old, []byte(`"revision":1`)) {
			t.Fatalf("%s has no %s (%v)", p, today, err)
		}
		testfile.Write(t, p, old)
	}
	progress := filepath.Join(r.folder(c), train.ProgressFile)
	arrays, meta, err := checkpoint.ReadArrays(progress)
	if err != nil {
		t.Fatal(err)
	}
	now := meta["progress"]
	meta["progress"] = strings.Replace(now, fmt.Sprintf(",%d]", audit.Revision), ",1]", 1) // the search's is the last of the digest
	if meta["progress"] == now {
		t.Fatalf("no revision in %.300s", now)
	}
	if err := checkpoint.WriteArrays(progress, arrays, meta); err != nil {
		t.Fatal(err)
	}
	earlier := &Runner{Grid: g, Folder: r.Folder}
	if tables := earlier.Tables(); earlier.Done(c) || len(tables) != 1 || !strings.Contains(tables[0].Note, "earlier searches: 1 of 1 cells") {
		t.Errorf("done %v, tables %v", earlier.Done(c), tables)
	}
	for _, r := range []*Runner{run("b", ""), run("a", keep)} {
		if res := r.result(c); res == nil || res.Revision != audit.Revision {
			t.Errorf("%s has a result of another search: %+v", r.Folder, res)
		}
	}
	if s, err := openStore(kept); err != nil || s.cell(c.Name()).Result.Earlier() {
		t.Errorf("what is kept is of another search (%v)", err)
	}
}

// Cells have names of their own.
func TestCellNamesDoNotCollide(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"t-x.png", "t/x.png"} {
		path := filepath.Join(dir, filepath.FromSlash(n))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := dataset.WritePNG(path, make([]uint8, 192), 8, 8); err != nil {
			t.Fatal(err)
		}
	}
	a, b := Cell{Attack: "custom:image=t/x.png", Defense: "none"}, Cell{Attack: "custom:image=t-x.png", Defense: "none"}
	if a.Name() == b.Name() {
		t.Errorf("both are called %s", a.Name())
	}
	if got := (Cell{Attack: "badnets:patch_size=5", Defense: "abl"}).Name(); got != "badnets-patch_size5.abl.0" {
		t.Errorf("results kept so far are of other names than %s", got)
	}
	for name, g := range map[string]*Grid{
		"seeds":    {Name: "g", Data: "signs", Attacks: []string{"none"}, Defenses: []string{"none"}, Seeds: []uint64{0, 0}},
		"attacks":  {Name: "g", Data: "signs", Attacks: []string{"none", "none"}, Defenses: []string{"none"}},
		"the same": {Name: "g", Data: "signs", Attacks: []string{"blend:alpha=0.1", "blend:alpha0.1"}, Defenses: []string{"none"}},
	} {
		if err := g.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
