package unpoison

import (
	"context"
	"testing"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
)

// Of images that are all black nobody can tell the labels. The verdict says so, and has no error rates: they were measured on images
// that show something. Of those whose classes have colours it has some.
func TestLabelsThatNobodyCanTellAreSaid(t *testing.T) {
	const n, side, classes = 96, 8, 2
	for _, black := range []bool{true, false} {
		set := &dataset.Set{Height: side, Width: side, Classes: []string{"a", "b"}, Pixels: make([]uint8, n*side*side*3)}
		for i := range n {
			set.Labels = append(set.Labels, int32(i%classes))
			for k := range side * side * 3 {
				if !black {
					set.Pixels[i*side*side*3+k] = uint8(30*(i%5) + 100*(i%classes))
				}
			}
		}
		a := audit.Default()
		a.Pixels = black // it takes longer of the others
		r, err := run(context.Background(), &dataset.Data{Layout: "folder", Train: set}, Options{Search: &a, steps: look.Steps{Round: 4, Plain: 4, Content: 40}}, false)
		if err != nil {
			t.Fatal(err)
		}
		if v := r.Verdict; v.Untold != black || black && (v.Measured != nil || v.Calibration != nil) {
			t.Errorf("black %v: %+v", black, v)
		}
	}
}
