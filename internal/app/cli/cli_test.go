package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// The test binary is the program when this variable is set, so that tests can kill a real process.
const asProgram = "UNPOISON_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(Main(os.Args[1:]))
	}
	runtime.GOMAXPROCS(1) // packages are tested beside each other, and an engine's idle threads stay awake
	os.Exit(m.Run())
}

// call runs the command line in this process.
func call(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	a := &app{out: &o, err: &e, args: args}
	code = a.run(context.Background())
	return code, o.String(), e.String()
}

func program(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), asProgram+"=1")
	return c
}

// signFolder writes rendered signs as a folder of classes.
func signFolder(t *testing.T, train, test int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "signs")
	if err := dataset.Write("folder", dir, signs.Render(1, train, test)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tiny are settings under which a training takes about a second.
func tiny(data, out string, more ...string) []string {
	return append([]string{
		"train", "--defense", "abl", "--data", data, "--out", out, "--model", "small-cnn", "--batch", "32", "--attack", "badnets", "--target", "3",
		"--epochs-isolate", "2", "--epochs-tune", "2", "--unlearn-steps", "8", "--isolation", "0.05",
	}, more...)
}

// A recipe is laid under the flags that were given; lists of attacks stay what they were.
func TestRecipesKeepFlags(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	code, _, errs := call("train", "--defense", "abl", "--data", "signs", "--limit", "200", "--recipe", "demo", "--attack", "blend:alpha=0.3", "--attack", "badnets", "--rate", "0.05",
		"--epochs-isolate", "1", "--epochs-tune", "1", "--unlearn-steps", "5", "--out", out)
	if code != 0 {
		t.Fatal(errs)
	}
	r, err := runs.ReadResult(filepath.Join(out, runs.ResultFile))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Attacks) != 2 || r.Attacks[0].Settings.Own.(*attack.Blend).Alpha != 0.3 || r.Model != "small-cnn" || r.Epochs.Tune != 1 || r.Options.Isolation != 0.05 {
		t.Errorf("ran %+v with %+v", r.Attacks, r.Options)
	}
}

// The automatic defence through the command line: a verdict in the result, a probability for every image, a page
// that says it in words, and an exit code for pipelines.
func TestAutoSaysWhatItFound(t *testing.T) {
	const target = 7 // turn-left, in the order of folders
	trigger := fmt.Sprintf("badnets:patch_size=5,target=%d", target)
	data, out := signFolder(t, 600, 100), filepath.Join(t.TempDir(), "run")
	code, text, errs := call("train", "--data", data, "--recipe", "demo", "--attack", trigger,
		"--epochs-inspect", "0", "--content=false", "--epochs-tune", "2", "--out", out)
	if code != 0 || !strings.Contains(text, "  shortcut under turn-left: 60 of 120 images") || !strings.Contains(text, "labels were not compared") {
		t.Fatalf("%d: %s\n%s", code, text, errs)
	}
	r, err := runs.ReadResult(filepath.Join(out, runs.ResultFile))
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict == nil || r.Verdict.Removed != 60 || *r.Isolation.Recall != 1 || *r.Isolation.FPR != 0 || r.CA == nil {
		t.Errorf("the result is %+v, %+v", r.Verdict, r.Isolation)
	}
	raw := testfile.Read(t, filepath.Join(out, runs.SuspectsFile))
	if lines := strings.Split(string(raw), "\n"); !strings.Contains(lines[0], "isolated,digest,probability") || !strings.Contains(lines[1], ",true,") {
		t.Errorf("suspects begin with %q", lines[:2])
	}
	page, err := os.ReadFile(filepath.Join(out, runs.ReportFile))
	if err != nil || !strings.Contains(string(page), "carry something that other images do not") || !strings.Contains(string(page), "of turn-left&#39;s own") || !strings.Contains(string(page), "Labels were not compared with what images show.") || !strings.Contains(string(page), "unpoison attack badnets:target=7,patch_size=5") {
		t.Errorf("the page does not say so: %v", err)
	}
	planted, own := filepath.Join(t.TempDir(), "planted"), filepath.Join(t.TempDir(), "own")
	for _, args := range [][]string{
		{"attack", trigger, "--data", data, "--out", planted},
		{"attack", "apply", "--from", planted, "--data", data, "--own-labels", "--out", own},
	} {
		if code, _, errs := call(args...); code != 0 {
			t.Fatal(errs)
		}
	}
	code, text, errs = call("eval", "--model", filepath.Join(out, runs.ModelFile), "--data", own, "--json")
	var e evalResult
	if err := json.Unmarshal([]byte(text), &e); code != 0 || err != nil {
		t.Fatalf("%d, %v: %s", code, err, errs)
	}
	a := r.Attacks[0] // the signs have as many test images of each class
	if n := float64(len(e.PerClass)); a.RA == nil || a.RATarget == nil || *a.RATarget != *e.PerClass[target] || math.Abs(n*e.CA-(n-1)**a.RA-*a.RATarget) > 1e-6 {
		t.Errorf("robust accuracy %+v, by eval %+v", a, e)
	}
}

