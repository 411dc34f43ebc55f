package review

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// suspected is how many of the made-up run's images are suspected.
const suspected = 300

// madeUp writes a run's folder over rendered signs, every image of which is suspected up to a number.
func madeUp(t testing.TB) (run string, set *dataset.Set) {
	t.Helper()
	run = t.TempDir()
	set = signs.Render(1, 2*suspected, 10).Train
	var csv strings.Builder
	csv.WriteString("index,source,label,loss,rank,isolated,probability\n")
	for k := range set.Len() {
		fmt.Fprintf(&csv, "%d,%s,%s,0.1,%d,%t,%.2f\n", k, set.Source(k), set.Classes[set.Labels[k]], k+1, k < suspected, 1-float64(k)/float64(set.Len()))
	}
	result := fmt.Sprintf(`{"data":{"path":"rendered","layout":"signs"},"verdict":{"says":"poisoned","removed":%d,"targets":[{"class":%q,"says":"poisoned","by":"pixels"}]}}`,
		suspected, set.Classes[set.Labels[0]])
	for name, text := range map[string]string{"suspects.csv": csv.String(), "result.json": result} {
		testfile.Write(t, filepath.Join(run, name), text)
	}
	return run, set
}

// open starts a server for a reviewer; it ends with the test, or when stop is called.
func open(t testing.TB, run string, set *dataset.Set, reviewer string) (s *Server, stop func()) {
	t.Helper()
	r, err := Open(run, set, reviewer)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Listen(r, 0); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return s, stop
}

// ask sends a request and returns the status and the answer.
func ask(t testing.TB, method, url, body string) (int, string) {
	t.Helper()
	q, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	raw, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(raw)
}

// TestNothingIsLost decides, stops the server, and finds everything there again; undo goes back over the restart.
func TestNothingIsLost(t *testing.T) {
	run, set := madeUp(t)
	s, stop := open(t, run, set, "Ann Lee")
	for index, decision := range map[int]string{0: Drop, 1: Keep} {
		if code, text := ask(t, "POST", s.URL()+"decide", fmt.Sprintf(`{"index":%d,"decision":%q}`, index, decision)); code != 200 {
			t.Fatal(text)
		}
	}
	ask(t, "POST", s.URL()+"decide", `{"index":1,"decision":"drop"}`)
	stop()
	s, _ = open(t, run, set, "Ann Lee")
	mine := func() map[int]string {
		var st State
		if _, text := ask(t, "GET", s.URL()+"state", ""); json.Unmarshal([]byte(text), &st) != nil {
			t.Fatal(text)
		}
		return st.Mine
	}
	if m := mine(); len(m) != 2 || m[0] != Drop || m[1] != Drop {
		t.Fatalf("after a restart: %v", m)
	}
	ask(t, "POST", s.URL()+"undo", "{}")
	if m := mine(); m[1] != Keep {
		t.Fatalf("after undo: %v", m)
	}
}

