package runs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/common"
	"github.com/unpoison/unpoison/audit/look/pixels"
	"github.com/unpoison/unpoison/isolate"
)

// A pattern under many labels is told once, not a label at a time.
func TestVerdictSumsUpCommonPatterns(t *testing.T) {
	for says, want := range map[look.Says]string{
		look.Poisoned:   "90 images under 2 labels carry the same pattern, and their labels are wrong",
		look.CantTell:   "whether their labels are correct was not checked",
		look.NoEvidence: "a mark that they share",
	} {
		v := &audit.Verdict{Says: says, Targets: []audit.Target{
			{Class: "stop", Evidence: look.Evidence{Says: says, Look: common.Name, Facts: common.Facts{Counts: look.Counts{Flagged: 40}}}}, {Class: "yield", Evidence: look.Evidence{Says: says, Look: common.Name, Facts: common.Facts{Counts: look.Counts{Flagged: 50}}}},
		}}
		if says == look.NoEvidence {
			for k := range v.Targets {
				v.Targets[k].Right = &look.Right{Suspects: 0.8, Rest: 0.9}
			}
		}
		if says == look.Poisoned { // and one label where it is right
			v.Targets = append(v.Targets, audit.Target{Class: "ahead", Evidence: look.Evidence{Says: look.NoEvidence, Look: common.Name, Facts: common.Facts{Counts: look.Counts{Flagged: 60}}}})
		}
		s := strings.Join(verdictSentences(v), "\n")
		if !strings.Contains(s, want) || strings.Contains(s, "Under the label") {
			t.Errorf("%s: %s", says, s)
		}
	}
}

// A page that can't tell shows first what stands out under the label that it names, beside images that do not; and says it of no other.
func TestPagesShowWhatStandsOut(t *testing.T) {
	var files []string
	for i := range 12 {
		files = append(files, fmt.Sprintf("%s/%02d", []string{"stop", "yield"}[i%2], i))
	}
	set := colours(t, t.TempDir(), files...)
	under := func(class int32) (images []int) {
		for i, l := range set.Labels {
			if l == class {
				images = append(images, i)
			}
		}
		return images
	}
	list := []isolate.Suspect{{Index: under(1)[0], Doubtful: true}, {Index: under(1)[1], Doubtful: true}, {Index: under(1)[2]}, {Index: under(0)[0]}}
	v := &audit.Verdict{Says: look.CantTell, Targets: []audit.Target{{Class: "yield", Evidence: look.Evidence{
		Says: look.CantTell, Look: pixels.Name, Label: 1, Facts: pixels.Facts{Counts: look.Counts{Images: 6, Flagged: 2}},
	}}}}
	o := &Outcome{Result: &Result{Defense: AuditOnly, Verdict: v}, Train: set, Verdict: v, Trained: &abl.Result{Suspects: list}}
	head, _ := headOf("run", o)
	if p := head.Strip.Pairs; len(p) != 2 || p[0].Caption != "" || p[0].Without == "" {
		t.Errorf("beside what does not stand out: %+v", p)
	}
	g := suspectGallery(o, len(list))
	if got := []string{g.Items[0].Caption, g.Items[2].Caption}; got[0] != "1 yield stands out" || got[1] != "3 yield 0\u00a0%" || g.Items[0].Drop {
		t.Errorf("captions %q", got)
	}
	path := filepath.Join(t.TempDir(), SuspectsFile)
	if err := WriteSuspects(path, set, list, true); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(path); err != nil || strings.Count(string(raw), ",true\n") != 2 || !strings.Contains(string(raw), ",doubtful\n") {
		t.Errorf("%v: %s", err, raw)
	}
}
