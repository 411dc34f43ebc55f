package review

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/unpoison/unpoison/internal/testkit/browser"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// stored returns what is on disk of a reviewer's decisions.
func stored(t *testing.T, run, reviewer string) map[int]string {
	t.Helper()
	raw := testfile.Read(t, filepath.Join(run, Folder, reviewer+".json"))
	var d Decisions
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d.now()
}

// A person goes through 300 suspects by the keyboard alone; half way the server dies and comes back. No decision is lost.
func TestReviewByKeyboard(t *testing.T) {
	ctx := browser.Start(t)
	run, set := madeUp(t)
	s, stop := open(t, run, set, "ann")
	browser.Do(t, ctx, chromedp.Navigate(s.URL()))
	settled := func(want string) {
		t.Helper()
		for range 200 {
			if browser.Do(t, ctx, chromedp.Evaluate[string](`document.getElementById("count").textContent`)) == want {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("the page never said %q, but %q", want, browser.Do(t, ctx, chromedp.Evaluate[string](`document.getElementById("count").textContent`)))
	}
	settled("0 to drop, 0 to keep, 360 open")
	// The first screen is the verdict: the first key only shows the suspects, since nothing is decided unseen.
	browser.Do(t, ctx, chromedp.KeyEvent("d"))
	settled("0 to drop, 0 to keep, 360 open")
	for k := range suspected / 2 {
		browser.Do(t, ctx, chromedp.KeyEvent(map[bool]string{true: "k", false: "d"}[k%3 == 0]))
	}
	settled("100 to drop, 50 to keep, 210 open")
	stop()
	if held := stored(t, run, "ann"); len(held) != suspected/2 {
		t.Fatalf("%d decisions on disk after the server died, 150 were made", len(held))
	}
	// What is decided while nobody answers is not called saved.
	browser.Do(t, ctx, chromedp.KeyEvent("d"))
	browser.Until(t, ctx, `document.getElementById("saved").classList.contains("failed")`)
	settled("100 to drop, 50 to keep, 210 open")

	s, _ = open(t, run, set, "ann")
	browser.Do(t, ctx, chromedp.Navigate(s.URL()))
	settled("100 to drop, 50 to keep, 210 open")
	browser.Do(t, ctx, chromedp.Evaluate[int](`(() => { by("show").value = "open"; filter(); focus(0); return 0; })()`))
	for range suspected / 2 {
		browser.Do(t, ctx, chromedp.KeyEvent("d"))
	}
	settled("250 to drop, 50 to keep, 60 open")
	browser.Do(t, ctx, chromedp.KeyEvent("u"))
	settled("249 to drop, 50 to keep, 61 open")
	browser.Do(t, ctx, chromedp.KeyEvent(kb.Enter))
	if !browser.Do(t, ctx, chromedp.Evaluate[bool](`document.getElementById("large").open`)) {
		t.Error("enter does not enlarge")
	}
	browser.Do(t, ctx, chromedp.KeyEvent(kb.Escape))
	browser.Do(t, ctx, chromedp.Click(chromedp.CSS("#done")))
	browser.Until(t, ctx, `document.getElementById("finish").open`)
	if _, err := os.Stat(filepath.Join(run, DecisionsFile)); err != nil {
		t.Error(err)
	}
	if held := stored(t, run, "ann"); len(held) != suspected-1 {
		t.Errorf("%d decisions on disk", len(held))
	}
}

// A decision that could not be stored stays marked, and said to be open, whatever is decided after it, and is stored first once that
// is possible.
func TestDecisionsThatFailAreNotForgotten(t *testing.T) {
	ctx := browser.Start(t)
	run, set := madeUp(t)
	s, _ := open(t, run, set, "ann")
	browser.Do(t, ctx, chromedp.Navigate(s.URL()))
	browser.Until(t, ctx, `grid.children.length > 3`)
	browser.Do(t, ctx, chromedp.Evaluate[int](`(() => {
		const real = window.fetch;
		window.fetch = (path, o) => window.broken && o.body && o.body.includes('"index":' + window.broken + ",") ? Promise.reject(new Error("gone")) : real(path, o);
		window.broken = shown[1].index;
		focus(0);
		return 0;
	})()`))
	for _, key := range []string{"d", "d", "k"} {
		browser.Do(t, ctx, chromedp.KeyEvent(key))
	}
	const failed = `by("saved").classList.contains("failed") && by("saved").textContent.startsWith("not saved")`
	browser.Until(t, ctx, failed+` && grid.children[1].classList.contains("failed") && grid.children[2].classList.contains("failed")`)
	if !browser.Do(t, ctx, chromedp.Evaluate[bool](`!grid.children[0].classList.contains("failed") && by("count").textContent.startsWith("1 to drop, 0 to keep")`)) {
		t.Error("what was stored is not told from what was not")
	}
	browser.Do(t, ctx, chromedp.Click(chromedp.CSS("#done")))
	time.Sleep(200 * time.Millisecond)
	if !browser.Do(t, ctx, chromedp.Evaluate[bool](failed+` && !by("finish").open`)) {
		t.Error("a review is finished without what was not stored")
	}
	browser.Do(t, ctx, chromedp.Evaluate[int](`(() => { window.broken = 0; focus(3); return 0; })()`))
	browser.Do(t, ctx, chromedp.KeyEvent("k"))
	browser.Until(t, ctx, `by("saved").textContent === "saved" && !by("saved").classList.contains("failed") && !grid.querySelector(".failed") && by("count").textContent.startsWith("2 to drop, 2 to keep")`)
	if held := stored(t, run, "ann"); len(held) != 4 {
		t.Errorf("on disk: %v", held)
	}
}

// Nothing is wider than the screen.
func TestPageFitsScreens(t *testing.T) {
	ctx := browser.Start(t)
	run, set := madeUp(t)
	s, _ := open(t, run, set, "ann")
	browser.Do(t, ctx, chromedp.Navigate(s.URL()))
	for _, width := range []int64{400, 800, 1400} {
		browser.Do(t, ctx, chromedp.EmulateViewport(width, 800))
		if wide := browser.Do(t, ctx, chromedp.Evaluate[int64]("document.documentElement.scrollWidth")); wide > width {
			t.Errorf("on a screen of %d px the page is %d px wide", width, wide)
		}
	}
}

// With the mouse a click decides, and a double click, quick or slow, shows the image large and decides nothing.
func TestReviewByMouse(t *testing.T) {
	ctx := browser.Start(t)
	run, set := madeUp(t)
	s, _ := open(t, run, set, "ann")
	browser.Do(t, ctx, chromedp.Navigate(s.URL()))
	text := func(id string) string {
		return browser.Do(t, ctx, chromedp.Evaluate[string](`document.getElementById("`+id+`").textContent`))
	}
	settled := func(want string) {
		t.Helper()
		for range 100 {
			if text("count") == want {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("the page never said %q, but %q", want, text("count"))
	}
	settled("0 to drop, 0 to keep, 360 open")
	browser.Do(t, ctx, chromedp.Evaluate[int](`(() => { focus(2); return 0; })()`)) // on the screen
	click := func(tile, count int) {
		t.Helper()
		at := browser.Do(t, ctx, chromedp.Evaluate[[]float64](fmt.Sprintf(`(b => [b.left + b.width / 2, b.top + b.height / 2])(grid.children[%d].querySelector("img").getBoundingClientRect())`, tile)))
		browser.Do(t, ctx, chromedp.MouseClickXY(at[0], at[1], chromedp.ClickCount(count)))
	}
	for _, between := range []time.Duration{0, time.Second} {
		click(0, 1)
		time.Sleep(between)
		click(0, 2)
		if !browser.Do(t, ctx, chromedp.Evaluate[bool](`document.getElementById("large").open`)) {
			t.Fatalf("%s between the clicks: the image is not shown large", between)
		}
		time.Sleep(time.Second) // longer than a click waits
		settled("0 to drop, 0 to keep, 360 open")
		browser.Do(t, ctx, chromedp.KeyEvent(kb.Escape))
	}
	click(1, 1)
	settled("1 to drop, 0 to keep, 359 open")
	time.Sleep(time.Second)
	click(1, 1)
	settled("0 to drop, 1 to keep, 359 open")
	// One on another image, or a key, does not wait, and the order stays.
	click(1, 1)
	click(2, 1)
	browser.Do(t, ctx, chromedp.KeyEvent("k"))
	settled("1 to drop, 1 to keep, 358 open")
	if held := stored(t, run, "ann"); held[1] != Drop || held[2] != Keep {
		t.Errorf("on disk: %v", held)
	}
}

// More suspects than a call takes arguments are shown; and names can't turn the text after them.
func TestReviewOfManyAndOfOddNames(t *testing.T) {
	ctx := browser.Start(t)
	run, set := madeUp(t)
	s, _ := open(t, run, set, "ann")
	browser.Do(t, ctx, chromedp.Navigate(s.URL()))
	browser.Until(t, ctx, `document.getElementById("count").textContent !== ""`)
	text := browser.Do(t, ctx, chromedp.Evaluate[string](`(() => {
  state.suspects = [{ ...state.suspects[0], label: "cat\u202e", source: "x\u2067y" }];
  filter();
  enlarge(0);
  by("large").close();
  const li = grid.firstChild;
  return [li.textContent, li.getAttribute("aria-label"), by("caption").textContent, by("picture").alt].join("|");
})()`))
	if strings.ContainsAny(text, "\u202e\u2067") || strings.Count(text, `cat\u202e`) != 4 || !strings.Contains(text, `x\u2067y`) {
		t.Errorf("the page says %q", text)
	}
	const many = 150_000
	if n := browser.Do(t, ctx, chromedp.Evaluate[int](fmt.Sprintf(`(() => {
  state.suspects = new Array(%d).fill(state.suspects[0]);
  tile = () => document.createElement("li");
  filter();
  return grid.children.length;
})()`, many))); n != many {
		t.Errorf("%d of %d suspects are shown", n, many)
	}
}