// A verdict comes with how often such verdicts were wrong, in lines that a terminal holds.
func TestVerdictsComeWithErrorRates(t *testing.T) {
	m := audit.ErrorRates{Clean: audit.CountErrors(1, 60), Poisoned: audit.CountErrors(3, 70), Families: []string{"road signs"}}
	for says, want := range map[look.Says][2]bool{look.Poisoned: {true, false}, look.NoEvidence: {false, true}, look.CantTell: {true, true}} {
		var out bytes.Buffer
		a := &app{out: &out}
		if err := a.report("run", &runs.Result{Verdict: &audit.Verdict{Says: says, Measured: &m, Calibration: &audit.Calibration{Sets: 40, P: 0.024, Unlike: []string{"1000000 images, they have 500 to 50000"}}}}); err != nil {
			t.Fatal(err)
		}
		if got := [2]bool{strings.Contains(out.String(), " 1 of 60 clean sets"), strings.Contains(out.String(), " 3 of 70 poisoned sets")}; got != want {
			t.Errorf("%s: %s", says, out.String())
		}
		for line := range strings.SplitSeq(out.String(), "\n") {
			if utf8.RuneCountInString(line) > 80 {
				t.Errorf("a line of %d characters: %s", utf8.RuneCountInString(line), line)
			}
		}
	}
}

func TestEveryCommandHasHelpWithExamples(t *testing.T) {
	a := &app{out: &bytes.Buffer{}, err: &bytes.Buffer{}}
	for _, c := range a.root().Commands() {
		if c.Name() == "version" {
			continue
		}
		commands := c.Commands()
		if len(commands) == 0 {
			commands = append(commands, c)
		}
		for _, c := range commands {
			if c.Example == "" || c.Short == "" {
				t.Errorf("%s has no example or no description", c.CommandPath())
			}
		}
	}
}

// A terminal holds the lines of every command's help, of those that only have commands, too.
func TestHelpIsNarrow(t *testing.T) {
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		_, help, _ := call(append(strings.Fields(c.CommandPath())[1:], "--help")...)
		if !strings.Contains(help, "Usage:") {
			t.Errorf("%s has no help: %s", c.CommandPath(), help)
		}
		for line := range strings.SplitSeq(help, "\n") {
			if n := utf8.RuneCountInString(line); n > 80 {
				t.Errorf("%s: help line of %d characters: %s", c.CommandPath(), n, line)
			}
		}
		for _, sub := range c.Commands() {
			look(sub)
		}
	}
	look((&app{out: &bytes.Buffer{}, err: &bytes.Buffer{}}).root())
}

func TestWholeWay(t *testing.T) {
	data := signFolder(t, 200, 40)
	dir := t.TempDir()
	poisoned := filepath.Join(dir, "poisoned")
	if code, _, errs := call("attack", "badnets", "--data", data, "--out", poisoned, "--target", "3"); code != 0 {
		t.Fatal(errs)
	}
	if code, _, errs := call("attack", "badnets", "--data", data, "--out", poisoned); code != exitFailed || !strings.Contains(errs, "not empty") {
		t.Errorf("writing over a data set: %d, %s", code, errs)
	}
	run := filepath.Join(dir, "run")
	code, out, errs := call("train", "--defense", "abl", "--data", poisoned, "--out", run, "--model", "small-cnn", "--batch", "32",
		"--epochs-isolate", "2", "--epochs-tune", "2", "--unlearn-steps", "8", "--isolation", "0.05", "--json")
	if code != 0 {
		t.Fatal(errs)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, l := range lines {
		if !json.Valid([]byte(l)) {
			t.Errorf("not JSON: %s", l)
		}
	}
	var r runs.Result
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		t.Fatal(err)
	}
	if r.CA == nil || r.ASR != nil || r.Isolation == nil || r.Isolation.Precision != nil {
		t.Errorf("the defender was not told of the attack, and yet the result knows it: %+v", r)
	}
	for _, f := range []string{runs.ModelFile, runs.ResultFile, runs.LogFile, runs.SuspectsFile, runs.ReportFile} {
		if _, err := os.Stat(filepath.Join(run, f)); err != nil {
			t.Error(err)
		}
	}
	model := filepath.Join(run, runs.ModelFile)
	code, out, errs = call("eval", "--model", model, "--data", poisoned, "--triggered", filepath.Join(poisoned, "triggered"), "--json")
	if code != 0 {
		t.Fatal(errs)
	}
	var e evalResult
	if err := json.Unmarshal([]byte(out), &e); err != nil || e.ASR == nil || len(e.PerClass) != 10 {
		t.Errorf("%v: %s", err, out)
	}
	if e.CA != *r.CA {
		t.Errorf("eval finds %g %%, train found %g %%", e.CA, *r.CA)
	}
	repairs(t, data, poisoned, dir)
	filters(t, poisoned, dir)
	image := filepath.Join("..", "..", "..", "dataset", "testdata", "odd", "exif6.jpg")
	if code, out, errs := call("predict", "--model", model, image, "--json"); code != 0 || strings.Count(out, "probability") != 3 {
		t.Errorf("predict: %d, %s%s", code, out, errs)
	}
	if code, _, errs := call("export", "--model", model, "--out", filepath.Join(dir, "model.onnx")); code != 0 {
		t.Error(errs)
	}
	if code, _, errs := call("predict", "--model", model, "nothing.png"); code != exitFailed || !strings.Contains(errs, "nothing.png") {
		t.Errorf("predict without the file: %d, %s", code, errs)
	}
	again := filepath.Join(dir, "again")
	if code, _, errs := call("attack", "apply", "--from", poisoned, "--data", data, "--out", again); code != 0 {
		t.Error(errs)
	}
	if code, out, errs := call("eval", "--model", model, "--data", poisoned, "--triggered", again, "--json"); code != 0 || !strings.Contains(out, fmt.Sprint(*e.ASR)) {
		t.Errorf("the trigger applied again gives another attack success: %s%s", out, errs)
	}
	if code, _, errs := call("train", "--data", poisoned, "--out", run); code != exitFailed || !strings.Contains(errs, "--resume") {
		t.Errorf("training over a run: %d, %s", code, errs)
	}
	if code, _, errs := call("data", "info", poisoned, "--json"); code != 0 {
		t.Error(errs)
	}
	code, _, errs = call("audit", "--data", poisoned, "--out", filepath.Join(dir, "audit"), "--model", "small-cnn", "--batch", "32",
		"--epochs-inspect", "0", "--content=false")
	if code != 0 {
		t.Errorf("audit: %d, %s", code, errs)
	}
	if _, err := os.Stat(filepath.Join(dir, "audit", runs.ModelFile)); err == nil {
		t.Error("an audit leaves a model")
	}
}

