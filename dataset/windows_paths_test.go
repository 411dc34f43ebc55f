package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A table that was written on Windows names the same files elsewhere: they are read, and filtered by their rows. A name with a
// backslash in it is still that file's.
func TestTablesFromWindows(t *testing.T) {
	if filepath.Separator == '\\' {
		t.Skip("paths here are Windows's")
	}
	for name, o := range map[string]Options{"beside": {}, "below": {}, "root": {}, "jsonl": {}} {
		dir := t.TempDir()
		data, files := filepath.Join(dir, "data"), filepath.Join(dir, "data")
		if name == "root" {
			files = filepath.Join(dir, "elsewhere")
			o.Root = files
		}
		folder := map[string]string{"below": "deep/images"}[name]
		rows := []string{"path,label"}
		if name == "jsonl" {
			rows = nil
		}
		for i := range 6 {
			put(t, filepath.Join(files, folder, "img", "sub", fmt.Sprint(i, ".png")), dot(uint8(20*i)))
			row := fmt.Sprintf(`img\sub\%d.png,%d`, i, i%2)
			if name == "jsonl" {
				row = fmt.Sprintf(`{"path": "img\\sub\\%d.png", "label": %d}`, i, i%2)
			}
			rows = append(rows, row)
		}
		if name == "beside" { // another table, which names what is dropped
			put(t, filepath.Join(data, "img", "notes.csv"), []byte("file,text\nsub\\1.png,a\n"))
			put(t, filepath.Join(files, `img\sub\0.png`), dot(200))
		}
		put(t, filepath.Join(data, "train"+map[bool]string{true: ".jsonl", false: ".csv"}[name == "jsonl"]), []byte(strings.Join(rows, "\n")+"\n"))
		d, err := Load(t.Context(), "table:"+data, o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		bright := d.Train.Image(0)[0] > 100
		if d.Train.Len() != 6 || bright != (name == "beside") || d.Train.Image(3)[0]/10 != 6 {
			t.Errorf("%s: %d images, of %d and %d", name, d.Train.Len(), d.Train.Image(0)[0], d.Train.Image(3)[0])
		}
		out := filepath.Join(dir, "out")
		if _, err := Correct(t.Context(), d, o, []bool{false, true, true, false, false, false}, nil, out); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, one := os.Stat(filepath.Join(out, folder, "img", "sub", "1.png"))
		_, two := os.Stat(filepath.Join(out, folder, "img", "sub", "2.png"))
		if name != "root" && ((one == nil) != (name == "beside") || two == nil) {
			t.Errorf("%s: of the images that were dropped: %v, %v", name, one, two)
		}
	}
	dir := t.TempDir()
	for _, path := range []string{`C:\data\1.png`, `\\server\share\1.png`} {
		put(t, filepath.Join(dir, "1.png"), dot(1))
		put(t, filepath.Join(dir, "train.csv"), []byte("path,label\n"+path+",a\n"))
		if _, err := Load(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "train.csv, row 1: expected a path in "+dir+"; --root DIR") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
