package cli

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/model"
)

// constant writes a model that takes every image for one class.
func constant(t *testing.T, class int, classes []string) string {
	t.Helper()
	n, err := model.New("small-cnn", len(classes), 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	s := n.Init(7)
	weight, bias := s.Classifier()
	clear(weight.Data)
	clear(bias.Data)
	bias.Data[class] = 5
	path := filepath.Join(t.TempDir(), runs.ModelFile)
	if err := checkpoint.Save(path, s, checkpoint.Info{Arch: n.Arch, Classes: classes, Height: 32, Width: 32, Version: "test"}); err != nil {
		t.Fatal(err)
	}
	return path
}

// run calls the program, which has to succeed.
func run(t *testing.T, args ...string) string {
	t.Helper()
	code, text, errs := call(args...)
	if code != exitDone || strings.Contains(errs, "triggered.json") {
		t.Fatalf("%v: %d, %s%s", args, code, text, errs)
	}
	return text
}

// asr is the attack success rate of a model by eval.
func asr(t *testing.T, m, data, triggered string) float64 {
	t.Helper()
	var r evalResult
	if err := json.Unmarshal([]byte(run(t, "eval", "--model", m, "--data", data, "--triggered", triggered, "--json")), &r); err != nil || r.ASR == nil {
		t.Fatal(err, r)
	}
	return *r.ASR
}

// Whatever an attack wants, and whichever labels its triggered images have, success is the share that is given what it wants: also in
// a copy of the folder, in a folder in one, and in every layout that is written.
func TestSuccessIsWhatTheAttackWants(t *testing.T) {
	d := signs.Render(1, 60, 20)
	share := func(int) float64 { return 10 } // percent, of each of ten classes
	for _, c := range []struct {
		layout, attack string
		want           func(says int) float64 // of a model that says one class
	}{
		{"folder", "badnets:target=1", func(says int) float64 { return map[bool]float64{true: 100}[says == 1] }},
		{"folder", "badnets:targets=2", func(says int) float64 { return map[bool]float64{true: 50}[says == 1] }}, // of classes 2 to 9
		{"folder", "badnets:all_to_all=true", func(says int) float64 { return share((says + 9) % 10) }},
		{"folder", "badnets:random_labels=true", func(says int) float64 { return 100 - share(says) }},
		{"cifar10", "badnets:target=1", func(says int) float64 { return map[bool]float64{true: 100}[says == 1] }},
		{"gtsrb", "badnets:target=1", func(says int) float64 { return map[bool]float64{true: 100}[says == 1] }},
	} {
		t.Run(c.layout+" "+c.attack, func(t *testing.T) {
			dir := t.TempDir()
			in := func(name string) string { return filepath.Join(dir, name) }
			data := in("data")
			if err := dataset.Write(c.layout, data, d); err != nil {
				t.Fatal(err)
			}
			read, err := dataset.Load(t.Context(), c.layout+":"+data, dataset.Options{})
			if err != nil {
				t.Fatal(err)
			}
			run(t, "attack", c.attack, "--rate", "0.1", "--data", data, "--out", in("planted"))
			run(t, "attack", "apply", "--from", in("planted"), "--data", data, "--out", in("applied"))
			run(t, "attack", "apply", "--from", in("planted"), "--data", data, "--own-labels", "--out", in("own"))
			for _, to := range []string{"moved", "deep/moved"} {
				if err := os.CopyFS(in(to), os.DirFS(in("planted/triggered"))); err != nil {
					t.Fatal(err)
				}
			}
			for _, says := range []int{1, 4} {
				m := constant(t, says, read.Train.Classes)
				for _, at := range []string{"planted/triggered", "applied", "own", "moved", "deep"} {
					if got := asr(t, m, data, in(at)); math.Abs(got-c.want(says)) > 0.01 {
						t.Errorf("%s, a model that says %d: %g, expected %g", at, says, got, c.want(says))
					}
				}
			}
		})
	}
}

// Images under several labels without a word of what is wanted of them are no triggered images; under one label they are.
func TestImagesThatNothingExplains(t *testing.T) {
	d := signs.Render(1, 60, 40)
	data, own := signFolder(t, 60, 40), filepath.Join(t.TempDir(), "own")
	m := constant(t, 1, d.Test.Classes)
	code, _, errs := call("eval", "--model", m, "--data", data, "--triggered", data)
	if code != exitFailed || !strings.Contains(errs, "under 10 labels") {
		t.Errorf("clean data: %d, %s", code, errs)
	}
	for k := range d.Test.Labels {
		d.Test.Labels[k] = 1
	}
	if err := dataset.Write("folder", own, d); err != nil {
		t.Fatal(err)
	}
	if got := asr(t, m, data, own); got != 100 {
		t.Errorf("the user's own attack: %g", got)
	}
}
