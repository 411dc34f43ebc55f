package runs

import (
	"testing"

	"github.com/unpoison/unpoison/dataset"
)

// seenBy is a writer that notes how many rows were made when it was first written to.
type seenBy struct{ made, first int }

func (s *seenBy) Write(p []byte) (int, error) {
	if s.first == 0 {
		s.first = s.made
	}
	return len(p), nil
}

// Lists of many images are written while they are made.
func TestListsAreStreamed(t *testing.T) {
	const n = 10000
	set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"a"}, Labels: make([]int32, n), Pixels: make([]uint8, 3*n)}
	w := &seenBy{}
	if err := printKept(w, set, nil, func(int) bool { w.made++; return true }); err != nil {
		t.Fatal(err)
	}
	if w.first == 0 || w.first >= n/10 {
		t.Errorf("%d of %d rows are held at once", w.first, n)
	}
}
