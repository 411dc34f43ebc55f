package runs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// tiny is a run of a second: every file, little in it.
func tiny(t *testing.T, folder string) Spec {
	t.Helper()
	b, err := engines.New("cpu", 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := attack.Parse("badnets:target=9")
	if err != nil {
		t.Fatal(err)
	}
	o := abl.Default()
	o.Network, o.Batch, o.IsolateEpochs, o.TuneEpochs, o.UnlearnSteps, o.Isolation = "small-cnn", 32, 2, 2, 4, 0.05
	return Spec{
		Command: "unpoison train", Data: signs.Render(1, 120, 40), Attacks: []attack.Config{c}, Cache: "none", Defense: "abl", Options: o,
		Folder: folder, Backend: b,
	}
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	raw := testfile.Read(t, filepath.Join(path...))
	return raw
}

// What a run writes can be read again, agrees with what it returns, and is not overwritten.
func TestRunFolderCanBeReadAgain(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	s := tiny(t, folder)
	out, err := Train(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	res, err := ReadResult(filepath.Join(folder, ResultFile))
	if err != nil {
		t.Fatal(err)
	}
	a, errA := json.Marshal(res)
	b, errB := json.Marshal(out.Result)
	if errors.Join(errA, errB) != nil || !bytes.Equal(a, b) {
		t.Errorf("read %s, returned %s", a, b)
	}
	if res.CA == nil || res.ASR == nil || res.Isolation == nil || res.Isolation.Precision == nil || !strings.HasPrefix(res.Data.Digest, "sha256:") {
		t.Errorf("figures are missing: %s", a)
	}

	n := s.Data.Train.Len()
	seen := map[int]bool{}
	list := List{Path: filepath.Join(folder, SuspectsFile), Set: out.Train}
	err = list.Read([]string{"index", "source", "digest", "label", "loss", "rank", "isolated"}, func(r listed) error {
		seen[r.Index] = true
		return nil
	})
	if err != nil || len(seen) != n {
		t.Errorf("%d of %d images are listed (%v)", len(seen), n, err)
	}
	if _, isolated, err := ReadSuspects(list); err != nil || isolated != 6 {
		t.Errorf("%d images are isolated, expected 5 %% of 120 (%v)", isolated, err)
	}

	epochs := 0
	for line := range bytes.Lines(read(t, folder, LogFile)) {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Errorf("log: %s: %v", line, err)
		}
		if e.Event == "epoch" {
			epochs++
		}
	}
	if epochs != len(out.Epochs) || epochs < 4 {
		t.Errorf("%d epochs in the log, the run says %d", epochs, len(out.Epochs))
	}
	if _, state, _, err := checkpoint.Load(filepath.Join(folder, ModelFile)); err != nil || len(state) != len(out.Trained.Model) {
		t.Errorf("model: %v", err)
	}
	if !bytes.Contains(read(t, folder, ReportFile), []byte("</html>")) {
		t.Error("the report does not end")
	}

	if _, err := Train(context.Background(), s); err == nil || !strings.Contains(err.Error(), "holds a run already") {
		t.Errorf("a second run in the folder: %v", err)
	}
}

// A resumed run writes over nothing that no checkpoint of its own lies beside, and says where it starts anew.
func TestResumeWithoutACheckpointKeepsWhatIsThere(t *testing.T) {
	for _, file := range []string{ModelFile, ResultFile, SuspectsFile} {
		folder := t.TempDir()
		path := filepath.Join(folder, file)
		testfile.Write(t, path, "mine")
		s := tiny(t, folder)
		s.Resume = true
		if _, err := Train(context.Background(), s); err == nil || !strings.Contains(err.Error(), "no checkpoint.safetensors to go on from") {
			t.Errorf("%s: %v", file, err)
		}
		if raw, err := os.ReadFile(path); err != nil || string(raw) != "mine" {
			t.Errorf("%s was changed: %.20q, %v", file, raw, err)
		}
	}
	s, said := tiny(t, t.TempDir()), ""
	s.Resume = true
	s.Watch = func(e Event) { said += e.Text }
	if err := s.ready(); err != nil || !strings.Contains(said, "nothing to go on from in "+s.Folder) {
		t.Errorf("%q, %v", said, err)
	}
}

// Lists that lie in a folder are not written over by a run that did not make them. One that is resumed leaves none that it has no more.
func TestListsOfARunsFolder(t *testing.T) {
	for _, file := range []string{SuspectsFile, OddFile, NewSuspectsFile, ReportFile} {
		folder := t.TempDir()
		path := filepath.Join(folder, file)
		testfile.Write(t, path, "mine")
		s := tiny(t, folder)
		if _, err := Train(context.Background(), s); err == nil || !strings.Contains(err.Error(), "holds a run already ("+file+")") {
			t.Errorf("%s: %v", file, err)
		}
		if raw, err := os.ReadFile(path); err != nil || string(raw) != "mine" {
			t.Errorf("%s was changed: %q, %v", file, raw, err)
		}
	}
	folder := t.TempDir()
	s := tiny(t, folder)
	if _, err := Train(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{OddFile, NewSuspectsFile} {
		testfile.Write(t, filepath.Join(folder, file), "of the run before")
	}
	s = tiny(t, folder)
	s.Resume = true
	if _, err := Train(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	for file, there := range map[string]bool{OddFile: false, NewSuspectsFile: false, SuspectsFile: true} {
		if _, err := os.Stat(filepath.Join(folder, file)); (err == nil) != there {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// A run that is stopped leaves no result, and going on gives the same bytes as a run that was never stopped.
func TestStoppedRunGoesOnToTheSameBytes(t *testing.T) {
	whole, stopped := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "stopped")
	if _, err := Train(context.Background(), tiny(t, whole)); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	s := tiny(t, stopped)
	s.Watch = func(e Event) {
		if e.Event == "epoch" && e.Stage == "tune" {
			stop()
		}
	}
	if _, err := Train(ctx, s); !errors.Is(err, context.Canceled) {
		t.Fatalf("the stopped run: %v", err)
	}
	if _, err := os.Stat(filepath.Join(stopped, ResultFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a stopped run has a result (%v)", err)
	}
	s = tiny(t, stopped)
	s.Resume = true
	if _, err := Train(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{ModelFile, SuspectsFile, LogFile} {
		if !bytes.Equal(read(t, whole, name), read(t, stopped, name)) {
			t.Errorf("%s differs", name)
		}
	}
}

// Lists of suspects come from people too: what is wrong is named with its file and row.
func TestListsOfSuspectsAreChecked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list.csv")
	list := List{Path: path, Set: &dataset.Set{Labels: make([]int32, 5)}, ByIndex: true}
	for _, c := range []struct{ text, want string }{
		{"", "expected a line of column names"},
		{"name,rank\na,1\n", "expected a column index"},
		{"index\n1\n12\n", `row 2: expected an index from 0 to 4, found "12"`},
		{"index\n-1\n", "row 1: expected an index"},
		{"index,isolated\n1\n", "wrong number of fields"},
		{"index,isolated\n1,false\n", "no suspects"},
	} {
		testfile.Write(t, path, c.text)
		if _, _, err := ReadSuspects(list); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, expected %q", c.text, err, c.want)
		}
	}
	testfile.Write(t, path, "index\n3\n1\n")
	scores, isolated, err := ReadSuspects(list)
	if err != nil || isolated != 2 || scores[1] >= scores[3] || scores[3] >= scores[0] {
		t.Errorf("scores %v, %d isolated (%v)", scores, isolated, err)
	}
}

// Results of other versions may have fields that this one does not know; what is no result names its file.
func TestResultsOfOtherVersionsAreRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), ResultFile)
	testfile.Write(t, path, `{"ca":81.5,"of_the_future":{"a":[1]},"verdict":{"says":"poisoned","of_the_past":2}}`)
	if r, err := ReadResult(path); err != nil || *r.CA != 81.5 {
		t.Errorf("%+v, %v", r, err)
	}
	testfile.Write(t, path, `{"ca":`)
	if _, err := ReadResult(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("half a result: %v", err)
	}
}

// The log goes back to where a checkpoint was taken.
func TestLogIsCutBackToItsCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), LogFile)
	l, err := openLog(path, false)
	if err != nil {
		t.Fatal(err)
	}
	l.write(Event{Event: "epoch", Epoch: 1})
	size := l.size()
	l.write(Event{Event: "epoch", Epoch: 2})
	if err := errors.Join(l.err, l.Close()); err != nil {
		t.Fatal(err)
	}
	if l, err = openLog(path, true); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.rewind(size); err != nil || len(l.epochs) != 1 || l.epochs[0].Epoch != 1 {
		t.Errorf("epochs %v (%v)", l.epochs, err)
	}
	l.write(Event{Event: "epoch", Epoch: 3})
	if want := `{"event":"epoch","epoch":1}` + "\n" + `{"event":"epoch","epoch":3}` + "\n"; string(read(t, path)) != want {
		t.Errorf("log %s", read(t, path))
	}
}

