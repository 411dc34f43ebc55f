package runs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/isolate"
)

// audited is a set of images of a pixel's brightness, some of them suspected, in an order of its own.
type audited []struct {
	pixel     uint8
	label     int32
	suspected bool
}

func (a audited) set() (*dataset.Set, []isolate.Suspect) {
	s := &dataset.Set{Height: 1, Width: 1, Classes: []string{"ant", "bee"}}
	var suspects []isolate.Suspect
	for i, image := range a {
		s.Pixels = append(s.Pixels, image.pixel, 0, 0)
		s.Labels = append(s.Labels, image.label)
		suspects = append(suspects, isolate.Suspect{Index: i, Isolated: image.suspected})
	}
	slices.SortStableFunc(suspects, func(a, b isolate.Suspect) int {
		return map[bool]int{true: 0, false: 1}[a.Isolated] - map[bool]int{true: 0, false: 1}[b.Isolated]
	})
	return s, suspects
}

func TestBaseline(t *testing.T) {
	before := audited{{1, 0, false}, {2, 0, true}, {3, 1, true}, {4, 1, false}, {5, 1, false}, {5, 1, true}}
	dir := t.TempDir()
	set, suspects := before.set()
	if err := WriteSuspects(filepath.Join(dir, SuspectsFile), set, suspects, true); err != nil {
		t.Fatal(err)
	}
	result := filepath.Join(dir, ResultFile)
	testfile.Write(t, result, "{}")
	for name, c := range map[string]struct {
		now  audited
		want Comparison
		rows string // pixel and whether it was added
	}{
		"the same":                {before, Comparison{Known: 3}, ""},
		"another order":           {audited{before[5], before[4], before[3], before[2], before[1], before[0]}, Comparison{Known: 3}, ""},
		"no longer suspected":     {audited{{1, 0, false}, {2, 0, false}, {3, 1, true}, {4, 1, false}, {5, 1, false}, {5, 1, true}}, Comparison{Known: 2}, ""},
		"newly suspected":         {audited{{1, 0, true}, {2, 0, true}, {3, 1, true}, {4, 1, false}, {5, 1, false}, {5, 1, true}}, Comparison{Known: 3, NewOfOld: 1}, "1 known"},
		"added":                   {append(audited{{9, 0, true}, {8, 1, false}}, before...), Comparison{Added: 2, Known: 3, NewOfAdded: 1}, "9 added"},
		"gone":                    {before[2:], Comparison{Gone: 2, Known: 2}, ""},
		"a known one's copy":      {append(audited{{2, 0, true}}, before...), Comparison{Added: 1, Known: 3, NewOfAdded: 1}, "2 added"},
		"under another label":     {append(audited{{2, 1, true}}, before...), Comparison{Added: 1, Known: 3, NewOfAdded: 1}, "2 added"},
		"the other of two equals": {audited{{1, 0, false}, {2, 0, true}, {3, 1, true}, {4, 1, false}, {5, 1, true}, {5, 1, true}}, Comparison{Known: 3, NewOfOld: 1}, "5 known"},
	} {
		for _, path := range []string{dir, result} {
			b, err := ReadBaseline(path)
			if err != nil {
				t.Fatal(err)
			}
			set, suspects := c.now.set()
			got := b.compare(set, suspects)
			var rows []string
			for _, s := range got.rows {
				rows = append(rows, fmt.Sprintf("%d %s", set.Image(s.Index)[0], map[bool]string{true: "added", false: "known"}[s.added]))
			}
			if strings.Join(rows, ", ") != c.rows {
				t.Errorf("%s: new are %q, expected %q", name, rows, c.rows)
			}
			if err := got.write(t.TempDir(), set); err != nil {
				t.Error(err)
			}
			if got.rows = nil; fmt.Sprint(*got) != fmt.Sprint(c.want) {
				t.Errorf("%s: %+v, expected %+v", name, *got, c.want)
			}
		}
	}
}

