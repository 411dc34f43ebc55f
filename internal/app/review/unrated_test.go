package review

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/unpoison/unpoison/internal/testkit/browser"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// withoutProbabilities takes the last column of a run's list away, as ABL has none.
func withoutProbabilities(t *testing.T, run string) {
	t.Helper()
	path := filepath.Join(run, "suspects.csv")
	raw := testfile.Read(t, path)
	var b strings.Builder
	for line := range strings.Lines(string(raw)) {
		b.WriteString(line[:strings.LastIndexByte(line, ',')] + "\n")
	}
	testfile.Write(t, path, b.String())
}

func TestListsWithoutProbabilities(t *testing.T) {
	run, set := madeUp(t)
	withoutProbabilities(t, run)
	r, err := Open(run, set, "ann")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := r.State(); err != nil || s.Suspects[0].Rated {
		t.Errorf("%+v, %v", s, err)
	}
}

// Suspects without a probability, as ABL's, show none, and the filter by it hides none.
func TestReviewWithoutProbabilities(t *testing.T) {
	ctx := browser.Start(t)
	run, set := madeUp(t)
	withoutProbabilities(t, run)
	s, _ := open(t, run, set, "ann")
	browser.Do(t, ctx, chromedp.Navigate(s.URL()))
	browser.Until(t, ctx, `document.querySelectorAll("#grid li").length > 0`)
	browser.Do(t, ctx, chromedp.Evaluate[string](`{ const from = document.getElementById("from"); from.value = "50"; from.dispatchEvent(new Event("input", { bubbles: true })); "" }`))
	if text := browser.Do(t, ctx, chromedp.Evaluate[string](`document.querySelector("#grid li span").textContent + " " + document.querySelector("#grid li").textContent`)); strings.Contains(text, "%") {
		t.Errorf("a suspect says %q", text)
	}
	if n := browser.Do(t, ctx, chromedp.Evaluate[int](`document.querySelectorAll("#grid li").length`)); n < suspected {
		t.Errorf("%d are shown", n)
	}
}
