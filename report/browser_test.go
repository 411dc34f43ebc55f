package report

import (
	"context"
	"fmt"
	"html/template"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	cdp "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/unpoison/unpoison/internal/testkit/browser"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

const suspects = 130

// suspectPage writes a page of suspects to decide on, the first half to be dropped.
func suspectPage(t *testing.T) (path string) {
	t.Helper()
	g := Gallery{Title: "Suspects", Note: "note", Decide: true}
	for i := range suspects {
		px := make([]uint8, 8*8*3)
		for k := range px {
			px[k] = uint8(i + k)
		}
		g.Items = append(g.Items, Item{
			Image: ImageURL(px, 8, 8), Caption: fmt.Sprintf("%d a-class-with-a-very-long-name 0.001", i+1), Index: 1000 + i, Drop: i < suspects/2,
			Source: fmt.Sprintf("=image %d", i), Digest: fmt.Sprintf("d%d", i),
			Detail: "folder/of/a/file/with/a/long/name/image-" + strings.Repeat("0", 30) + ".png", Near: smallURLs(px),
		})
	}
	g.Items[0].Source = "=image;=0"
	g.Items[1].Source = `=image "1, x`
	g.Items[2].Source = "a\u202eb & <c>"
	f, err := LineFigure("loss", "caption", Axes{X: "epoch", Y: "loss"}, Line{Name: "clean", Y: []float64{2, 1}})
	if err != nil {
		t.Fatal(err)
	}
	p := &Page{
		Title: "A report", Summary: []string{"One sentence."}, Columns: []string{"", "a", "b", "c"}, Rows: [][]string{{"row", "1", "2", "3"}},
		Figures: []Figure{f}, Galleries: []Gallery{g}, Facts: [][2]string{{"command", strings.Repeat("unpoison train ", 20)}},
	}
	path = filepath.Join(t.TempDir(), "page.html")
	if err := p.Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// smallURLs returns two images to compare with.
func smallURLs(px []uint8) []template.URL {
	return []template.URL{SmallURL(px, 8, 8), SmallURL(px, 8, 8)}
}

const visible = `[...document.querySelectorAll(".gallery li")].filter(li => li.offsetParent !== null).length`

// A person pages through the suspects with mouse and keyboard, changes two decisions and saves them.
func TestReviewInABrowser(t *testing.T) {
	ctx := browser.Start(t)
	path := suspectPage(t)
	downloads := t.TempDir()
	browser.Do(t, ctx, chromedp.Navigate("about:blank"))
	var mu sync.Mutex
	var fetched []string
	err := chromedp.Listen(ctx, func(e any) {
		mu.Lock()
		defer mu.Unlock()
		if e, ok := e.(*network.EventRequestWillBeSent); ok {
			fetched = append(fetched, e.Request.URL)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	progress := chromedp.Events(ctx, cdp.DownloadProgress)
	events := true
	browser.Do(t, ctx, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		_, err := chromedp.Call(ctx, cdp.SetDownloadBehavior, cdp.SetDownloadBehaviorParams{
			Behavior: cdp.SetDownloadBehaviorBehaviorAllow, DownloadPath: downloads, EventsEnabled: &events,
		})
		return err
	}))
	browser.Do(t, ctx, chromedp.Navigate("file://"+path))
	first := browser.Do(t, ctx, chromedp.Evaluate[int](visible))
	browser.Do(t, ctx, chromedp.Click(chromedp.CSS("#next")))
	second := browser.Do(t, ctx, chromedp.Evaluate[int](visible))
	browser.Do(t, ctx, chromedp.KeyEvent("n"))
	third := browser.Do(t, ctx, chromedp.Evaluate[int](visible))
	if where := browser.Do(t, ctx, chromedp.Text(chromedp.CSS("#page"))); first != 60 || second != 60 || third != 10 || where != "page 3 of 3" {
		t.Errorf("pages of %d, %d and %d, %q; expected 60, 60, 10 and page 3 of 3", first, second, third, where)
	}
	// Image 120 is focused. Two to the right and one back is 121, which is to be kept so far.
	for _, key := range []string{kb.ArrowRight, kb.ArrowRight, kb.ArrowLeft, " "} {
		browser.Do(t, ctx, chromedp.KeyEvent(key))
	}
	if at := browser.Do(t, ctx, chromedp.Evaluate[int]("+document.activeElement.dataset.index")); at != 1121 {
		t.Errorf("the keyboard is at image %d, expected 1121", at)
	}
	for _, key := range []string{"p", "p", " "} { // image 0, which is to be dropped so far
		browser.Do(t, ctx, chromedp.KeyEvent(key))
	}
	if count, want := browser.Do(t, ctx, chromedp.Text(chromedp.CSS("#count"))), "65 of 130 shown will be dropped"; count != want {
		t.Errorf("%q, expected %q", count, want)
	}
	browser.Do(t, ctx, chromedp.Click(chromedp.CSS("#save")))
	for e, err := range progress {
		if err != nil {
			t.Fatal(err)
		}
		if e.State == cdp.DownloadProgressStateCompleted {
			break
		}
	}
	raw := testfile.Read(t, filepath.Join(downloads, "decisions.csv"))
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	if len(lines) != suspects+1 || lines[0] != "index,source,digest,decision" || lines[1] != "1000,'=image;'=0,d0,keep" || lines[2] != "1001,\"'=image \"\"1, x\",d1,drop" || lines[3] != "1002,a\u202eb & <c>,d2,drop" ||
		!strings.HasSuffix(lines[122], "d121,drop") || !strings.HasSuffix(lines[123], "d122,keep") {
		t.Errorf("decisions of %d lines: %q", len(lines), lines[:4])
	}
	mu.Lock()
	defer mu.Unlock()
	if len(fetched) == 0 {
		t.Error("the page itself was not seen to load")
	}
	for _, u := range fetched {
		if u != "file://"+path && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "blob:") {
			t.Errorf("the page fetched %s", u)
		}
	}
}

// Nothing is wider than the screen, from a phone's to a desk's; dark is dark; paper shows every suspect.
func TestPageFitsScreensAndPaper(t *testing.T) {
	ctx := browser.Start(t)
	browser.Do(t, ctx, chromedp.Navigate("file://"+suspectPage(t)))
	for _, width := range []int64{360, 800, 1400} {
		browser.Do(t, ctx, chromedp.EmulateViewport(width, 800))
		if wide := browser.Do(t, ctx, chromedp.Evaluate[int64]("document.documentElement.scrollWidth")); wide > width {
			t.Errorf("on a screen of %d px the page is %d px wide", width, wide)
		}
	}
	media := func(p emulation.SetEmulatedMediaParams) chromedp.Action[chromedp.Void] {
		return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, p)
			return err
		})
	}
	const colour = `getComputedStyle(document.body).backgroundColor`
	light := browser.Do(t, ctx, chromedp.Evaluate[string](colour))
	browser.Do(t, ctx, media(emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}))
	if dark := browser.Do(t, ctx, chromedp.Evaluate[string](colour)); light != "rgb(255, 255, 255)" || dark == light {
		t.Errorf("background %s, in dark mode %s", light, dark)
	}
	browser.Do(t, ctx, media(emulation.SetEmulatedMediaParams{Media: "print"}))
	shown, pdf := browser.Do(t, ctx, chromedp.Evaluate[int](visible)), browser.Do(t, ctx, chromedp.PrintToPDF())
	if shown != suspects || len(pdf) < 10_000 {
		t.Errorf("on paper %d of %d suspects, %d bytes", shown, suspects, len(pdf))
	}
}
