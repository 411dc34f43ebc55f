package detect

import (
	"bytes"
	"encoding/csv"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

//go:generate go test -run TestMeasuredSetsAreKept -update

var update = flag.Bool("update", false, "write audit/measured.csv")

// What verdicts are compared with is what results/detect holds of this program.
func TestMeasuredSetsAreKept(t *testing.T) {
	r, err := Read(filepath.Join("..", "..", "results", "detect", "detect.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	rows := [][]string{{"set", "family", "reports", "earlier", "by_sample", "truth", "size", "images", "classes", "confirmed", "strength", "says", "tpr", "fpr", "right", "fails"}}
	for _, s := range r.Scores() {
		if s.Detector == Ours {
			rows = append(rows, row(measuredSet(t, r, s)))
		}
	}
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "..", "audit", "measured.csv")
	if *update {
		testfile.Write(t, path, b.Bytes())
		return
	}
	if kept, err := os.ReadFile(path); err != nil || !bytes.Equal(kept, b.Bytes()) {
		t.Errorf("%s is not what results/detect says (%v): go generate ./experiment/detect", path, err)
	}
	if got := audit.MeasuredSets(); len(got) != len(rows)-1 {
		t.Errorf("%d sets, expected %d", len(got), len(rows)-1)
	}
}

// row is a set as measured.csv has it.
func row(s audit.MeasuredSet) []string {
	float := func(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
	return []string{
		s.Name, s.Family, strconv.FormatBool(s.Reports), strconv.FormatBool(s.Earlier), strconv.FormatBool(s.BySample), s.Truth, strconv.Itoa(s.Size), strconv.Itoa(s.Images), strconv.Itoa(s.Classes), float(s.Confirmed), float(s.Strength),
		s.Says.String(), float(s.TPR), float(s.FPR), strconv.FormatBool(s.Right), strconv.FormatBool(s.Fails),
	}
}

// measuredSet is what a score says of a set.
func measuredSet(t *testing.T, r *Results, s *Score) audit.MeasuredSet {
	m := audit.MeasuredSet{
		Name: s.Set.Name, Family: s.Set.Family, Reports: s.Set.Role == Reporting, Earlier: s.earlier(), BySample: s.Holds == audit.Revision, Size: s.Set.Size, Images: s.Images, Classes: s.Classes, Confirmed: s.Confirmed, Strength: s.Strength,
	}
	if s.TPR != nil {
		m.TPR = *s.TPR
	}
	if s.FPR != nil {
		m.FPR = *s.FPR
	}
	if err := m.Says.UnmarshalText([]byte(s.Verdict)); err != nil {
		t.Fatalf("%s: %v", s.Set.Name, err)
	}
	v, err := s.Set.variation()
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case s.Set.Poisoned():
		m.Truth, m.Right = attackOf(&s.Set), s.Right != nil && *s.Right
		w := r.undefended(s.Set)
		m.Fails = w != nil && !w.works(s.Set)
	case v.Mark != "":
		m.Truth, m.Right = audit.TruthMarked, !falseAlarm(&s.Set, s.Verdict)
	default:
		m.Truth, m.Right = audit.TruthClean, !falseAlarm(&s.Set, s.Verdict)
	}
	return m
}
