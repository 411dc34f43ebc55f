package report

import (
	"context"
	"fmt"
	"html/template"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// chromium starts a browser, or skips the test where there is none. UNPOISON_BROWSER=required insists.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("UNPOISON_BROWSER") == "required" {
			t.Fatal("there is no Chromium on this machine")
		}
		t.Skip("there is no Chromium on this machine: the report is not tried in a browser")
	}
	o := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), o...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(stop)
	return ctx
}

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
			Detail: "folder/of/a/file/with/a/long/name/image-" + strings.Repeat("0", 30) + ".png", Near: smallURLs(px),
		})
	}
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

// do runs an action in the browser.
func do[T any](t *testing.T, ctx context.Context, a chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const visible = `[...document.querySelectorAll(".gallery li")].filter(li => li.offsetParent !== null).length`

// A person pages through the suspects with mouse and keyboard, changes two decisions and saves them.
func TestReviewInABrowser(t *testing.T) {
	ctx := chromium(t)
	path := suspectPage(t)
	downloads := t.TempDir()
	do(t, ctx, chromedp.Navigate("about:blank"))
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
	progress := chromedp.Events(ctx, browser.DownloadProgress)
	events := true
	do(t, ctx, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		_, err := chromedp.Call(ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
			Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: downloads, EventsEnabled: &events,
		})
		return err
	}))
	do(t, ctx, chromedp.Navigate("file://"+path))
	first := do(t, ctx, chromedp.Evaluate[int](visible))
	do(t, ctx, chromedp.Click(chromedp.CSS("#next")))
	second := do(t, ctx, chromedp.Evaluate[int](visible))
	do(t, ctx, chromedp.KeyEvent("n"))
	third := do(t, ctx, chromedp.Evaluate[int](visible))
	if where := do(t, ctx, chromedp.Text(chromedp.CSS("#page"))); first != 60 || second != 60 || third != 10 || where != "page 3 of 3" {
		t.Errorf("pages of %d, %d and %d, %q; expected 60, 60, 10 and page 3 of 3", first, second, third, where)
	}
	// Image 120 is focused. Two to the right and one back is 121, which is to be kept so far.
	for _, key := range []string{kb.ArrowRight, kb.ArrowRight, kb.ArrowLeft, " "} {
		do(t, ctx, chromedp.KeyEvent(key))
	}
	if at := do(t, ctx, chromedp.Evaluate[int]("+document.activeElement.dataset.index")); at != 1121 {
		t.Errorf("the keyboard is at image %d, expected 1121", at)
	}
	for _, key := range []string{"p", "p", " "} { // image 0, which is to be dropped so far
		do(t, ctx, chromedp.KeyEvent(key))
	}
	if count, want := do(t, ctx, chromedp.Text(chromedp.CSS("#count"))), "65 of 130 shown are to be dropped"; count != want {
		t.Errorf("%q, expected %q", count, want)
	}
	do(t, ctx, chromedp.Click(chromedp.CSS("#save")))
	for e, err := range progress {
		if err != nil {
			t.Fatal(err)
		}
		if e.State == browser.DownloadProgressStateCompleted {
			break
		}
	}
	raw, err := os.ReadFile(filepath.Join(downloads, "decisions.csv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	if len(lines) != suspects+1 || lines[0] != "index,decision" || lines[1] != "1000,keep" || lines[2] != "1001,drop" || lines[122] != "1121,drop" || lines[123] != "1122,keep" {
		t.Errorf("decisions of %d lines: %v", len(lines), lines[:3])
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
	ctx := chromium(t)
	do(t, ctx, chromedp.Navigate("file://"+suspectPage(t)))
	for _, width := range []int64{360, 800, 1400} {
		do(t, ctx, chromedp.EmulateViewport(width, 800))
		if wide := do(t, ctx, chromedp.Evaluate[int64]("document.documentElement.scrollWidth")); wide > width {
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
	light := do(t, ctx, chromedp.Evaluate[string](colour))
	do(t, ctx, media(emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}))
	if dark := do(t, ctx, chromedp.Evaluate[string](colour)); light != "rgb(255, 255, 255)" || dark == light {
		t.Errorf("background %s, in dark mode %s", light, dark)
	}
	do(t, ctx, media(emulation.SetEmulatedMediaParams{Media: "print"}))
	shown, pdf := do(t, ctx, chromedp.Evaluate[int](visible)), do(t, ctx, chromedp.PrintToPDF())
	if shown != suspects || len(pdf) < 10_000 {
		t.Errorf("on paper %d of %d suspects, %d bytes", shown, suspects, len(pdf))
	}
}
