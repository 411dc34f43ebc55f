package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/repair"
)

// Success on triggered images is what the attack beside them says it is.
func TestSuccessOfTriggeredImages(t *testing.T) {
	classes := []string{"cat", "dog", "owl"}
	one, two := &dataset.Set{Classes: classes, Labels: []int32{1, 1}}, &dataset.Set{Classes: classes, Labels: []int32{0, 2}}
	for text, want := range map[string]float64{
		`{"name":"badnets","target":1}`: 30, `{"name":"badnets","random_labels":true}`: 70, "": 30,
	} {
		dir := t.TempDir()
		if text != "" {
			testfile.Write(t, filepath.Join(dir, "attack.json"), text)
		}
		for _, triggered := range []string{dir, filepath.Join(dir, "triggered"), filepath.Join(dir, "triggered") + "/", "folder:" + filepath.Join(dir, "triggered")} {
			if _, of, err := wanted(triggered, triggered, one); err != nil || of(30) != want {
				t.Errorf("%q, %s: expected %g: %v", text, triggered, want, err)
			}
		}
		_, of, err := wanted(dir, dir, two)
		if random := strings.Contains(text, "random"); (err == nil) != random || random && of(30) != want || !random && !strings.Contains(err.Error(), "under 2 labels") {
			t.Errorf("%q, several labels: %v", text, err)
		}
	}
	dir := t.TempDir()
	testfile.Write(t, filepath.Join(dir, "attack.json"), "{")
	if _, _, err := wanted(dir, dir, one); err == nil {
		t.Error("a damaged attack.json was taken")
	}
}

// A class of which there is no test image has no accuracy, which is not an accuracy of 0.
func TestClassesWithoutTestImages(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(data, os.DirFS(filepath.Join("..", "..", "..", "dataset", "testdata", "folder"))); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(data, "test", "dog")); err != nil {
		t.Fatal(err)
	}
	args := []string{"eval", "--model", newModel(t, 32, "cat", "dog"), "--data", data}
	code, text, errs := call(args...)
	if code != exitDone || !strings.Contains(text, "dog                 –, no images") || !strings.Contains(text, "cat ") {
		t.Errorf("%d, %s%s", code, text, errs)
	}
	if code, text, errs = call(append(args, "--json")...); code != exitDone || !strings.Contains(text, ",null]") {
		t.Errorf("%d, %s%s", code, text, errs)
	}
}

