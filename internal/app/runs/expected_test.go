package runs

import (
	"strings"
	"testing"
	"time"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
)

// What is expected is said in units that people plan in.
func TestExpectedIsSaid(t *testing.T) {
	s := &Spec{Folder: "out", Data: &dataset.Data{Train: &dataset.Set{Labels: make([]int32, 1_000_000), Classes: make([]string, 10)}}}
	for of, want := range map[look.Expected]string{
		{Clean: 20 * time.Second, Found: 118 * time.Minute}: "about 1 min here, 118 min or more where",
		{Clean: 2 * time.Hour, Found: 36 * time.Hour}:       "about 2.0 h here, 36.0 h or more where",
	} {
		if got := s.expected(of); !strings.Contains(got, want) || !strings.Contains(got, "1,000,000 images") || !strings.Contains(got, "126 MB in out") {
			t.Errorf("%v: %s", of, got)
		}
	}
}
