package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/internal/testkit/testfile"
	"github.com/unpoison/unpoison/model"
)

// tinyNetwork has twelve numbers.
func tinyNetwork() *model.Architecture {
	return &model.Architecture{Name: "tiny", Build: func(b *model.Builder, x *Node, classes int) *Node {
		return b.Linear("fc", b.GlobalPool(x), classes)
	}}
}

// FuzzModel gives a model file. What is read is the network that its metadata name, with finite weights.
func FuzzModel(f *testing.F) {
	n, err := tinyNetwork().New(3, 16, 16)
	if err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(f.TempDir(), "m.safetensors")
	if err := Save(path, n.Init(1), Info{Arch: "tiny", Classes: []string{"a", "b", "c"}, Height: 16, Width: 16, Version: "x"}); err != nil {
		f.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	head := map[string]json.RawMessage{}
	size := binary.LittleEndian.Uint64(raw)
	if err := json.Unmarshal(raw[8:8+size], &head); err != nil {
		f.Fatal(err)
	}
	for _, meta := range []string{ // without a checksum, so that other values go on
		`{"architecture":"tiny","classes":"[\"a\",\"b\",\"c\"]","height":"16","width":"16"}`, `{"architecture":"small-cnn","classes":"[\"a\"]","height":"64","width":"48","stem":"2"}`, `{}`,
	} {
		head["__metadata__"] = json.RawMessage(meta)
		text, err := json.Marshal(head)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text, raw[8+size:]))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "m.safetensors")
		testfile.Write(t, path, raw)
		n, s, info, err := Load(path, tinyNetwork())
		if err != nil {
			return
		}
		if err := s.Finite(); err != nil || len(s) != len(n.Spec()) || len(info.Classes) != n.Classes && len(info.Classes) > 0 {
			t.Errorf("%d tensors of %d, %d classes of %d, %v", len(s), len(n.Spec()), len(info.Classes), n.Classes, err)
		}
	})
}
