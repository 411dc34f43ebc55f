package detect

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// Another network's verdicts stand beside the default one's of the same sets; earlier searches and sets that only one has don't count.
func TestNetworksAreCompared(t *testing.T) {
	all, err := Sets()
	if err != nil {
		t.Fatal(err)
	}
	set := func(name string) Set {
		return all[slices.IndexFunc(all, func(s Set) bool { return s.Name == name })]
	}
	yes, no, tpr, fpr := true, false, 0.5, 0.25
	score := func(name, verdict string, right *bool, revision int) *Score {
		v := &Score{Set: set(name), Detector: Ours, Verdict: verdict, Right: right, Revision: revision, Rates: Rates{TPRAt: make([]*float64, len(falseRates))}}
		if right != nil {
			v.TPR, v.FPR = &tpr, &fpr
		}
		return v
	}
	folder := t.TempDir()
	write := func(network string, scores ...*Score) {
		s, err := openStore(ResultsFile(folder, network, false))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range scores {
			if err := s.add(v); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("",
		score("xray-all-badnets-5", "poisoned", &yes, audit.Revision), score("xray-all-clean", "no evidence of poison", nil, audit.Revision),
		score("hands-all-clean", "poisoned", nil, audit.Revision), score("satellite-all-clean", "poisoned", nil, audit.Revision))
	write("small-cnn",
		score("xray-all-badnets-5", "no evidence of poison", &no, audit.Revision), score("xray-all-clean", "shortcut", nil, audit.Revision),
		score("hands-all-clean", "can't tell", nil, audit.Revision), score("satellite-all-clean", "poisoned", nil, audit.Revision-1))
	testfile.Write(t, filepath.Join(folder, "detect-small-cnn-quick.jsonl"), "no results\n")
	got, err := Networks(folder)
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"small-cnn", "1", "0", "50.00", "25.00", "2", "0", "1", "1"},
		{"wrn-16-1, the same sets", "1", "1", "50.00", "25.00", "2", "1", "0", "1"},
	}
	if !slices.EqualFunc(got.Rows, want, slices.Equal) {
		t.Errorf("%v, expected %v", got.Rows, want)
	}
}
