package dataset

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/base/pickle"
)

// Numbers of another type than bytes are no brightness, whatever room they take.
func TestPickledImagesAreBytes(t *testing.T) {
	for kind, want := range map[string]string{"u1": "", "i1": "an array of i1, expected uint8", "b1": "an array of b1, expected uint8"} {
		dir := t.TempDir()
		writeTinyPickle(t, dir, tinySet(32, false, 5, 1))
		file := filepath.Join(dir, "data_batch_1")
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		put(t, file, bytes.ReplaceAll(raw, []byte("U\x02u1"), []byte("U\x02"+kind)))
		if _, err = Load(t.Context(), dir, Options{}); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, expected %q", kind, err, want)
		}
	}
}

// Values of kinds that are not expected are called as their users know them, with what makes others of them.
func TestUnexpectedKindsAreNamed(t *testing.T) {
	s := &store{root: "."}
	scalar := &pickle.Object{Class: pickle.Global{Module: "numpy", Name: "scalar"}}
	batch := func(labels any) string {
		a, err := s.cifarBatch(&pickle.Dict{Keys: []any{"labels"}, Values: []any{labels}}, "b", "labels")
		if err != nil {
			return err.Error()
		}
		return a.labels.bad[0]
	}
	if got := batch(scalar); got != "expected a list of labels, found a value of numpy.scalar; a NumPy array's tolist() makes one" {
		t.Error(got)
	}
	table := func(row string) string {
		dir := files(t, t.TempDir(), "a.png=1", "b.png=2")
		put(t, filepath.Join(dir, "train.jsonl"), []byte(row+"\n"+`{"file": "b.png", "label": "y"}`+"\n"))
		_, err := Load(t.Context(), "table:"+dir, Options{})
		return err.Error()
	}
	arrays := func(images, labels []byte) string {
		dir := t.TempDir()
		put(t, filepath.Join(dir, "x_train.npy"), images)
		put(t, filepath.Join(dir, "y_train.npy"), labels)
		_, err := Load(t.Context(), dir, Options{})
		return err.Error()
	}
	for got, want := range map[string]string{
		table(`{"file": "a.png", "label": {"id": 1}}`):                                             "expected one label, found an object",
		table(`{"file": ["a.png"], "label": "x"}`):                                                 "expected the name of a file, found a list",
		table(`{"file": 7, "label": "x"}`):                                                         "expected the name of a file, found the number 7",
		arrays(npy("<f4", []int{2, 1, 1}, make([]byte, 8)), npy("|u1", []int{2}, []byte{0, 1})):    `an array of f4, expected uint8; x.astype("uint8") makes it`,
		arrays(npy("|u1", []int{2, 1, 1}, make([]byte, 2)), npy("|O", []int{2}, []byte("pickle"))): `an array of Python objects; astype("int64") makes it`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s, expected %s", got, want)
		}
	}
	for v, want := range map[any]string{nil: "None", int64(3): "the value 3", "x": "text", &pickle.List{}: "a list", scalar: "a value of numpy.scalar"} {
		if got := pickle.Kind(v); got != want {
			t.Errorf("%s, expected %s", got, want)
		}
	}
}