// A run without a verdict, as ABL's are, has set aside what its list says.
func TestRunsWithoutAVerdictSetAside(t *testing.T) {
	run, set := madeUp(t)
	testfile.Write(t, filepath.Join(run, "result.json"), `{"defense":"abl","data":{"path":"rendered","layout":"signs"}}`)
	r, err := Open(run, set, "ann")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := r.State(); err != nil || s.Removed != suspected || !s.Suspects[0].Rated {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestReviewersSettle wants the reviewer's own decision to hold, others' where they agree, and none where they don't.
func TestReviewersSettle(t *testing.T) {
	run, set := madeUp(t)
	decide := func(who string, of map[int]string) *Review {
		r, err := Open(run, set, who)
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range of {
			if err := r.Decide(i, d); err != nil {
				t.Fatal(err)
			}
		}
		return r
	}
	decide("bo", map[int]string{1: Keep, 2: Drop, 3: Keep})
	decide("cy", map[int]string{1: Keep, 3: Drop})
	ann := decide("ann", map[int]string{0: Drop, 2: Keep})
	decided, disagreed, err := ann.Write()
	if err != nil || decided != 3 || disagreed != 2 {
		t.Fatalf("%d decided, %d disagreed, %v", decided, disagreed, err)
	}
	raw := testfile.Read(t, filepath.Join(run, DecisionsFile))
	got := ""
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n")[1:] {
		f := strings.Split(line, ",")
		got += f[0] + f[3] + " "
	}
	if got != "0drop 1keep 2keep " {
		t.Errorf("written: %s", got)
	}
}

// TestOnlyWithTheToken refuses who does not know the address, and another site's name for it.
func TestOnlyWithTheToken(t *testing.T) {
	run, set := madeUp(t)
	s, _ := open(t, run, set, "ann")
	base := "http://" + s.listen.Addr().String()
	for _, path := range []string{"/", "/state", "/" + strings.Repeat("0", len(s.token)) + "/state", "/" + s.token[1:] + "/state"} {
		if code, _ := ask(t, "GET", base+path, ""); code != http.StatusForbidden {
			t.Errorf("%s: status %d", path, code)
		}
	}
	q, _ := http.NewRequest(http.MethodGet, s.URL(), http.NoBody)
	q.Host = "evil.example"
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	if a.StatusCode != http.StatusForbidden {
		t.Errorf("another host's name: status %d", a.StatusCode)
	}
	for _, bad := range []string{`{"index":-1,"decision":"drop"}`, `{"index":0,"decision":"burn"}`, `{`} {
		if code, text := ask(t, "POST", s.URL()+"decide", bad); code != http.StatusBadRequest {
			t.Errorf("%s: status %d, %s", bad, code, text)
		}
	}
	if page, err := http.Get(s.URL()); err != nil || !strings.Contains(page.Header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'") {
		t.Errorf("the page's policy: %v, %v", page, err)
	} else {
		page.Body.Close()
	}
	for path, want := range map[string]int{"image/0": 200, "image/0?side=16": 200, "image/999999": 404, "image/x": 404, "": 200, "review.js": 200} {
		if code, _ := ask(t, "GET", s.URL()+path, ""); code != want {
			t.Errorf("%s: status %d, want %d", path, code, want)
		}
	}
}

// TestOtherDataAreRefused wants the names of a list that was made from other data.
func TestOtherDataAreRefused(t *testing.T) {
	run, set := madeUp(t)
	if _, err := Open(run, set.Subset([]int{1, 0}), "ann"); err == nil {
		t.Error("two images were taken for six hundred")
	}
	odd := set.Clone()
	odd.Image(3)[0] ^= 255
	list := filepath.Join(run, "suspects.csv")
	raw := testfile.Read(t, list)
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	lines[0] += ",digest"
	for k := range lines[1:] {
		lines[k+1] += "," + set.ImageDigest(k).String()
	}
	testfile.Write(t, list, strings.Join(lines, "\n")+"\n")
	if _, err := Open(run, set, "ann"); err != nil {
		t.Error(err)
	}
	if _, err := Open(run, odd, "ann"); err == nil {
		t.Error("an image that was changed since was taken")
	}
	result := `{"data":{"layout":"signs"},"attacks":[{"name":"badnets"}]}`
	testfile.Write(t, filepath.Join(run, "result.json"), result)
	if _, err := Open(run, set, "ann"); err == nil || !strings.Contains(err.Error(), "unpoison attack") {
		t.Errorf("a run that planted what it saw was shown without it: %v", err)
	}
	if _, err := Open(run, set, "../ann"); err == nil {
		t.Error("a reviewer's name left the folder")
	}
}

// TestDoubtfulImagesAreShown wants all images that stand out where a run can't tell, first, under their look, and on the first screen.
func TestDoubtfulImagesAreShown(t *testing.T) {
	run, set := madeUp(t)
	var csv strings.Builder
	csv.WriteString("index,source,label,isolated,doubtful\n")
	for k := range set.Len() {
		fmt.Fprintf(&csv, "%d,%s,%s,false,%t\n", k, set.Source(k), set.Classes[set.Labels[k]], k < 2*besides)
	}
	class := set.Classes[set.Labels[0]]
	result := fmt.Sprintf(`{"data":{"path":"rendered","layout":"signs"},"verdict":{"says":"can't tell","targets":[{"class":%q,"index":%d,"says":"can't tell","by":"features"}]}}`, class, set.Labels[0])
	for name, text := range map[string]string{"suspects.csv": csv.String(), "result.json": result} {
		testfile.Write(t, filepath.Join(run, name), text)
	}
	r, err := Open(run, set, "ann")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.suspects) != 3*besides || !r.suspects[0].Doubtful || r.suspects[0].Look != "features" || r.suspects[2*besides].Doubtful {
		t.Errorf("%d images, the first %+v", len(r.suspects), r.suspects[0])
	}
	if p := r.strip(class).Pairs; len(p) == 0 || p[0].Caption != "" {
		t.Errorf("the first screen shows %d pairs", len(p))
	}
}

