package runs

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/pixels"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/isolate"
)

// A page with 300 suspects of 128 pixels a side, which compress as badly as noise does, stays under 5 MB. It shows them at that
// size, and loads them when they come into sight.
func TestPagesStaySmall(t *testing.T) {
	const suspected, n, side = 300, 400, 128
	set := &dataset.Set{Height: side, Width: side, Classes: []string{"stop", "yield"}, Labels: make([]int32, n), Pixels: make([]uint8, n*side*side*3)}
	r := rand.New(rand.NewPCG(1, 2))
	for k := range set.Pixels {
		set.Pixels[k] = uint8(r.Uint32())
	}
	var suspects []isolate.Suspect
	var odd []look.Odd
	for i := range n {
		suspects = append(suspects, isolate.Suspect{Index: i, Score: float32(i), Probability: 1, Isolated: i < suspected})
		odd = append(odd, look.Odd{Image: i, Shows: 1, Probability: 1})
	}
	v := &audit.Verdict{Says: look.Poisoned, Removed: suspected, Rate: 0.75, Targets: []audit.Target{{Class: "stop", Evidence: look.Evidence{
		Says: look.Poisoned, Look: pixels.Name, Facts: pixels.Facts{Counts: look.Counts{Images: n, Flagged: suspected}, Distance: 9},
	}}}}
	o := &Outcome{Result: &Result{Defense: AuditOnly, Verdict: v}, Train: set, Verdict: v, Trained: &abl.Result{Suspects: suspects}, Odd: odd}
	folder := t.TempDir()
	if err := Page(folder, o); err != nil {
		t.Fatal(err)
	}
	raw := testfile.Read(t, filepath.Join(folder, ReportFile))
	page := string(raw)
	shown, lazy, all := strings.Count(page, "data-index="), strings.Count(page, `loading="lazy"`), strings.Count(page, "<img")
	t.Logf("%d bytes, %d suspects shown, %d of %d pictures lazy", len(raw), shown, lazy, all)
	if len(raw) > 5_000_000 || shown < few || all-lazy > 20 {
		t.Errorf("%d bytes, %d suspects shown, %d of %d pictures are loaded when they are seen", len(raw), shown, lazy, all)
	}
}