// A log that can't be written is an error that names it, though training never looks at it.
func TestLogThatCantBeWritten(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	path := filepath.Join(t.TempDir(), LogFile)
	if err := os.Symlink("/dev/full", path); err != nil {
		t.Skip(err)
	}
	l, err := openLog(path, false)
	if err != nil {
		t.Fatal(err)
	}
	l.write(Event{Event: "epoch", Epoch: 1})
	if err := l.finish(); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	folder := t.TempDir()
	if err := os.Symlink("/dev/full", filepath.Join(folder, LogFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Train(context.Background(), tiny(t, folder)); err == nil || !strings.Contains(err.Error(), LogFile) {
		t.Errorf("a run: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, ResultFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it has a result all the same (%v)", err)
	}
}

// A list tells images apart that are no suspects by more than their order in the data, or not at all.
func TestListsOfSuspectsTellNoMoreThanTheySay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list.csv")
	list := List{Path: path, Set: &dataset.Set{Labels: make([]int32, 6)}, ByIndex: true}
	for text, want := range map[string][]float32{
		"index\n5\n": {6, 6, 6, 6, 6, 1},
		"index,isolated\n0,false\n1,false\n2,false\n3,true\n4,false\n5,false\n":                                               {7, 7, 7, 1, 7, 7},
		"index,rank,isolated,probability\n5,1,true,1\n0,2,false,0.2\n1,3,false,0\n2,4,false,0\n3,5,false,0\n4,6,false,0\n":    {8, 9, 9, 9, 9, 1},
		"index,rank,isolated,probability\n5,1,true,1\n4,2,false,0\n3,3,false,0\n2,4,false,0\n1,5,false,0\n0,6,false,0\n":      {12, 11, 10, 9, 8, 1},
		"index,rank,isolated,loss\n5,1,true,0.1\n0,2,false,0.2\n1,3,false,0.3\n2,4,false,0.4\n3,5,false,0.5\n4,6,false,0.6\n": {8, 9, 10, 11, 12, 1},
		"index,rank,isolated\n5,1,true\n0,2,false\n1,3,false\n2,4,false\n3,5,false\n4,6,false\n":                              {8, 9, 10, 11, 12, 1},
		"index,rank,isolated,probability\n5,1,true,1\n0,2,false,\n1,3,false,\n2,4,false,0.1\n3,5,false,0.1\n4,6,false,0.1\n":  {8, 9, 10, 10, 10, 1},
	} {
		testfile.Write(t, path, text)
		if scores, _, err := ReadSuspects(list); err != nil || !slices.Equal(scores, want) {
			t.Errorf("%q: scores %v, expected %v (%v)", text, scores, want, err)
		}
	}
}