// plainModel writes a model as other programs do, without the size of its images; weights are multiplied.
func plainModel(t *testing.T, side, classes int, by float32) string {
	t.Helper()
	n, err := model.New("small-cnn", classes, side, side)
	if err != nil {
		t.Fatal(err)
	}
	arrays := map[string]checkpoint.Array{}
	for _, p := range n.Init(7) {
		dims, data := p.PyTorch()
		for i := range data {
			data[i] *= by
		}
		arrays[p.Name] = checkpoint.Array{Dims: dims, Data: data}
	}
	path := filepath.Join(t.TempDir(), "plain.safetensors")
	if err := checkpoint.WriteArrays(path, arrays, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

// A network made elsewhere normalises its images as --normalize says, and what is made of it keeps that. One of unpoison's own is not asked.
func TestNormalizeOfNetworksMadeElsewhere(t *testing.T) {
	data, plain := filepath.Join("..", "..", "..", "dataset", "testdata", "folder"), plainModel(t, 32, 2, 1)
	code, _, errs := call("eval", "--model", plain, "--data", data, "--size", "32")
	if code != exitDone || !strings.Contains(errs, "gets RGB from 0 to 1, without mean and deviation; --normalize imagenet") {
		t.Errorf("%d: %s", code, errs)
	}
	loss := func(args ...string) float64 {
		var r evalResult
		code, text, errs := call(append([]string{"eval", "--data", data, "--json"}, args...)...)
		if err := json.Unmarshal([]byte(text), &r); code != exitDone || err != nil || strings.Contains(errs, "without mean") {
			t.Fatalf("%d: %s", code, errs)
		}
		return r.Loss
	}
	none, other := loss("--model", plain, "--size", "32", "--normalize", "none"), loss("--model", plain, "--size", "32", "--normalize", "imagenet")
	if none == other {
		t.Errorf("the loss is %g either way", none)
	}
	out := filepath.Join(t.TempDir(), "out")
	args := []string{"repair", "--method", "fp", "--epochs", "1", "--rate", "1e-9", "--clean", data, "--model", plain, "--size", "32", "--normalize", "imagenet", "--out", out}
	if code, _, errs := call(args...); code != exitDone {
		t.Fatal(errs)
	}
	own := filepath.Join(out, "model.safetensors")
	if _, _, info, err := checkpoint.Load(own); err != nil || info.Normalize == nil || info.Normalize.Mean[0] != 0.485 {
		t.Errorf("%+v, %v", info, err)
	}
	loss("--model", own)
	for _, args := range [][]string{{"--model", own, "--normalize", "imagenet"}, {"--model", plain, "--normalize", "0.5"}} {
		if code, _, errs := call(append([]string{"eval", "--data", data}, args...)...); code != exitUsage || !strings.Contains(errs, "--normalize") {
			t.Errorf("%v: %d, %s", args, code, errs)
		}
	}
}

// A model that does not say the size of its images is for those of --size; one that says it is for no others.
func TestSizesOfModelsWithoutThem(t *testing.T) {
	dir, data := t.TempDir(), filepath.Join("..", "..", "..", "dataset", "testdata", "folder")
	image := filepath.Join(dir, "x.png")
	raw, err := os.ReadFile(first(t, filepath.Join(data, "test", "cat", "*")))
	if err == nil {
		err = os.WriteFile(image, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	plain, says := plainModel(t, 16, 2, 1), newModel(t, 32, "cat", "dog")
	for k, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"eval", "--model", plain, "--data", data, "--size", "16"}, exitDone, "16×16 RGB"},
		{[]string{"eval", "--model", plain, "--data", data}, exitDone, "taken for 32×32 pixels, as usual with small-cnn; --size N takes others"},
		{[]string{"eval", "--model", says, "--data", data, "--size", "16"}, exitUsage, "leave out --size"},
		{[]string{"predict", "--model", plain, "--size", "16", image}, exitDone, "x.png"},
		{[]string{"predict", "--model", plain, "--size", "4", image}, exitFailed, "--size 4: images of 4×4 pixels, width × height, are too small"},
		{[]string{"predict", "--model", says, "--size", "16", image}, exitUsage, "takes images of 32×32 pixels"},
		{[]string{"export", "--model", plain, "--size", "16", "--out", filepath.Join(dir, "m.onnx")}, exitDone, "images of 16×16"},
	} {
		if code, out, errs := call(c.args...); code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("%d: %d, %s%s", k, code, out, errs)
		}
	}
}

// What is no number is no result.
func TestModelsThatComputeNoNumbers(t *testing.T) {
	data, huge := filepath.Join("..", "..", "..", "dataset", "testdata", "folder"), plainModel(t, 32, 2, 1e30)
	suspects := filepath.Join(t.TempDir(), "suspects.csv")
	testfile.Write(t, suspects, "index,isolated\n0,true\n")
	for _, args := range [][]string{
		{"eval", "--model", huge, "--data", data},
		{"predict", "--model", huge, first(t, filepath.Join(data, "test", "cat", "*"))},
		{"repair", "--model", huge, "--clean", data, "--method", "fp", "--out", filepath.Join(t.TempDir(), "out")},
		{"unlearn", "--model", huge, "--data", data, "--suspects", suspects, "--by-index", "--out", filepath.Join(t.TempDir(), "out")},
	} {
		for _, more := range []string{"--threads=1", "--json"} {
			if code, out, errs := call(append(args, more)...); code != exitFailed || out != "" || !strings.Contains(errs, "no number, or infinite") {
				t.Errorf("%v: %d, %s%s", args, code, out, errs)
			}
		}
	}
	negative := plainModel(t, 32, 2, -1)
	if code, _, errs := call("export", "--model", negative, "--out", filepath.Join(t.TempDir(), "m.onnx")); code != exitFailed || !strings.Contains(errs, "a variance is not negative") {
		t.Errorf("%d, %s", code, errs)
	}
}

// first is the first of the files that match.
func first(t *testing.T, pattern string) string {
	t.Helper()
	all, err := filepath.Glob(pattern)
	if err != nil || len(all) == 0 {
		t.Fatal(pattern, err)
	}
	return all[0]
}

