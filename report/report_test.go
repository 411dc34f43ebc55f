package report

import (
	"bytes"
	"encoding/base64"
	"html"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

func TestPageIsOneFileAndEscapes(t *testing.T) {
	f, err := LineFigure("loss", "caption", Axes{X: "epoch", Y: "loss"}, Line{Name: "clean", Y: []float64{2, 1}}, Line{Name: "poisoned", Y: []float64{2, 0.1}, Dash: true})
	if err != nil {
		t.Fatal(err)
	}
	evil := `<script>alert(1)</script>`
	p := &Page{
		Title: evil, Summary: []string{evil}, Columns: []string{evil}, Rows: [][]string{{evil}}, Figures: []Figure{f},
		Galleries: []Gallery{{Title: evil, Note: evil, Items: []Item{{Image: ImageURL([]uint8{1, 2, 3}, 1, 1), Caption: evil, Mark: true}}}},
		Facts:     [][2]string{{evil, evil}},
	}
	path := filepath.Join(t.TempDir(), "page.html")
	if err := p.Write(path); err != nil {
		t.Fatal(err)
	}
	raw := testfile.Read(t, path)
	text := string(raw)
	if strings.Contains(text, "<script") {
		t.Error("a name from the data became markup")
	}
	p.Galleries[0].Decide = true // its own script comes, and no other
	if err := p.Write(path); err != nil {
		t.Fatal(err)
	}
	if raw, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	text = string(raw)
	if strings.Count(text, "<script") != 1 || !strings.Contains(text, `aria-label="drop &lt;script&gt;alert(1)&lt;/script&gt;" data-index="0"`) {
		t.Error("the gallery to decide on has not one script and its boxes")
	}
	// The policy names the script that is there, and no other may run.
	if got := html.UnescapeString(text); !strings.Contains(got, "script-src '"+scriptHash(text)+"'") || !strings.Contains(got, "default-src 'none'") {
		t.Errorf("the policy is %q, the script has the hash %s", policy, scriptHash(text))
	}
	for _, fetch := range []string{"src=\"http", "href=\"http", "url(http", "@import"} {
		if strings.Contains(text, fetch) {
			t.Errorf("the page fetches something: %s", fetch)
		}
	}
	if !strings.Contains(text, "<svg") || !strings.Contains(text, "data:image/png;base64,") {
		t.Error("the plot or the image is missing")
	}
}

// A name of the data can't turn the text after it; what is handed on for decisions keeps it.
func TestNamesDoNotTurnText(t *testing.T) {
	name := "cat\u202egnp\u2067.exe"
	const shown, handed = `cat\u202egnp\u2067.exe`, "cat&#x202e;gnp&#x2067;.exe"
	h := &Head{Lead: name, Label: Answer{Short: name, Picture: Shares(Share{Name: name, Whole: 1})}, Next: []Step{{Text: name, Command: name}}}
	p := &Page{
		Head: h, Summary: []string{name}, Rows: [][]string{{name}}, Facts: [][2]string{{"data", name}}, Evidence: []Evidence{{Title: name, Text: name}},
		Galleries: []Gallery{{Decide: true, Items: []Item{{Caption: name, Detail: name, Source: name}}}},
	}
	path := filepath.Join(t.TempDir(), "page.html")
	if err := p.Write(path); err != nil {
		t.Fatal(err)
	}
	head, err := h.HTML()
	if err != nil {
		t.Fatal(err)
	}
	page := string(testfile.Read(t, path))
	for _, text := range []string{page, string(head)} {
		if strings.ContainsAny(text, "\u202e\u2067") || !strings.Contains(text, `<p class="lead">`+shown+"</p>") {
			t.Errorf("the text is turned: %q", text)
		}
	}
	if strings.Count(page, `data-source="`+handed+`"`) != 1 || strings.Count(page, handed) != 1 {
		t.Error("the image's name is not handed on")
	}
}

func TestImageURLKeepsPixels(t *testing.T) {
	url := string(ImageURL([]uint8{10, 20, 30, 40, 50, 60}, 1, 2))
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(url, "data:image/png;base64,"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if r, g, b, _ := img.At(1, 0).RGBA(); r>>8 != 40 || g>>8 != 50 || b>>8 != 60 {
		t.Errorf("pixel 1 is %d %d %d", r>>8, g>>8, b>>8)
	}
}

// A sweep of which one run is finished has one point, also where its axis is logarithmic.
func TestOnePointOnALogarithmicAxis(t *testing.T) {
	f, err := LineFigure("ASR", "", Axes{X: "isolation", Y: "ASR", LogX: true, PercentY: true}, Line{Name: "badnets", X: []float64{0.001}, Y: []float64{50}})
	if err != nil || f.SVG == "" {
		t.Errorf("%d bytes, %v", len(f.SVG), err)
	}
	if zero, err := LineFigure("ASR", "", Axes{X: "isolation", Y: "ASR", LogX: true}, Line{Name: "badnets", X: []float64{0.1, 0}, Y: []float64{50, 60}}); err != nil || zero.SVG == "" {
		t.Errorf("with a value of 0: %v", err)
	}
	if svg := string(f.SVG); !strings.Contains(svg, ">100</text>") || strings.Contains(svg, ">125</text>") {
		t.Errorf("per cent do not end at 100: %s", svg)
	}
}

// Of one image a picture speaks in the singular.
func TestKindsOfOneImage(t *testing.T) {
	if got := string(Kinds(1200, 1, 3)); !strings.Contains(got, ">1 suspect<") || !strings.Contains(got, "1,200 others and 1 suspect, 3.0") {
		t.Error(got)
	}
}
