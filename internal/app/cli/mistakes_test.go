package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

func signClasses() []string { return signs.Render(1, 1, 1).Train.Classes }

// A poisoned copy of the data in place of its triggered images would give the clean accuracy as the attack success rate.
func TestAPoisonedCopyIsNoTriggeredImages(t *testing.T) {
	dir := t.TempDir()
	data, poisoned := signFolder(t, 60, 20), filepath.Join(dir, "poisoned")
	if code, _, errs := call("attack", "badnets", "--rate", "0.2", "--data", data, "--out", poisoned); code != exitDone {
		t.Fatalf("attack exits with %d: %s", code, errs)
	}
	model := newModel(t, 32, signClasses()...)
	for _, spec := range []string{poisoned, "folder:" + poisoned, poisoned + "/"} {
		code, out, errs := call("eval", "--model", model, "--data", data, "--triggered", spec)
		if code != exitFailed || out != "" || !strings.Contains(errs, "give --triggered "+filepath.Join(poisoned, "triggered")) {
			t.Errorf("--triggered %s: %d, %s%s", spec, code, out, errs)
		}
	}
	if code, out, errs := call("eval", "--model", model, "--data", data, "--triggered", filepath.Join(poisoned, "triggered")); code != exitDone || !strings.Contains(out, "attack success rate") {
		t.Errorf("the triggered images: %d, %s%s", code, out, errs)
	}
	apply := []string{"attack", "apply", "--from", poisoned, "--data", data}
	if code, _, errs := call(append(apply, "--out", filepath.Join(dir, "more"))...); code != exitDone {
		t.Fatalf("attack apply exits with %d: %s", code, errs)
	}
	if code, out, errs := call("eval", "--model", model, "--data", data, "--triggered", filepath.Join(dir, "more")); code != exitDone || !strings.Contains(out, "attack success rate") {
		t.Errorf("what attack apply wrote: %d, %s%s", code, out, errs)
	}
}