// A list that a spreadsheet saved shows the same, and one with another word there is refused.
func TestListsThatASpreadsheetSaved(t *testing.T) {
	run, set := madeUp(t)
	list := filepath.Join(run, "suspects.csv")
	raw := testfile.Read(t, list)
	want, err := readSuspects(list)
	if err != nil {
		t.Fatal(err)
	}
	for text, ok := range map[string]bool{"FALSE": true, "no": false} {
		testfile.Write(t, list, bytes.ReplaceAll(raw, []byte(",false,"), []byte(","+text+",")))
		r, err := Open(run, set, "ann")
		if (err == nil) != ok || ok && len(r.suspects) != len(want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	saved := append([]byte("\ufeff"), bytes.ReplaceAll(raw, []byte(","), []byte(";"))...)
	testfile.Write(t, list, saved)
	if got, err := readSuspects(list); err != nil || !slices.Equal(got, want) {
		t.Errorf("with semicolons: %v, expected %v (%v)", got, want, err)
	}
}

// Two reviews under one name don't lose each other's decisions, and those on another run's images are refused.
func TestDecisionsOfOthersAreKept(t *testing.T) {
	run, set := madeUp(t)
	var both [2]*Review
	for k := range both {
		var err error
		if both[k], err = Open(run, set, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	if err := both[0].Decide(1, Drop); err != nil {
		t.Fatal(err)
	}
	if err := both[1].Decide(2, Drop); err == nil || !strings.Contains(err.Error(), "another review by ann") {
		t.Errorf("the second one decides: %v", err)
	}
	if _, _, err := both[1].Write(); err == nil {
		t.Error("the second one finishes without the first one's decision")
	}
	if err := both[0].Decide(3, Keep); err != nil {
		t.Error(err)
	}
	if n, _, err := both[0].Write(); n != 2 || err != nil {
		t.Errorf("%d decisions, %v", n, err)
	}
	both[0].suspects[4].Source = "no \xff\xfe text"
	if err := both[0].Decide(4, Keep); err != nil || both[0].fits(both[0].mine) != nil {
		t.Error(err)
	}
	again, err := openDecisions(run, "ann")
	if err != nil || both[0].fits(again) != nil {
		t.Errorf("own decisions are refused: %v, %v", err, both[0].fits(again))
	}
	if _, err := both[0].mine.undo(); err != nil {
		t.Fatal(err)
	}
	other, _ := madeUp(t)
	list := filepath.Join(other, "suspects.csv")
	raw := testfile.Read(t, list)
	lines := strings.SplitAfter(string(raw), "\n")
	if err := os.WriteFile(list, []byte(strings.Join(slices.Delete(lines, 2, 3), "")), 0o600); err != nil { // image 1 is no suspect there
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(other, Folder), os.DirFS(filepath.Join(run, Folder))); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(other, set, "ann"); err == nil || !strings.Contains(err.Error(), "another run") {
		t.Errorf("decisions on what is no suspect: %v", err)
	}
	r, err := Open(other, set, "bob")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Write(); err == nil || !strings.Contains(err.Error(), "another run") {
		t.Errorf("another's decisions on what is no suspect: %v", err)
	}
	mine := filepath.Join(run, Folder, "ann.json")
	if raw, err = os.ReadFile(mine); err != nil {
		t.Fatal(err)
	}
	testfile.Write(t, mine, bytes.Replace(raw, []byte(set.Source(1)), []byte(set.Source(5)), 1))
	if _, err := Open(run, set, "ann"); err == nil || !strings.Contains(err.Error(), "another run") {
		t.Errorf("decisions on another image of that number: %v", err)
	}
}

// TestCopiedDecisionsAreTheirReviewers wants a copy of another's file to be of whom it is named after.
func TestCopiedDecisionsAreTheirReviewers(t *testing.T) {
	run := t.TempDir()
	testfile.Write(t, filepath.Join(run, Folder, "bob.json"), `{"reviewer":"alice","history":[{"index":1,"decision":"drop"}]}`)
	if d, err := openDecisions(run, "bob"); err != nil || d.Reviewer != "bob" || len(d.History) != 1 {
		t.Errorf("%+v, %v", d, err)
	}
}