// repairs tries what changes the model of the run in a folder.
func repairs(t *testing.T, data, poisoned, dir string) {
	t.Helper()
	run := filepath.Join(dir, "run")
	model := filepath.Join(run, runs.ModelFile)
	clean := filepath.Join(dir, "clean")
	if code, _, errs := call("unlearn", "--model", model, "--suspects", filepath.Join(run, runs.SuspectsFile), "--data", poisoned, "--out", clean, "--steps", "8"); code != 0 {
		t.Fatal(errs)
	}
	for name, args := range map[string][]string{
		"tuned":    {"unlearn", "--method", "ft-last", "--tune-epochs", "1", "--suspects", filepath.Join(run, runs.SuspectsFile), "--data", poisoned},
		"repaired": {"repair", "--method", "fp", "--epochs", "1", "--clean", data, "--share", "0.5"},
	} {
		to := filepath.Join(dir, name)
		if code, _, errs := call(append(args, "--model", model, "--out", to)...); code != 0 {
			t.Fatal(errs)
		}
		if code, _, errs := call("eval", "--model", filepath.Join(to, runs.ModelFile), "--data", data); code != 0 {
			t.Error(errs)
		}
	}
	if code, _, errs := call("unlearn", "--method", "magic", "--model", model, "--suspects", "x", "--data", data, "--out", "y"); code != exitUsage || !strings.Contains(errs, "ft-last") {
		t.Errorf("an unknown method: %d, %s", code, errs)
	}
}

// filters leaves out the suspects of the run in a folder.
func filters(t *testing.T, poisoned, dir string) {
	t.Helper()
	run := filepath.Join(dir, "run")
	decisions := filepath.Join(dir, "decisions.csv")
	first := firstClass(t, poisoned)
	testfile.Write(t, decisions, "source,decision\ntrain/"+first+"/000000.png,drop\n")
	filtered := filepath.Join(dir, "filtered")
	if code, _, errs := call("data", "filter", "--data", poisoned, "--suspects", filepath.Join(run, runs.SuspectsFile), "--decisions", decisions, "--out", filtered, "--list", filepath.Join(dir, "kept.csv")); code != 0 {
		t.Fatal(errs)
	}
	before, after := files(t, filepath.Join(poisoned, "train")), files(t, filepath.Join(filtered, "train"))
	if want := len(before) - 10; len(after) < want-1 || len(after) > want+1 { // 5 % of 200, and two decisions
		t.Errorf("%d of %d files are left", len(after), len(before))
	}
	for name, raw := range after {
		if !bytes.Equal(raw, before[name]) {
			t.Errorf("%s was changed", name)
		}
	}
}

// firstClass returns the class folder that holds image 0.
func firstClass(t *testing.T, data string) string {
	t.Helper()
	m, err := filepath.Glob(filepath.Join(data, "train", "*", "000000.png"))
	if err != nil || len(m) != 1 {
		t.Fatal(m, err)
	}
	return filepath.Base(filepath.Dir(m[0]))
}

// files reads all files below a folder.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		all[rel], err = os.ReadFile(p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// same fails unless the two runs left the same bytes.
func same(t *testing.T, a, b string) {
	t.Helper()
	for _, f := range []string{runs.ModelFile, runs.SuspectsFile, runs.LogFile} {
		x := testfile.Read(t, filepath.Join(a, f))
		y := testfile.Read(t, filepath.Join(b, f))
		if !bytes.Equal(x, y) {
			t.Errorf("%s differs between %s and %s", f, filepath.Base(a), filepath.Base(b))
		}
	}
}
