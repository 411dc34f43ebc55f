package train

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/model"
)

// A checkpoint belongs to one version, to the network that the training began with, and to the bytes that were written.
func TestCheckpointsOfOtherTrainingsAreRefused(t *testing.T) {
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.New("small-cnn", 2, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	set := &dataset.Set{Height: 32, Width: 32, Classes: []string{"a", "b"}, Pixels: make([]uint8, 64*32*32*3), Labels: make([]int32, 64)}
	recipe := Recipe{Network: "small-cnn", Batch: 16, Schedule: "constant", TuneRate: 0.1}
	folder := t.TempDir()
	begin := func(init model.State) error {
		r, err := Start(set, recipe, Settings{Folder: folder, Resume: true, Backend: b, Init: init})
		if err != nil {
			return err
		}
		return r.Stage("a", func() error { return nil })
	}
	if err := begin(n.Init(1)); err != nil {
		t.Fatal(err)
	}
	if err := begin(n.Init(1)); err != nil {
		t.Errorf("the same training: %v", err)
	}
	for want, other := range map[string]model.State{"the features, or the model that it starts from, are others;": n.Init(2), "it starts from, or looks for, something else;": nil} {
		if err := begin(other); err == nil || !strings.Contains(err.Error(), "other data, class names or settings: "+want) {
			t.Errorf("another --init: %v", err)
		}
	}
	for want, change := range map[string]func() (back func()){
		": tune_rate was 0.1 and is 0.2":          func() func() { recipe.TuneRate = 0.2; return func() { recipe.TuneRate = 0.1 } },
		`: class was "b" and is "c"`:              func() func() { set.Classes[1] = "c"; return func() { set.Classes[1] = "b" } },
		": the images or their labels are others": func() func() { set.Labels[0] = 1; return func() { set.Labels[0] = 0 } },
	} {
		back := change()
		if err := begin(n.Init(1)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q, got %v", want, err)
		}
		back()
	}
	path := filepath.Join(folder, ProgressFile)
	raw := testfile.Read(t, path)
	changed := strings.Replace(string(raw), `\"position\"`, `\"Position\"`, 1)
	testfile.Write(t, path, changed)
	if err := begin(n.Init(1)); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("an edited checkpoint: %v", err)
	}
	testfile.Write(t, path, raw)
	arrays, meta, err := checkpoint.ReadArrays(path)
	if err != nil {
		t.Fatal(err)
	}
	meta["progress"] = strings.Replace(meta["progress"], `"version":"`, `"version":"9.`, 1)
	if err := checkpoint.WriteArrays(path, arrays, meta); err != nil {
		t.Fatal(err)
	}
	if err := begin(n.Init(1)); err == nil || !strings.Contains(err.Error(), "written by version 9.") {
		t.Errorf("another version's checkpoint: %v", err)
	}
	meta["progress"] = strings.Replace(meta["progress"], `"version":"9.`, `"version":"`, 1)
	testfile.Write(t, path, unsummed(t, arrays, meta["progress"]))
	if err := begin(n.Init(1)); err == nil || !strings.Contains(err.Error(), "finish it with that one, or leave out --resume") {
		t.Errorf("a checkpoint without a checksum, as version 0.1 wrote them: %v", err)
	}
}

// unsummed is a checkpoint without a checksum.
func unsummed(t *testing.T, arrays map[string]checkpoint.Array, progress string) []byte {
	t.Helper()
	head := map[string]any{"__metadata__": map[string]string{"progress": progress}}
	var body []byte
	for name, a := range arrays {
		from := len(body)
		for _, v := range a.Data {
			body = binary.LittleEndian.AppendUint32(body, math.Float32bits(v))
		}
		head[name] = map[string]any{"dtype": "F32", "shape": a.Dims, "data_offsets": []int{from, len(body)}}
	}
	text, err := json.Marshal(head)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text, body)
}