// A folder of images beside one of their boxes is no two classes.
func TestOneClassIsRefused(t *testing.T) {
	data := t.TempDir()
	if err := os.CopyFS(filepath.Join(data, "images"), os.DirFS(filepath.Join(signFolder(t, 60, 20), "train", "yield"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(data, "labels"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"audit", "train"} {
		code, _, errs := call(command, "--data", data, "--out", filepath.Join(t.TempDir(), "out"))
		if code != exitFailed || !strings.Contains(errs, `at least two classes, found those of "images" alone`) {
			t.Errorf("%s: %d, %s", command, code, errs)
		}
	}
}

// Data are read at the size of the model's images: another --size would be passed over.
func TestAnotherSizeThanTheModelsIsRefused(t *testing.T) {
	data, out := signFolder(t, 60, 20), filepath.Join(t.TempDir(), "out")
	model, list := newModel(t, 32, signClasses()...), filepath.Join(t.TempDir(), "suspects.csv")
	testfile.Write(t, list, "source\n")
	for _, args := range [][]string{
		{"eval", "--model", model, "--data", data},
		{"repair", "--method", "fp", "--model", model, "--clean", data, "--out", out},
		{"unlearn", "--suspects", list, "--model", model, "--data", data, "--out", out},
	} {
		code, _, errs := call(append(args, "--size", "48")...)
		if code != exitUsage || !strings.Contains(errs, "--size 48: the model takes images of 32×32") {
			t.Errorf("%v: %d, %s", args, code, errs)
		}
	}
	if code, _, errs := call("eval", "--model", model, "--data", data, "--size", "32"); code != exitDone {
		t.Errorf("--size 32: %d, %s", code, errs)
	}
}

// Where nothing can be written a command says so before it reads or learns anything.
func TestOutputsOfTheWrongKindAreRefusedFirst(t *testing.T) {
	dir := t.TempDir()
	data, file, folder := filepath.Join(dir, "no-such-data"), filepath.Join(dir, "file"), filepath.Join(dir, "folder.npy")
	onnx := filepath.Join(dir, "folder.onnx")
	testfile.Write(t, file, "")
	for _, path := range []string{folder, onnx} {
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, out := range []string{file, filepath.Join(file, "in", "it")} {
		for _, args := range [][]string{
			{"train", "--data", data},
			{"audit", "--data", data},
			{"attack", "dynamic", "--data", data},
			{"attack", "apply", "--from", "x", "--data", data},
			{"data", "filter", "--data", data, "--suspects", "x"},
			{"unlearn", "--data", data, "--model", "x", "--suspects", "x"},
			{"repair", "--clean", data, "--model", "x", "--method", "fp"},
			{"experiment", "paper", "gtsrb", "--gtsrb", data},
			{"demo"},
		} {
			if code, _, errs := call(append(args, "--out", out)...); code != exitFailed || !strings.Contains(errs, file) || !strings.Contains(errs, "choose another --out") {
				t.Errorf("%v --out %s: %d, %s", args, out, code, errs)
			}
		}
	}
	for _, args := range [][]string{
		{"features", "--data", data, "--backbone", "x.onnx", "--out", folder},
		{"export", "--model", "x", "--out", onnx},
		{"data", "filter", "--data", data, "--suspects", "x", "--list", folder},
	} {
		if code, _, errs := call(args...); code != exitFailed || !strings.Contains(errs, "expected a file, found a folder; choose another --") {
			t.Errorf("%v: %d, %s", args, code, errs)
		}
	}
	if code, _, errs := call("attack", "dynamic", "--data", dir, "--out", t.TempDir(), "--cache", filepath.Join(dir, "cache")); code != exitFailed || !strings.Contains(errs, "lies in the data") {
		t.Errorf("a cache in the data: %d, %s", code, errs)
	}
}

// A list that is read is not written over, and none is written into the data.
func TestFilterKeepsTheListsThatItReads(t *testing.T) {
	data, dir := signFolder(t, 20, 10), t.TempDir()
	suspects, decisions, out := filepath.Join(dir, "suspects.csv"), filepath.Join(dir, "decisions.csv"), filepath.Join(dir, "out")
	first := "train/" + firstClass(t, data) + "/000000.png"
	mine := "source,isolated,decision\n" + first + ",true,drop\n"
	link := filepath.Join(dir, "link.csv")
	for _, path := range []string{suspects, decisions, out + ".corrected.csv"} {
		testfile.Write(t, path, mine)
	}
	if err := os.Symlink(suspects, link); err != nil {
		t.Skip(err)
	}
	args := []string{"data", "filter", "--data", data, "--decisions", decisions}
	for _, more := range [][]string{
		{"--suspects", suspects, "--list", suspects},
		{"--suspects", suspects, "--list", decisions},
		{"--suspects", link, "--list", suspects},
		{"--suspects", out + ".corrected.csv", "--out", out, "--correct"},
	} {
		if code, _, errs := call(append(args, more...)...); code != exitFailed || !strings.Contains(errs, "would be written over: it is read too") {
			t.Errorf("%v: %d, %s", more, code, errs)
		}
	}
	for _, path := range []string{suspects, decisions, out + ".corrected.csv"} {
		if raw, err := os.ReadFile(path); err != nil || string(raw) != mine {
			t.Errorf("%s was changed: %q, %v", path, raw, err)
		}
	}
	if code, _, errs := call(append(args, "--suspects", suspects, "--out", out, "--list", filepath.Join(out, "kept.csv"))...); code != exitFailed || !strings.Contains(errs, "which holds data; choose another --list") {
		t.Errorf("a list in the data: %d, %s", code, errs)
	}
	if code, _, errs := call(append(args, "--suspects", suspects, "--out", out, "--list", filepath.Join(dir, "kept.csv"))...); code != exitDone {
		t.Errorf("%d, %s", code, errs)
	}
}

// A training may start from a network for other classes, without its last layer, and not from weights that are not there.
func TestInitOfOtherClasses(t *testing.T) {
	data, out := signFolder(t, 80, 20), filepath.Join(t.TempDir(), "run")
	model := newModel(t, 32, "a", "b")
	args := []string{"train", "--data", data, "--init", model, "--model", "small-cnn", "--defense", "none", "--epochs-tune", "1", "--out", out}
	code, _, errs := call(args...)
	if _, err := os.Stat(out); code != exitDone || !strings.Contains(errs, "knows other classes than "+data+": its last layer begins afresh") || err != nil {
		t.Errorf("%d, %s; %v", code, errs, err)
	}
	if code, _, errs := call(append(args, "--weights", "ema")...); code != exitFailed || !strings.Contains(errs, `only PyTorch checkpoints have several sets of weights, there is no "ema"`) {
		t.Errorf("weights of a safetensors file: %d, %s", code, errs)
	}
	if code, _, errs := call("train", "--data", data, "--out", out, "--weights", "ema"); code != exitUsage {
		t.Errorf("weights of no file: %d, %s", code, errs)
	}
}

// served is the output of what serves until it is told to stop, as it is once it says where.
type served struct {
	bytes.Buffer
	stop func()
}

func (s *served) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(`"url"`)) {
		s.stop()
	}
	return s.Buffer.Write(p)
}

// With --json standard output holds lines of JSON and nothing else, and files that are asked for are written all the same.
func TestJSONIsAllThatIsPrinted(t *testing.T) {
	dir := t.TempDir()
	data, poisoned, audit := signFolder(t, 80, 20), filepath.Join(dir, "poisoned"), filepath.Join(dir, "audit")
	for _, args := range [][]string{
		{"attack", "badnets", "--data", data, "--out", poisoned},
		{"audit", "--data", data, "--out", audit, "--epochs-inspect", "0", "--content=false"},
		{"attack", "list"},
		{"attack", "apply", "--from", poisoned, "--data", data, "--out", filepath.Join(dir, "more")},
		{"data", "info", data},
		{"version"},
		{"review", audit},
	} {
		ctx, stop := context.WithCancel(t.Context())
		out, errs := served{stop: stop}, bytes.Buffer{}
		code := (&app{out: &out, err: &errs, args: append(args, "--json")}).run(ctx)
		stop()
		if code != exitDone || out.Len() == 0 {
			t.Errorf("%v: %d, %s%s", args, code, &out, &errs)
		}
		for line := range bytes.Lines(out.Bytes()) {
			if !json.Valid(line) {
				t.Errorf("%v prints %s", args, line)
			}
		}
	}
	results, tables := filepath.Join("..", "..", "..", "results", "detect"), filepath.Join(dir, "detect.md")
	code, _, errs := call("experiment", "detect", "table", "--out", results, "--markdown", tables, "--json")
	if text, err := os.ReadFile(tables); code != exitDone || err != nil || !strings.Contains(string(text), "# Detectors, measured") {
		t.Errorf("experiment detect table: %d, %s%v", code, errs, err)
	}
}

// Commands that a run leads to read the data as it did: with the same columns, root and depth, and of a part the same part.
func TestReviewsReadTheDataAsTheRunDid(t *testing.T) {
	dir := t.TempDir()
	images, data, run := signFolder(t, 90, 10), filepath.Join(dir, "data"), filepath.Join(dir, "run")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	table.WriteString("path,label,kind\n")
	files, err := filepath.Glob(filepath.Join(images, "train", "*", "*.png"))
	if err != nil || len(files) != 90 {
		t.Fatal(files, err)
	}
	for k, file := range files {
		class := filepath.Base(filepath.Dir(file))
		fmt.Fprintf(&table, "%s/%s,%d,%s\n", class, filepath.Base(file), k%3, class)
	}
	table.WriteString("yield/none.png,0,yield\n")
	testfile.Write(t, filepath.Join(data, "train.csv"), table.Bytes())
	code, _, errs := call("audit", "--data", data, "--label", "kind", "--root", filepath.Join(images, "train"), "--skip-bad", "--limit", "80", "--seed", "3",
		"--epochs-inspect", "0", "--content=false", "--out", run)
	if code != exitDone {
		t.Fatalf("%d, %s", code, errs)
	}
	page, err := os.ReadFile(filepath.Join(run, "report.html"))
	if want := "--label=kind"; err != nil || !bytes.Contains(page, []byte(want)) || bytes.Contains(page, []byte("--limit=")) {
		t.Errorf("the report's commands lack %s, or have a limit: %v", want, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, said := served{stop: stop}, bytes.Buffer{}
	if code := (&app{out: &out, err: &said, args: []string{"review", run, "--json"}}).run(ctx); code != exitDone {
		t.Fatalf("%d, %s", code, &said)
	}
	var last struct{ Command string }
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil {
		t.Fatal(err)
	}
	args := strings.Fields(last.Command)[1:]
	args[len(args)-1] = filepath.Join(dir, "clean")
	if code, _, errs := call(append(args, "--list", filepath.Join(dir, "kept.csv"))...); code != exitDone {
		t.Errorf("%q: %d, %s", args, code, errs)
	}
}

// A file that is no model, or a folder without an attack, is named with what was expected.
func TestOtherFilesThanModels(t *testing.T) {
	dir := t.TempDir()
	onnx, text, progress := filepath.Join(dir, "m.onnx"), filepath.Join(dir, "notes.txt"), filepath.Join(dir, "checkpoint.safetensors")
	if code, _, errs := call("export", "--model", newModel(t, 32, "a", "b"), "--out", onnx); code != exitDone {
		t.Fatal(errs)
	}
	testfile.Write(t, text, "my model is the best of all\n")
	if err := checkpoint.WriteArrays(progress, map[string]checkpoint.Array{"x": {Dims: []int{1}, Data: []float32{1}}}, map[string]string{"progress": "{}"}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		onnx: "ONNX is written, and not read: give the model.safetensors", text: "expected a safetensors file or a PyTorch checkpoint", progress: "found the progress of a training",
	} {
		if code, _, errs := call("predict", "--model", path, "x.png"); code != exitFailed || !strings.Contains(errs, path+": ") || !strings.Contains(errs, want) {
			t.Errorf("%d, %s", code, errs)
		}
	}
	if code, _, errs := call("attack", "apply", "--from", dir, "--data", "no-such-data", "--out", filepath.Join(dir, "out")); code != exitFailed || !strings.Contains(errs, "--from "+dir+": expected a folder that unpoison attack wrote") {
		t.Errorf("%d, %s", code, errs)
	}
}

// A --limit of training images is refused where test images are taken.
func TestALimitOfTestImagesIsRefused(t *testing.T) {
	dir := t.TempDir()
	data, poisoned := signFolder(t, 60, 20), filepath.Join(dir, "poisoned")
	if code, _, errs := call("attack", "badnets", "--rate", "0.2", "--data", data, "--out", poisoned); code != exitDone {
		t.Fatal(errs)
	}
	model := newModel(t, 32, signClasses()...)
	for _, args := range [][]string{
		{"eval", "--model", model, "--data", data},
		{"attack", "apply", "--from", poisoned, "--data", data, "--out", filepath.Join(dir, "more")},
	} {
		if code, out, errs := call(append(args, "--limit", "10")...); code != exitUsage || !strings.Contains(errs, "--limit 10 is of training images, and the 20 test images are taken") {
			t.Errorf("%v: %d, %s%s", args, code, out, errs)
		}
	}
	if err := os.RemoveAll(filepath.Join(data, "test")); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := call("eval", "--model", model, "--data", data, "--limit", "50"); code != exitDone {
		t.Errorf("of training images: %d, %s", code, errs)
	}
}

// The command that a run keeps can be pasted: a shell takes it apart into the words that were given.
func TestCommandsCanBePasted(t *testing.T) {
	args := []string{"audit", "--data", "a (copy)/it's#1;x", "--out", "b&c", "--label", "", "*", "new\nline", "`id`", "plain:DIR"}
	line := (&app{args: args}).command()
	out, err := exec.Command("sh", "-c", `set -f; eval "set -- $1"; shift; printf '%s|' "$@"`, "sh", line).Output()
	if err != nil {
		t.Skip(err)
	}
	if got := strings.Split(strings.TrimSuffix(string(out), "|"), "|"); !slices.Equal(got, args) {
		t.Errorf("%s is %q, expected %q", line, got, args)
	}
}