// A page says what a baseline had where there is something that it could have had.
func TestSentenceOfABaseline(t *testing.T) {
	for want, c := range map[string]Comparison{
		"Nothing is suspected.":                                                          {},
		"The baseline had all these suspects (2).":                                       {Known: 2},
		"Nothing is suspected. More images stand out than the baseline had: 4.":          {NewInDoubt: 4},
		"The baseline had all these suspects (2). More images stand out than it had: 4.": {Known: 2, NewInDoubt: 4},
	} {
		if got := c.sentence(); got != want {
			t.Errorf("%+v: %q, expected %q", c, got, want)
		}
	}
}

// The list of new suspects says what filters need and whether each image was added.
func TestNewSuspectsFile(t *testing.T) {
	set, suspects := audited{{7, 1, true}}.set()
	c := (&Baseline{}).compare(set, suspects)
	dir := t.TempDir()
	if err := c.write(dir, set); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, NewSuspectsFile))
	if want := "index,source,label,digest,probability,image\n0,image 0,bee," + set.ImageDigest(0).String() + ",0,added\n"; err != nil || string(raw) != want {
		t.Errorf("%s, expected %s (%v)", raw, want, err)
	}
	if _, dropped, err := ReadSuspects(List{Path: filepath.Join(dir, NewSuspectsFile), Set: set}); err != nil || dropped != 1 {
		t.Errorf("a filter drops %d: %v", dropped, err)
	}
}

// The page of an audit with a baseline shows first what is new, by its place in the list.
func TestPagesShowNewsFirst(t *testing.T) {
	set := colours(t, t.TempDir(), "a/0", "a/1", "b/2", "b/3")
	list := []isolate.Suspect{{Index: 0, Isolated: true}, {Index: 1, Isolated: true}, {Index: 2, Isolated: true}, {Index: 3}}
	c := &Comparison{Known: 1, NewOfOld: 1, NewOfAdded: 1, Added: 1, rows: []newSuspect{{list[1], "a", true}, {list[2], "b", false}}}
	v := &audit.Verdict{Says: look.Poisoned}
	o := &Outcome{Result: &Result{Defense: AuditOnly, Verdict: v, Baseline: c}, Train: set, Verdict: v, Trained: &abl.Result{Suspects: list}}
	var got []string
	for _, item := range suspectGallery(o, len(list)).Items {
		got = append(got, item.Caption)
	}
	if want := []string{"2 a 0\u00a0%, new and added", "3 b 0\u00a0%, new", "1 a 0\u00a0%", "4 b 0\u00a0%"}; !slices.Equal(got, want) {
		t.Errorf("captions %q", got)
	}
	dir := t.TempDir()
	if err := Page(dir, o); err != nil {
		t.Fatal(err)
	}
	if page, err := os.ReadFile(filepath.Join(dir, ReportFile)); err != nil || !strings.Contains(string(page), "1 among its images, 1 among the 1 that were added since. 1 were known.") {
		t.Errorf("the page does not say what is new: %v", err)
	}
}

