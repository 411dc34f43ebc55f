package review

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// FuzzRun gives the files of a run's folder that a review reads. What it takes makes a page.
func FuzzRun(f *testing.F) {
	verdicts, err := os.Open("../../testkit/golden/verdicts.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	defer verdicts.Close()
	set := signs.Render(1, 12, 6).Train
	list := "index,source,label,isolated,probability\n"
	for i := range 4 {
		list += fmt.Sprintf("%d,%s,%s,%t,0.5\n", i, set.Source(i), set.Classes[set.Labels[i]], i < 2)
	}
	const history = `{"reviewer":"a","history":[{"index":1,"decision":"drop"},{"index":0,"decision":"keep"}]}`
	lines := bufio.NewScanner(verdicts)
	lines.Buffer(nil, 1<<20)
	for n := 0; lines.Scan(); n++ {
		if n%40 == 0 {
			f.Add(fmt.Sprintf(`{"data":{"path":"x","layout":"signs"},"verdict":%s}`, lines.Text()), list, history)
		}
	}
	if err := lines.Err(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, result, list, history string) {
		run := t.TempDir()
		for name, text := range map[string]string{"result.json": result, "suspects.csv": list, filepath.Join(Folder, "a.json"): history, filepath.Join(Folder, "b.json"): history} {
			path := filepath.Join(run, name)
			testfile.Write(t, path, text)
		}
		r, err := Open(run, set, "a")
		if err != nil {
			return
		}
		if head, err := r.head(); err == nil && strings.Contains(string(head), "<script") && !strings.Contains(result, "<script") {
			t.Errorf("%s", head)
		}
		if _, err := r.State(); err != nil {
			t.Log(err)
		}
	})
}
