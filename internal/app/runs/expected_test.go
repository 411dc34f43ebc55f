package runs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
)

// What is expected is said in units that people plan in, of all that is audited.
func TestExpectedIsSaid(t *testing.T) {
	for spike, want := range map[bool][]string{
		false: {"1,000,000 images will", "about 1 min here, 118 min or more where", "up to 180 MB in out, 83.9 MB more for each label that is found, and 12288 MB beside the decoded images"},
		true:  {"1,000,000 images and of 3 copies with known attacks will", "about 5.9 h here, 7.9 h or more where", "up to 340 MB in out"},
	} {
		s := &Spec{Folder: "out", Spike: spike, Data: &dataset.Data{Train: &dataset.Set{Labels: make([]int32, 1_000_000), Classes: make([]string, 10)}}}
		got := s.expected(look.Expected{Clean: 20 * time.Second, Found: 118 * time.Minute, Disk: 12 << 30})
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%s, expected %q", got, part)
			}
		}
	}
}

// The room that is said is what the checkpoint takes twice: the old one and the new one beside it.
func TestDiskIsThatOfTwoCheckpoints(t *testing.T) {
	const images, classes = 5000, 20
	s := &Spec{Data: &dataset.Data{Train: &dataset.Set{Labels: make([]int32, images), Classes: make([]string, classes)}}}
	all, label := s.disk()
	of := func(numbers int) checkpoint.Array {
		return checkpoint.Array{Dims: []int{numbers}, Data: make([]float32, numbers)}
	}
	arrays := map[string]checkpoint.Array{"probability": of(images), "free": of(images), "corrected": of(images), "losses": of(images)}
	size := func(names ...string) int64 {
		for _, name := range names {
			arrays[name] = of(images / 2 * classes)
		}
		path := filepath.Join(t.TempDir(), "checkpoint")
		if err := checkpoint.WriteArrays(path, arrays, nil); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return 2 * st.Size()
	}
	clean := size("content.0", "content.1")
	if rows := int64((70 + len(s.Data.Train.Source(0))) * images); all-rows < clean*99/100 || all-rows > clean*101/100 {
		t.Errorf("%d bytes, the files take %d", all-rows, clean)
	}
	if more := size("content.without.3.0", "content.without.3.1") - clean; label < more || label > more*11/10 {
		t.Errorf("%d bytes for a label, the files take %d", label, more)
	}
}
