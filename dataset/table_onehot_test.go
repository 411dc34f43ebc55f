package dataset

import (
	"path/filepath"
	"strings"
	"testing"
)

// Of a table whose classes are columns of zeros and ones the error says what to do; other tables without labels have no such columns.
func TestOneHotTablesAreSaid(t *testing.T) {
	for table, want := range map[string]string{
		"image,MEL,NV\na,1.0,0.0\nb,0.0,1.0\n":                  `2 columns of 0 and 1, such as ["MEL" "NV"], with one 1 a row`,
		"filename, cat, dog\na.png,1,1\nb.png,0,1\nc.png,0,0\n": "one 1 in 1 of the first 3 rows",
		"image,age,sex\na.png,1,0\nb.png,7,1\n":                 "",
		"image,is_train,old\na.png,1,0\nb.png,0,0\n":            "",
	} {
		dir := filepath.Join(t.TempDir(), "data")
		files(t, dir, "a.png=1", "b.png=2", "c.png=3", "t.csv="+table)
		for _, spec := range []string{dir, "table:" + dir} {
			_, err := Load(t.Context(), spec, Options{})
			if err == nil || !strings.Contains(err.Error(), "expected a column of labels") || strings.Contains(err.Error(), "idxmax") != (want != "") || !strings.Contains(err.Error(), want) {
				t.Errorf("%q, %s: %v", table, spec, err)
			}
		}
	}
}