// suspected writes data of 140 signs, and a list of those of them that are suspects.
func suspected(t *testing.T, isolated func(i int, label int32) bool) (data string, d *dataset.Data, list string) {
	t.Helper()
	data = signFolder(t, 140, 10)
	d, err := dataset.Load(t.Context(), data, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows := "index,isolated\n"
	for i, l := range d.Train.Labels {
		rows += fmt.Sprintf("%d,%t\n", i, isolated(i, l))
	}
	list = filepath.Join(t.TempDir(), "suspects.csv")
	testfile.Write(t, list, rows)
	return data, d, list
}

// An unlearning after which the images are still known writes no model and leaves no folder behind.
func TestFailedUnlearningWritesNoModel(t *testing.T) {
	data, d, suspects := suspected(t, func(_ int, l int32) bool { return l == 1 })
	out := filepath.Join(t.TempDir(), "out")
	args := []string{
		"unlearn", "--model", constant(t, 1, d.Train.Classes), "--data", data, "--suspects", suspects, "--by-index", "--steps", "1", "--rate", "1e-9",
		"--refine=false", "--out", out,
	}
	code, text, errs := call(args...)
	if code != exitFailed || !strings.Contains(errs, "still knows 100 % of the isolated images: no model is written") || strings.Contains(text, "model.safetensors") {
		t.Errorf("%d: %s%s", code, text, errs)
	}
	if code, text, _ := call(append(args, "--json")...); code != exitFailed || !strings.Contains(text, `"unlearnt":false`) {
		t.Errorf("%d: %s", code, text)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("an empty folder is left")
	}
}

// A set of a few images, which a network can be trained on, can be fine-tuned on too.
func TestUnlearnFromFewImages(t *testing.T) {
	data, d, suspects := suspected(t, func(i int, _ int32) bool { return i < 10 })
	model := newModel(t, 32, d.Train.Classes...)
	for method, epochs := range map[string]string{"ft-all": "--tune-epochs", "pixel-noise": "--tune-epochs", "retrain": "--scratch-epochs"} {
		code, out, errs := call("unlearn", "--method", method, "--model", model, "--data", data, "--suspects", suspects, "--by-index", epochs, "1",
			"--out", filepath.Join(t.TempDir(), "out"), "--json")
		if code != exitDone || !strings.Contains(out, `"batch":32`) { // of 130: none is held back
			t.Errorf("%s: %d, %s%s", method, code, out, errs)
		}
	}
}

// Weights that learnt from images which were normalised otherwise than the model's are said to.
func TestPretrainedOnOtherwiseNormalisedImages(t *testing.T) {
	data, d, suspects := suspected(t, func(i int, _ int32) bool { return i < 10 })
	own := newModel(t, 32, d.Train.Classes...)
	n, state, info, err := checkpoint.Load(own)
	if err != nil {
		t.Fatal(err)
	}
	info.Normalize = &model.Normalize{Std: [3]float32{1, 1, 2}}
	other := filepath.Join(t.TempDir(), "other.safetensors")
	if err := checkpoint.Save(other, state, *info); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, to string
		said     bool
	}{{own, own, false}, {other, other, false}, {other, own, true}, {own, other, true}} {
		code, _, errs := call("unlearn", "--method", "ft-pretrained", "--pretrained", c.from, "--model", c.to, "--data", data, "--suspects", suspects, "--by-index", "--tune-epochs", "1",
			"--out", filepath.Join(t.TempDir(), "out"))
		if code != exitDone || strings.Contains(errs, "normalised in another way") != c.said {
			t.Errorf("%s of %s in %s: %d, %s", n.Arch, c.from, c.to, code, errs)
		}
	}
}

// Where all images that are learnt from are of one class, no method makes a network that gives every image that class.
func TestOneClassIsNotLearntAlone(t *testing.T) {
	data, d, suspects := suspected(t, func(_ int, l int32) bool { return l != 3 })
	model, out := newModel(t, 32, d.Train.Classes...), filepath.Join(t.TempDir(), "out")
	for _, method := range runs.UnlearnNames() {
		args := []string{"unlearn", "--method", method, "--model", model, "--data", data, "--suspects", suspects, "--by-index", "--out", out}
		if method == "ft-pretrained" {
			args = append(args, "--pretrained", model)
		}
		if method == "abl" {
			args = append(args, "--steps", "1")
		}
		if code, _, errs := call(args...); code != exitFailed || !strings.Contains(errs, fmt.Sprintf("found those of %q alone: the network would forget all others", d.Train.Classes[3])) {
			t.Errorf("%s: %d, %s", method, code, errs)
		}
	}
	for i := range d.Train.Labels {
		d.Train.Labels[i] = 3
	}
	one := filepath.Join(t.TempDir(), "one")
	if err := dataset.Write("folder", one, d); err != nil {
		t.Fatal(err)
	}
	for _, m := range repair.Methods() {
		if code, _, errs := call("repair", "--method", m.Name, "--model", model, "--clean", one, "--out", out); code != exitFailed || !strings.Contains(errs, "would forget all others") {
			t.Errorf("%s: %d, %s", m.Name, code, errs)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a folder is left")
	}
}
