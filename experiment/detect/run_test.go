package detect

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/backend/cpu"
	published "github.com/unpoison/unpoison/detect"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

const tried = "signs-3000-badnets-2"

func tiny(t *testing.T, folder string) *Runner {
	t.Helper()
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	return &Runner{
		Folder: folder, Backend: b, Only: tried, Quick: true, Detectors: []string{Ours, "spectral", "isolation", "scan"}, Say: t.Logf, most: 160,
	}
}

// scores returns the results of a folder without what a clock says, and the files of scores.
func scores(t *testing.T, folder string) ([]Score, map[string][]byte) {
	t.Helper()
	res, err := Read(ResultsFile(folder, "", true))
	if err != nil {
		t.Fatal(err)
	}
	var all []Score
	for _, v := range res.Scores() {
		c := *v
		c.Seconds = 0
		all = append(all, c)
	}
	files := map[string][]byte{}
	paths, err := filepath.Glob(filepath.Join(folder, "made", "*", "*.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		raw := testfile.Read(t, p)
		rel, _ := filepath.Rel(folder, p)
		files[rel] = raw
	}
	return all, files
}

// A cell that is stopped in its trainings ends in the same scores, to the byte, as one that is not; what is finished is not
// computed again.
func TestCellGoesOnAfterAStop(t *testing.T) {
	whole, broken := t.TempDir(), t.TempDir()
	if err := tiny(t, whole).Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, steps := range []int{3, 12} {
		ctx, stop := context.WithCancel(context.Background())
		r := tiny(t, broken)
		r.Watch = func(e runs.Event) {
			if e.Event == "progress" {
				if steps--; steps == 0 {
					stop()
				}
			}
		}
		if err := r.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped: %v", err)
		}
		stop()
	}
	// What a killed program may leave of the line that it wrote.
	path := ResultsFile(broken, "", true)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString(`{"set":{"name":"` + tried)
	_ = f.Close()
	if err := tiny(t, broken).Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	a, filesA := scores(t, whole)
	b, filesB := scores(t, broken)
	if len(a) != 4 || !reflect.DeepEqual(a, b) {
		t.Errorf("scores differ:\n%+v\n%+v", a, b)
	}
	if len(filesA) != len(filesB) || len(filesA) < 5 {
		t.Errorf("%d and %d files", len(filesA), len(filesB))
	}
	for name, raw := range filesA {
		if !bytes.Equal(raw, filesB[name]) {
			t.Errorf("%s differs", name)
		}
	}
	again := tiny(t, broken)
	again.Watch = func(e runs.Event) { t.Errorf("computed again: %+v", e) }
	if err := again.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	res, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	tables := res.Tables()
	if tables[0].Title != "Detectors" || len(tables[0].Rows) != 4 || len(tables[1].Rows) == 0 {
		t.Errorf("tables begin with %+v", tables[:2])
	}
}

func TestRunnerRefusesNames(t *testing.T) {
	for want, change := range map[string]func(r *Runner){
		"no detector": func(r *Runner) { r.Detectors = []string{"x"} },
		"no family":   func(r *Runner) { r.Families = map[string]string{"x": "y"} },
		"no set":      func(r *Runner) { r.Only = "x" },
		`"scan"`:      func(r *Runner) { r.More = []published.Detector{&counts{name: "scan"}} },
		`"a/b"`:       func(r *Runner) { r.More = []published.Detector{&counts{name: "a/b"}} },
		`""`:          func(r *Runner) { r.More = []published.Detector{&counts{}} },
	} {
		r := tiny(t, t.TempDir())
		change(r)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, expected %s", err, want)
		}
	}
}

// Sets of families that are not given are left out, and that is said.
func TestSetsWithoutImagesAreLeftOut(t *testing.T) {
	said := ""
	r := tiny(t, t.TempDir())
	r.Only, r.Say = "mnist-10000-clean", func(format string, args ...any) { said += format + " " }
	if err := r.Run(context.Background()); err != nil || !strings.Contains(said, "left out") {
		t.Errorf("%v; said %q", err, said)
	}
}

// Networks are trained without what was flagged for a score that has none yet, and once.
func TestTrainsWithoutWhatWasFlagged(t *testing.T) {
	r := tiny(t, t.TempDir())
	r.Detectors = []string{"isolation"}
	score := func() *Score {
		if err := r.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		res, err := Read(ResultsFile(r.Folder, "", true))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(res.Tables()[4].Rows); (n > 0) != r.Retrain {
			t.Errorf("%d rows of networks trained without what was flagged", n)
		}
		return res.Scores()[0]
	}
	if v := score(); v.Without != nil || v.ASR == nil {
		t.Errorf("without being asked: %+v, ASR %v", v.Without, v.ASR)
	}
	r.Retrain = true
	v := score()
	if v.Without == nil || v.Without.CA == nil || v.Without.ASR == nil || *v.Without.CA <= 0 || *v.Without.CA > 100 {
		t.Fatalf("trained without %d images: %+v", v.Flagged, v.Without)
	}
	r.Watch = func(e runs.Event) { t.Errorf("computed again: %+v", e) }
	score()
}

// Scores of a set are of the same images: those of others don't stand beside them, and are measured again with what is missing. The
// commands of scores repeat them.
func TestScoresOfASetAreOfTheSameImages(t *testing.T) {
	r := tiny(t, t.TempDir())
	run := func(detectors ...string) []*Score {
		r.Detectors = detectors
		if err := r.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		res, err := Read(ResultsFile(r.Folder, "", true))
		if err != nil {
			t.Fatal(err)
		}
		return res.Scores()
	}
	first := run("spectral", "activation-clustering")
	if want := "unpoison experiment detect --detectors spectral --only " + tried + " --scale quick"; len(first) != 2 || first[0].Command != want {
		t.Fatalf("%d scores, the first by %s, expected %s", len(first), first[0].Command, want)
	}
	path := ResultsFile(r.Folder, "", true)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(raw, []byte(first[0].Digest), []byte("sha256:other")), 0o600); err != nil {
		t.Fatal(err)
	}
	again := run("spectral", "isolation")
	if len(again) != 2 || again[0].Digest != first[0].Digest || again[1].Digest != first[0].Digest {
		t.Errorf("%d scores: %+v", len(again), again)
	}
}

// brightness is a detector of one's own.
type brightness struct{}

func (brightness) Name() string          { return "brightness" }
func (brightness) Paper() string         { return "an example" }
func (brightness) Needs() published.Need { return 0 }

func (brightness) Detect(_ context.Context, in *published.Input) (*published.Output, error) {
	out := &published.Output{Scores: make([]float64, in.Data.Len()), Flagged: make([]bool, in.Data.Len())}
	for i := range out.Scores {
		for _, v := range in.Data.Image(i) {
			out.Scores[i] += float64(v)
		}
	}
	return out, nil
}

// A detector of one's own is measured and stands in the tables, after the published ones.
func TestMeasuresADetectorOfOnesOwn(t *testing.T) {
	r := tiny(t, t.TempDir())
	r.More, r.Detectors = []published.Detector{brightness{}}, []string{"brightness", "spectral"}
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	res, err := Read(ResultsFile(r.Folder, "", true))
	if err != nil {
		t.Fatal(err)
	}
	if rows := res.Tables()[0].Rows; len(rows) != 2 || rows[0][0] != "spectral" || rows[1][0] != "brightness" {
		t.Errorf("detectors %v", rows)
	}
}
