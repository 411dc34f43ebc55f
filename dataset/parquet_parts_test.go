package dataset

import (
	"path/filepath"
	"strings"
	"testing"
)

type partRow struct {
	Image []byte `parquet:"image"`
	Label string `parquet:"label"`
	Split string `parquet:"split,optional"`
	Valid bool   `parquet:"is_valid"`
	Note  string `parquet:"note"`
}

// One Parquet file may hold the images of all parts, as one table may; so it is read and filtered.
func TestParquetOfAllParts(t *testing.T) {
	for name, c := range map[string]struct {
		of   func(k int) (split string, valid bool)
		want string // training and test images, or a part of the error
		note string
	}{
		"by words":      {func(k int) (string, bool) { return [3]string{"train", "train", " Test"}[k%3], false }, "x:10 x:13 y:11 y:14 | x:12 x:15", `by the column "split": 4 for the training`},
		"by yes and no": {func(k int) (string, bool) { return "", k%3 == 2 }, "x:10 x:13 y:11 y:14 | x:12 x:15", `by the column "is_valid": 4 for the training`},
		"by nothing":    {func(int) (string, bool) { return "", false }, "x:10 x:12 x:13 x:15 y:11 y:14 | none", ""},
		"by numbers":    {func(k int) (string, bool) { return [3]string{"0", "1", "2"}[k%3], false }, "x:10 x:12 x:13 x:15 y:11 y:14 | none", `the column "split" says ["0" "1" "2"]`},
		"by one word":   {func(k int) (string, bool) { return [3]string{"train", "", "test"}[k%3], false }, "row 1 of all.parquet", ""},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		labels := []string{"x", "y", "x", "x", "y", "x"}
		writeRows(t, filepath.Join(dir, "all.parquet"), labels, func(k int, l string) partRow {
			split, valid := c.of(k)
			return partRow{dot(uint8(10 + k)), l, split, valid, "train"}
		})
		d, err := Load(t.Context(), dir, Options{})
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if got, notes := shown(d.Train)+" | "+shown(d.Test), strings.Join(d.Notes, "\n"); got != c.want || !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
			t.Errorf("%s: %s, expected %s; the notes are %q", name, got, c.want, d.Notes)
		}
		_, left, _ := filtered(t, dir, 2)
		if got := shown(left.Train) + " | " + shown(left.Test); !strings.HasSuffix(got, strings.Split(c.want, "|")[1]) || left.Train.Len() != d.Train.Len()-1 {
			t.Errorf("%s: %s is left", name, got)
		}
	}
}

// Test images may lack the column of labels that is asked for.
func TestTestImagesWithoutTheColumnThatIsAskedFor(t *testing.T) {
	type labelled struct {
		Image []byte `parquet:"picture"`
		Label string `parquet:"dx"`
	}
	type bare struct {
		Image []byte `parquet:"picture"`
	}
	dir := t.TempDir()
	writeRows(t, filepath.Join(dir, "parquet/train.parquet"), []string{"x", "y", "x"}, func(k int, l string) labelled { return labelled{dot(uint8(1 + k)), l} })
	writeRows(t, filepath.Join(dir, "parquet/test.parquet"), []string{""}, func(int, string) bare { return bare{dot(9)} })
	files(t, filepath.Join(dir, "table"), "1.png=1", "2.png=2", "3.png=3", "9.png=9", "train.csv=picture,dx\n1.png,x\n2.png,y\n3.png,x\n", "test.csv=picture\n9.png\n")
	for _, name := range []string{"parquet", "table"} {
		d, err := Load(t.Context(), filepath.Join(dir, name), Options{Label: "dx", Image: "picture"})
		if err != nil || shown(d.Train) != "x:1 x:3 y:2" || d.Unlabelled != 1 {
			t.Errorf("%s: %v", name, err)
		}
		if _, err = Load(t.Context(), filepath.Join(dir, name), Options{Label: "dy", Image: "picture"}); err == nil || !strings.Contains(err.Error(), `no column "dy" for --label`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
