package cli

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
)

// Images that their layout has no room for at the asked size are written as a folder a class.
func TestAttackWritesOtherSizes(t *testing.T) {
	data, out := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "out")
	if err := dataset.Write("cifar10", data, signs.Render(1, 60, 10)); err != nil {
		t.Fatal(err)
	}
	if code, text, errs := call("attack", "badnets", "--data", "cifar10:"+data, "--size", "48", "--out", out); code != exitDone {
		t.Fatalf("%d: %s%s", code, text, errs)
	}
	d, err := dataset.Load(context.Background(), out, dataset.Options{})
	if err != nil || d.Layout != "folder" || d.Train.Height != 48 || d.Train.Len() != 60 {
		t.Errorf("%+v, %v", d, err)
	}
}

// Fewer covering images than were asked for are said.
func TestFewerCoversAreSaid(t *testing.T) {
	data := signFolder(t, 60, 20)
	for cover, said := range map[string]bool{"0.1": false, "0.95": true} {
		code, _, errs := call("attack", "badnets:cover="+cover, "--data", data, "--out", filepath.Join(t.TempDir(), "out"))
		if code != exitDone || strings.Contains(errs, "instead of the 57 that cover=0.95 asks for") != said {
			t.Errorf("cover=%s: %d, %s", cover, code, errs)
		}
	}
}
