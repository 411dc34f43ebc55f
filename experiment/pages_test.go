package experiment

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A reader's time is short: the documents stay under these numbers of words, generated blocks aside.
func TestDocumentsAreShort(t *testing.T) {
	all, prose := 0, 0
	err := documents([]string{filepath.Join(root, "docs")}, func(path string) error {
		a, p, err := words(path)
		all, prose = all+a, prose+p
		t.Logf("%5d words, %5d of them in no table: %s", a, p, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if all >= 12000 || prose >= 8000 {
		t.Errorf("docs has %d words, expected less than 12,000; %d of them in no table, expected less than 8,000", all, prose)
	}
	if n, _, err := words(filepath.Join(root, "README.md")); err != nil || n >= 600 {
		t.Errorf("README.md has %d words, expected less than 600 (%v)", n, err)
	}
}

// words counts those of a document outside generated blocks, and those outside tables too.
func words(path string) (all, prose int, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	inside := false
	for line := range strings.Lines(string(raw)) {
		trimmed := strings.TrimSpace(line)
		switch n := len(strings.Fields(line)); {
		case strings.HasPrefix(trimmed, "<!--"):
			inside = strings.HasPrefix(trimmed, "<!-- generated")
		case inside:
		case strings.HasPrefix(trimmed, "|"):
			all += n
		default:
			all, prose = all+n, prose+n
		}
	}
	return all, prose, nil
}

var (
	links    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headings = regexp.MustCompile(`(?m)^#+ (.*)$`)
	fences   = regexp.MustCompile("(?s)```.*?```")
	unlinked = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`) // what a heading's anchor leaves out
)

// A link in a document leads to a file that is there, and to a heading of it.
func TestLinksLeadSomewhere(t *testing.T) {
	pages := []string{filepath.Join(root, "README.md"), filepath.Join(root, "CONTRIBUTING.md"), filepath.Join(root, "docs")}
	err := documents(pages, func(path string) error {
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, link := range links.FindAllStringSubmatch(fences.ReplaceAllString(string(raw), ""), -1) {
			file, heading, _ := strings.Cut(link[1], "#")
			if strings.Contains(file, ":") {
				continue // not ours
			}
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), filepath.FromSlash(file))
			}
			text, err := os.ReadFile(target)
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			if heading != "" && !slices.Contains(anchors(string(text)), heading) {
				t.Errorf("%s: %s has no heading %s", path, target, heading)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// anchors lists those of a document's headings.
func anchors(text string) (all []string) {
	for _, h := range headings.FindAllStringSubmatch(text, -1) {
		all = append(all, strings.ReplaceAll(unlinked.ReplaceAllString(strings.ToLower(strings.TrimSpace(h[1])), ""), " ", "-"))
	}
	return all
}
