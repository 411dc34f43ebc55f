package dataset

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

// Files beside images in folders that keep rows of dropped images are named, and no others.
func TestFilesThatKeepRowsAreNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	files(t, dir, "a/0011.png=1", "a/0012.png=2", "b/0013.png=3", "b/0014.png=4")
	for name, text := range map[string]string{
		"ids.csv": "id,age\n0012,3\n0013,4\n", "paths.csv": "file,age\na/0012.png,3\nb/0013.png,4\n", "others.csv": "id,age\n0011,0012\n",
		"lines.jsonl": "{\"id\": \"0012\"}\n", "boxes.json": `{"images": [{"file_name": "a/0012.png"}]}`, "more.json": `{"n": ["0012", "0013.png"]}`,
		"list.txt": "0011\n0012\n", "readme.txt": "images\n", "metadata.parquet": "PAR1",
	} {
		put(t, filepath.Join(dir, name), []byte(text))
	}
	d := load(t, "folder:"+dir)
	for drop, want := range map[int]string{1: "boxes.json, ids.csv, lines.jsonl, list.txt", -1: ""} {
		marks := make([]bool, d.Train.Len())
		if drop >= 0 {
			marks[drop] = true
		}
		notes, err := Correct(context.Background(), d, Options{}, marks, nil, filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Join(notes, "\n")
		if _, of, _ := strings.Cut(said, "take the rows out yourself: "); of != want || strings.Contains(said, "metadata.parquet") != (drop >= 0) {
			t.Errorf("%q, expected %q", notes, want)
		}
	}
}