func TestBaselineErrors(t *testing.T) {
	dir := t.TempDir()
	set, suspects := audited{{1, 0, false}, {2, 0, true}}.set()
	isolated := filepath.Join(t.TempDir(), SuspectsFile)
	if err := WriteSuspects(isolated, set, suspects, false); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadBaseline(isolated); err == nil || !strings.Contains(err.Error(), "what ABL isolated") || !strings.Contains(err.Error(), isolated) {
		t.Error(err)
	}
	if _, err := ReadBaseline(dir); err == nil || !strings.Contains(err.Error(), "expected the folder of an audit") {
		t.Error(err)
	}
	if _, err := ReadBaseline(filepath.Join(dir, "missing")); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Error(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, SuspectsFile), []byte("digest,label,isolated\n"), 0o644), os.WriteFile(filepath.Join(dir, "other.csv"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadBaseline(filepath.Join(dir, "other.csv")); err == nil || !strings.Contains(err.Error(), "other.csv") {
		t.Errorf("another list was read than the one that was named: %v", err)
	}
	for text, want := range map[string]string{
		"":                            "expected a line of column names",
		"index,label,isolated\n":      "expected a column digest, found [index label isolated]; audit the earlier data again",
		"digest,label,isolated\nab,c": "wrong number of fields",
	} {
		testfile.Write(t, filepath.Join(dir, SuspectsFile), bytes.TrimSpace([]byte(text)))
		if _, err := ReadBaseline(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzBaseline gives a list of suspects that a later audit is compared with.
func FuzzBaseline(f *testing.F) {
	f.Add("digest,label,isolated\n00,a,true\n01,b,false\n")
	f.Add("index,label,digest,isolated\n0,\"'=x\n\",,true\n")
	set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"a", "b"}, Pixels: []uint8{1, 2, 3, 4, 5, 6}, Labels: []int32{0, 1}}
	suspects := []isolate.Suspect{{Index: 1, Isolated: true}, {Index: 0}}
	path := filepath.Join(f.TempDir(), SuspectsFile)
	f.Fuzz(func(t *testing.T, text string) {
		testfile.Write(t, path, text)
		b, err := ReadBaseline(path)
		if err != nil {
			return
		}
		if c := b.compare(set, suspects); c.Added+c.NewOfOld > 2 || c.New()+c.Known != 1 || c.Gone < 0 {
			t.Errorf("%+v", c)
		}
	})
}

// FuzzResult gives a run's result. What is read can be written and is then the same.
func FuzzResult(f *testing.F) {
	f.Add(`{"version":"x","attack":{"name":"badnets","settings":{"name":"badnets","rate":0.1}},"verdict":{"says":"poisoned","targets":[{"class":"a","by":"pixels","facts":{"images":1}}]}}`)
	f.Add(`{"data":{"path":"x","layout":"signs"},"options":{"seed":1},"seconds":{"a":1.5},"verdict":null,"isolation":{"rate":1e-9}}`)
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		path := filepath.Join(dir, ResultFile)
		testfile.Write(t, path, text)
		r, err := ReadResult(path)
		if err != nil {
			return
		}
		_ = r.Data.Spec()
		if err := r.write(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadResult(path); err != nil {
			t.Errorf("what was written is not read: %v", err)
		}
	})
}

// Images that stand out where nothing can be told are news like suspects: those that did not stand out before.
func TestBaselineOfDoubtfulImages(t *testing.T) {
	doubtful := func(of audited, at ...int) (*dataset.Set, []isolate.Suspect) {
		set, suspects := of.set()
		for k := range suspects {
			suspects[k].Doubtful = slices.Contains(at, suspects[k].Index)
		}
		return set, suspects
	}
	all := audited{{1, 0, false}, {2, 0, false}, {3, 1, true}, {4, 1, false}}
	dir := t.TempDir()
	set, suspects := doubtful(all, 0)
	if err := WriteSuspects(filepath.Join(dir, SuspectsFile), set, suspects, true); err != nil {
		t.Fatal(err)
	}
	b, err := ReadBaseline(dir)
	if err != nil {
		t.Fatal(err)
	}
	none := audited{{1, 0, false}, {2, 0, false}, {3, 1, false}, {4, 1, false}}
	for want, at := range [][]int{{0, 2}, {1}, {0, 1, 3}} {
		if got := b.compare(doubtful(none, at...)); got.NewInDoubt != want || got.New() != 0 {
			t.Errorf("%v stand out: %+v, expected %d new ones", at, got, want)
		}
	}
}

// What is news has a word of its own: that of its label, whatever was known before; or that more is in doubt.
func TestNewsHasItsOwnWord(t *testing.T) {
	target := func(class string, says look.Says) audit.Target {
		return audit.Target{Class: class, Evidence: look.Evidence{Says: says}}
	}
	v := &audit.Verdict{Says: look.Poisoned, Targets: []audit.Target{target("known", look.Poisoned), target("new", look.Shortcut), target("doubt", look.CantTell)}}
	for want, c := range map[look.Says]Comparison{
		look.NoEvidence: {Known: 3},
		look.CantTell:   {Known: 3, NewInDoubt: 1},
		look.Shortcut:   {NewOfAdded: 1, rows: []newSuspect{{label: "new"}}},
		look.Poisoned:   {NewOfOld: 2, rows: []newSuspect{{label: "new"}, {label: "known"}}},
	} {
		if got := c.Says(v); got != want {
			t.Errorf("%+v: %s, expected %s", c, got, want)
		}
	}
}
