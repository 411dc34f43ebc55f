package cli

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/version"
	"github.com/unpoison/unpoison/model"
)

// A training from a model takes its last layer by the names of the classes, and afresh where it knows others.
func TestInitFollowsTheClasses(t *testing.T) {
	file := newModel(t, 32, "cat", "dog", "emu")
	n, was, _, err := checkpoint.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	o := abl.Default()
	o.Network, o.Seed = "small-cnn", 3
	_, head := was.Classifier()
	_, fresh := n.Init(o.Seed).Classifier()
	larger, err := model.New(n.Arch, 4, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	_, four := larger.Init(o.Seed).Classifier()
	if slices.Equal(head.Data, fresh.Data) {
		t.Fatal("a fresh layer looks the same")
	}
	turned := []float32{head.Data[2], head.Data[0], head.Data[1]}
	for _, c := range []struct {
		classes []string
		want    []float32
		note    string
	}{
		{[]string{"cat", "dog", "emu"}, head.Data, ""},
		{[]string{"emu", "cat", "dog"}, turned, ""},
		{[]string{"0", "1", "2"}, head.Data, "matched by index"},
		{[]string{"cat", "dog", "fox"}, fresh.Data, "knows other classes than d: its last layer begins afresh"},
		{[]string{"cat", "dog", "emu", "fox"}, four.Data, "knows other classes than d: its last layer begins afresh"},
	} {
		var errs bytes.Buffer
		f := trainFlags{init: modelFlags{file: file, tensors: true}}
		s, err := f.start(&app{err: &errs}, &dataset.Data{Path: "d", Train: &dataset.Set{Classes: c.classes, Height: 32, Width: 32}}, o)
		if err != nil {
			t.Fatal(err)
		}
		_, got := s.Classifier()
		if !slices.Equal(got.Data, c.want) || !slices.Equal(s[0].Data, was[0].Data) || !strings.Contains(errs.String(), c.note) || (c.note == "") != (errs.Len() == 0) {
			t.Errorf("%v: the last layer's bias is %v, expected %v; %q, expected %q", c.classes, got.Data, c.want, errs.String(), c.note)
		}
	}
}

// A model whose patches are too large for the data is named, with its patches.
func TestInitNamesPatchesThatDoNotFit(t *testing.T) {
	n, err := model.NewStem("small-cnn", 2, 128, 128, 8)
	if err != nil {
		t.Fatal(err)
	}
	file, o := filepath.Join(t.TempDir(), "m.safetensors"), abl.Default()
	if err := checkpoint.Save(file, n.Init(1), checkpoint.Info{Arch: n.Arch, Classes: []string{"a", "b"}, Height: 128, Width: 128}); err != nil {
		t.Fatal(err)
	}
	o.Network = n.Arch
	f := trainFlags{init: modelFlags{file: file, tensors: true}}
	_, err = f.start(&app{err: &bytes.Buffer{}}, &dataset.Data{Path: "d", Train: &dataset.Set{Classes: []string{"a", "b"}, Height: 32, Width: 32}}, o)
	if err == nil || !strings.HasPrefix(err.Error(), file+" takes images in patches of 8×8 pixels: ") {
		t.Error(err)
	}
}

// The size of a model's images is not spoken of where its tensors alone are taken.
func TestInitSaysNothingOfSizes(t *testing.T) {
	var errs bytes.Buffer
	f := modelFlags{file: plainModel(t, 32, 2, 1), tensors: true}
	if _, _, _, err := f.load(&app{err: &errs}); err != nil || errs.Len() > 0 {
		t.Errorf("%v, %s", err, errs.String())
	}
}

// A model that other images changed says their depth, if it said none, and the version that changed it.
func TestChangedModelsSayTheirDepth(t *testing.T) {
	n, s, info, err := checkpoint.Load(newModel(t, 32, "cat", "dog"))
	if err != nil {
		t.Fatal(err)
	}
	for _, had := range []int{0, 10} {
		path := filepath.Join(t.TempDir(), "model.safetensors")
		info.Depth = had
		if err := saveModel(path, s, info, &dataset.Data{Depth: 12}); err != nil {
			t.Fatal(err)
		}
		want := 12
		if had > 0 {
			want = had
		}
		if _, _, got, err := checkpoint.Load(path); err != nil || got.Depth != want || got.Version != version.Number || got.Arch != n.Arch {
			t.Errorf("%+v, expected %d bits (%v)", got, want, err)
		}
	}
}
