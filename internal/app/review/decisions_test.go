package review

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// Decisions that no reviewer of the run has made are neither emptied nor replaced; those of reviews are, also when all are taken back.
func TestDecisionsFromElsewhereStay(t *testing.T) {
	run, set := madeUp(t)
	path := filepath.Join(run, DecisionsFile)
	held := func() string {
		raw := testfile.Read(t, path)
		return string(raw)
	}
	begin := func(who string) *Review {
		r, err := Open(run, set, who)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	saved := "source,digest,decision\n" + set.Source(2) + ",,drop\n"
	testfile.Write(t, path, saved)
	ann := begin("ann")
	if decided, _, err := ann.End(); decided != 0 || err != nil || held() != saved {
		t.Fatalf("%d decisions, %v; %q is left", decided, err, held())
	}
	if err := ann.Decide(1, Drop); err != nil {
		t.Fatal(err)
	}
	for _, end := range []func() (int, int, error){ann.End, ann.Write} {
		if _, _, err := end(); err == nil || !strings.Contains(err.Error(), "move it away") || held() != saved {
			t.Fatalf("%v; %q is left", err, held())
		}
	}
	if err := ann.Decide(2, Drop); err != nil {
		t.Fatal(err)
	}
	if decided, _, err := ann.End(); decided != 2 || err != nil {
		t.Fatalf("what the review decided too: %d, %v", decided, err)
	}
	if decided, _, err := begin("bob").End(); decided != 2 || err != nil {
		t.Fatalf("another reviewer: %d, %v", decided, err)
	}
	ann = begin("ann")
	for range 2 {
		if _, _, err := ann.Undo(); err != nil {
			t.Fatal(err)
		}
	}
	if decided, _, err := ann.End(); decided != 0 || err != nil || strings.Count(held(), "\n") != 1 {
		t.Errorf("all were taken back: %d, %v; %q is left", decided, err, held())
	}
}

// What was finished and then taken back is still the review's own: other reviewers, and a later review, replace it.
func TestUndoneDecisionsAreReplaced(t *testing.T) {
	run, set := madeUp(t)
	begin := func(who string) *Review {
		r, err := Open(run, set, who)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	ann := begin("ann")
	for _, index := range []int{1, 2} {
		if err := ann.Decide(index, Drop); err != nil {
			t.Fatal(err)
		}
	}
	if decided, _, err := ann.Write(); decided != 2 || err != nil {
		t.Fatal(decided, err)
	}
	if index, _, err := ann.Undo(); index != 2 || err != nil { // and her review ends without End
		t.Fatal(index, err)
	}
	bob := begin("bob")
	if err := bob.Replaceable(); err != nil {
		t.Error(err)
	}
	if err := bob.Decide(3, Keep); err != nil {
		t.Fatal(err)
	}
	if decided, _, err := bob.Write(); decided != 2 || err != nil {
		t.Errorf("bob's and ann's: %d, %v", decided, err)
	}
	raw, err := os.ReadFile(filepath.Join(run, DecisionsFile))
	if err != nil || strings.Contains(string(raw), set.Source(2)+",") {
		t.Errorf("what ann took back is still there: %q (%v)", raw, err)
	}
	if decided, _, err := begin("ann").Write(); decided != 2 || err != nil {
		t.Errorf("ann once more: %d, %v", decided, err)
	}
}

// A list that was sorted by something else shows the same suspects, and the same images beside them.
func TestSortedListsShowTheSame(t *testing.T) {
	run, _ := madeUp(t)
	list := filepath.Join(run, "suspects.csv")
	want, err := readSuspects(list)
	if err != nil {
		t.Fatal(err)
	}
	raw := testfile.Read(t, list)
	lines := strings.SplitAfter(strings.TrimSpace(string(raw))+"\n", "\n")
	back := lines[0]
	for k := len(lines) - 1; k > 0; k-- {
		back += lines[k]
	}
	testfile.Write(t, list, back)
	got, err := readSuspects(list)
	if err != nil || len(got) != len(want) || len(got) != suspected+besides {
		t.Fatalf("%d images, expected %d (%v)", len(got), len(want), err)
	}
	for k := range got {
		if got[k].row = want[k].row; got[k] != want[k] {
			t.Fatalf("%+v, expected %+v", got[k], want[k])
		}
	}
}

// Where no decision can be stored, that is said before the review begins. Nothing is left by the question.
func TestFoldersThatCannotBeWrittenTo(t *testing.T) {
	run, _ := madeUp(t)
	before, _ := os.ReadDir(run)
	if err := Savable(run); err != nil {
		t.Error(err)
	}
	if after, _ := os.ReadDir(run); len(after) != len(before) {
		t.Errorf("%d files, %d before", len(after), len(before))
	}
	reviews := filepath.Join(run, Folder)
	if err := os.WriteFile(reviews, nil, 0o600); err != nil { // no folder to write to, for root neither
		t.Fatal(err)
	}
	if err := Savable(run); err == nil || !strings.Contains(err.Error(), "can't be saved in "+reviews) {
		t.Errorf("reviews is a file: %v", err)
	}
	if err := os.Remove(reviews); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("root writes everywhere, and Windows' folders know no such mode")
	}
	for _, dir := range []string{run, reviews} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		if err := Savable(run); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v", dir, err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// A file of a run is not its folder.
func TestAFileIsNoRun(t *testing.T) {
	run, _ := madeUp(t)
	if _, err := DataOf(filepath.Join(run, "suspects.csv")); err == nil || !strings.Contains(err.Error(), "name the folder of the run, which is "+run) {
		t.Error(err)
	}
}
