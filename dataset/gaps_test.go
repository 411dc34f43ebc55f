package dataset

import (
	"strings"
	"testing"
)

// Files that are missing in a numbered list are named.
func TestMissingShardsAreNamed(t *testing.T) {
	for files, want := range map[string]string{
		"data/train-00000-of-00003.parquet data/train-00002-of-00003.parquet": "not there: data/train-00001-of-00003",
		"train-00000-of-00003.parquet":                                        "not there: train-00001-of-00003, train-00002-of-00003",
		"train-1-of-2.tar train-2-of-2.tar":                                   "",
		"train-0-of-2-ab12.parquet train-1-of-2-cd34.parquet":                 "",
		"train-00.tar train-01.tar train-03.tar test-00.tar":                  "not there: train-02.tar",
		"train-8.tar train-9.tar train-10.tar.gz train-11.tar.gz":             "",
		"part-20240101.tar part-20240201.tar":                                 "",
		"mnist-28.tar":                                                        "",
		"train.csv":                                                           "",
	} {
		dir := t.TempDir()
		p := parts{}
		for _, file := range strings.Fields(files) {
			if strings.HasPrefix(file, "test") {
				p.test = append(p.test, dir+"/"+file)
			} else {
				p.train = append(p.train, dir+"/"+file)
			}
		}
		if got := strings.Join(newStore(dir, Options{}).gaps(p), "; "); got != want {
			t.Errorf("%s: %q", files, got)
		}
	}
}
