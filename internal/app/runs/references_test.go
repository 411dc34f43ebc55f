package runs

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/isolate"
)

// colours writes a folder of one-colour images and reads it.
func colours(t *testing.T, dir string, names ...string) *dataset.Set {
	t.Helper()
	for i, n := range names {
		px := make([]uint8, 8*8*3)
		for k := range px {
			px[k] = uint8(20 * i)
		}
		path := filepath.Join(dir, n+".png")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := dataset.WritePNG(path, px, 8, 8); err != nil {
			t.Fatal(err)
		}
	}
	return readSet(t, dir)
}

func readSet(t *testing.T, dir string) *dataset.Set {
	t.Helper()
	d, err := dataset.Load(t.Context(), dir, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d.Train
}

// suspectsOf lists all images of a set, of which every third is isolated.
func suspectsOf(t *testing.T, set *dataset.Set) (path string, isolated []string) {
	t.Helper()
	var all []isolate.Suspect
	for k, i := range rand.New(rand.NewPCG(1, 2)).Perm(set.Len()) {
		all = append(all, isolate.Suspect{Index: i, Score: float32(k), Isolated: k%3 == 0})
		if k%3 == 0 {
			isolated = append(isolated, set.Source(i))
		}
	}
	path = filepath.Join(t.TempDir(), SuspectsFile)
	if err := WriteSuspects(path, set, all, true); err != nil {
		t.Fatal(err)
	}
	return path, isolated
}

// isolatedIn returns the sources of what a list isolates, in the order of suspicion.
func isolatedIn(t *testing.T, l List) []string {
	t.Helper()
	scores, n, err := ReadSuspects(l)
	if err != nil {
		t.Fatal(err)
	}
	found := make([]string, n)
	for i, s := range scores {
		if int(s) <= n {
			found[int(s)-1] = l.Set.Source(i)
		}
	}
	return found
}

// A list means the same images after others were added and removed, after files were renamed, and in any order of its rows.
func TestSuspectsMeanTheirImages(t *testing.T) {
	dir := t.TempDir()
	set := colours(t, dir, "=1+1/0", "a/1", "a/2,x", "a/3", "b/4", "b/5", "b/6")
	path, want := suspectsOf(t, set)
	if got := isolatedIn(t, List{Path: path, Set: set}); !slices.Equal(got, want) {
		t.Errorf("isolated %v, expected %v", got, want)
	}
	raw := testfile.Read(t, path)
	if strings.Contains(string(raw), ",=") || strings.Contains(string(raw), "\n=") {
		t.Errorf("a cell begins a formula: %s", raw)
	}
	lines := strings.SplitAfter(strings.TrimSpace(string(raw))+"\n", "\n")
	slices.Reverse(lines[1 : len(lines)-1])
	sorted := filepath.Join(t.TempDir(), "sorted.csv")
	testfile.Write(t, sorted, strings.Join(lines, ""))
	scores, _, _ := ReadSuspects(List{Path: path, Set: set})
	again, _, err := ReadSuspects(List{Path: sorted, Set: set})
	if err != nil || !slices.Equal(scores, again) {
		t.Errorf("sorting by hand changes %v to %v (%v)", scores, again, err)
	}
	// The sources alone, as lists of version 0.1 have them, and those of a part of the data.
	old := filepath.Join(t.TempDir(), "old.csv")
	testfile.Write(t, old, "index,source,label,loss,rank,isolated\n0,a/3.png,a,0.1,1,true\n1,b/4.png,b,0.2,2,false\n")
	if got := isolatedIn(t, List{Path: old, Set: set}); !slices.Equal(got, []string{"a/3.png"}) {
		t.Errorf("a list of version 0.1 isolates %v", got)
	}
	if got := isolatedIn(t, List{Path: old, Set: set, ByIndex: true}); !slices.Equal(got, []string{"=1+1/0.png"}) {
		t.Errorf("by index it isolates %v", got)
	}
	testfile.Write(t, old, "index,digest,isolated\n0,"+set.ImageDigest(1).String()+",true\n1,,false\n")
	if _, _, err := ReadSuspects(List{Path: old, Set: set, ByIndex: true}); err == nil || !strings.Contains(err.Error(), "row 1: image 0, =1+1/0.png, has the digest") {
		t.Errorf("by the index of another image: %v", err)
	}
	if err := os.Rename(filepath.Join(dir, "b", "6.png"), filepath.Join(dir, "b", "renamed.png")); err != nil {
		t.Fatal(err)
	}
	px := []uint8{1, 2, 3}
	if err := dataset.WritePNG(filepath.Join(dir, "a", "0-added.png"), slices.Repeat(px, 64), 8, 8); err != nil {
		t.Fatal(err)
	}
	more := readSet(t, dir)
	for k, w := range want {
		want[k] = strings.Replace(w, "b/6.png", "b/renamed.png", 1)
	}
	if got := isolatedIn(t, List{Path: path, Set: more}); !slices.Equal(got, want) {
		t.Errorf("with another image and a renamed one: isolated %v, expected %v", got, want)
	}
}

// A list of other data is refused, with the first three rows that differ.
func TestListsThatDoNotFitAreRefused(t *testing.T) {
	set := colours(t, t.TempDir(), "a/0", "a/1", "a/2", "b/3", "b/4")
	other := colours(t, t.TempDir(), "a/9", "a/8", "a/7", "a/6", "a/5", "a/4", "b/0", "b/1", "b/2", "b/3")
	path, _ := suspectsOf(t, other)
	_, _, err := ReadSuspects(List{Path: path, Set: set})
	if err == nil || strings.Count(err.Error(), "\n") != 3 || !strings.Contains(err.Error(), "does not fit") {
		t.Errorf("a list of other data: %v", err)
	}
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want string }{
		"nothing":   {"index,isolated\n0,true\n", "--by-index"},
		"unknown":   {"source\na/7.png\n", "a/7.png"},
		"twice":     {"source\na/0.png\na/1.png\na/0.png\n", "row 1"},
		"changed":   {"source,digest\na/0.png," + strings.Repeat("0", 32) + "\n", "digest"},
		"empty":     {"source,digest\n,\n", "neither"},
		"flag":      {"source,isolated\na/0.png,yes\n", "true or false"},
		"no rows":   {"source\n", "no suspects"},
		"no header": {"", "column names"},
	} {
		path := filepath.Join(dir, name)
		testfile.Write(t, path, c.text)
		if _, _, err := ReadSuspects(List{Path: path, Set: set}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Two images of one digest are told apart by their sources, and not without.
	twins := t.TempDir()
	for _, n := range []string{"a/x.png", "a/y.png", "b/z.png"} {
		if err := os.MkdirAll(filepath.Join(twins, filepath.Dir(n)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := dataset.WritePNG(filepath.Join(twins, n), make([]uint8, 192), 8, 8); err != nil {
			t.Fatal(err)
		}
	}
	set = readSet(t, twins)
	digest := set.ImageDigest(0).String()
	both, two := digest+"\n"+digest+"\n", "old.png,"+digest+"\nolder.png,"+digest+"\n"
	for text, ok := range map[string]bool{
		"digest\n" + both: false, "digest\n" + both + digest + "\n": true, "source,digest\na/y.png," + digest + "\n" + two: true,
		"index,digest\n1," + digest + "\n": true, "index,digest\n7," + digest + "\n": false, "index,digest,label\n1," + digest + ",b\n": false,
		"digest,label\n" + digest + ",b\n" + digest + ",a\n" + digest + ",a\n": true, "digest,label\n" + digest + ",b\n" + digest + ",b\n" + digest + ",a\n": false,
		"source,digest\na/y.png," + digest + "\n": true, "digest\n" + digest + "\n": false,
		"source,digest\nold.png," + digest + "\n": false,
	} {
		path := filepath.Join(dir, "twins")
		testfile.Write(t, path, text)
		if _, _, err := ReadSuspects(List{Path: path, Set: set}); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzLists(f *testing.F) {
	f.Add("source,digest,rank,isolated\na/0.png,,1,true\n")
	f.Add("index,source\n0,\"=x\n\"\n")
	set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"a"}, Pixels: []uint8{1, 2, 3, 4, 5, 6}, Labels: []int32{0, 0}}
	path := filepath.Join(f.TempDir(), "list.csv")
	f.Fuzz(func(t *testing.T, text string) {
		testfile.Write(t, path, text)
		for _, by := range []bool{false, true} {
			if scores, n, err := ReadSuspects(List{Path: path, Set: set, ByIndex: by}); err == nil && (n < 1 || n > 2 || len(scores) != 2) {
				t.Error(fmt.Sprint(scores, n))
			}
			_ = ReadDecisions(List{Path: path, Set: set, ByIndex: by}, func(int, bool) {})
			_, _ = ReadLosses(List{Path: path, Set: set, ByIndex: by})
		}
	})
}

// Spreadsheets write TRUE for true. A list that one saved means the same, to a filter, and as a baseline.
func TestListsThatASpreadsheetSaved(t *testing.T) {
	set := colours(t, t.TempDir(), "a/0", "a/1", "a/2", "b/3", "b/4")
	path, want := suspectsOf(t, set)
	before, err := ReadBaseline(path)
	if err != nil {
		t.Fatal(err)
	}
	raw := testfile.Read(t, path)
	saved := strings.NewReplacer(",true,", ",TRUE,", ",false,", ",FALSE,").Replace(string(raw))
	if err := os.WriteFile(path, []byte(saved), 0o600); err != nil || !strings.Contains(saved, "TRUE") {
		t.Fatal(saved, err)
	}
	if got := isolatedIn(t, List{Path: path, Set: set}); !slices.Equal(got, want) {
		t.Errorf("isolated %v, expected %v", got, want)
	}
	if after, err := ReadBaseline(path); err != nil || !maps.Equal(after.suspects, before.suspects) || len(after.suspects) == 0 {
		t.Errorf("%v, expected %v (%v)", after, before, err)
	}
	for _, mark := range []string{";", "\t"} { // as in other countries, and with a mark of UTF-8
		other := "\ufeff" + strings.NewReplacer(",", mark, "\n", "\r\n").Replace(saved)
		testfile.Write(t, path, other)
		if got := isolatedIn(t, List{Path: path, Set: set}); !slices.Equal(got, want) {
			t.Errorf("%q: isolated %v, expected %v", mark, got, want)
		}
		if after, err := ReadBaseline(path); err != nil || !maps.Equal(after.suspects, before.suspects) {
			t.Errorf("%q: %v, expected %v (%v)", mark, after, before, err)
		}
	}
	var wide []byte
	for _, u := range utf16.Encode([]rune("\ufeff" + strings.ReplaceAll(saved, ",", "\t"))) { // "Unicode text"
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	testfile.Write(t, path, wide)
	if got := isolatedIn(t, List{Path: path, Set: set}); !slices.Equal(got, want) {
		t.Errorf("UTF-16: isolated %v, expected %v", got, want)
	}
	testfile.Write(t, path, strings.ReplaceAll(saved, "TRUE", "yes"))
	if _, err := ReadBaseline(path); err == nil || !strings.Contains(err.Error(), `found "yes"`) {
		t.Error(err)
	}
	decided := filepath.Join(t.TempDir(), "decisions.csv")
	testfile.Write(t, decided, "source,decision\na/1.png,Drop\na/2.png,KEEP\n")
	drop := make([]bool, set.Len())
	if err := ReadDecisions(List{Path: decided, Set: set}, func(i int, gone bool) { drop[i] = gone }); err != nil || !drop[1] || drop[2] {
		t.Errorf("%v (%v)", drop, err)
	}
}
