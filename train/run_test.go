package train

import (
	"testing"

	"github.com/gomlx/gomlx/backends"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/model"
)

// other is an engine of another name.
type other struct{ backends.Backend }

func (other) Description() string { return "other:gpu - somewhere" }

// TestEnginesInTurn wants to know of every engine that had a part in a training.
func TestEnginesInTurn(t *testing.T) {
	ours, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.New("small-cnn", 2, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	var had []string
	for k, b := range []backends.Backend{other{ours}, other{ours}, ours} {
		r := &Run{Backend: b, Network: n, Folder: folder, Digest: "d"}
		if resumed, err := r.Start(true); err != nil || resumed != (k > 0) {
			t.Fatalf("start %d: went on: %v, %v", k, resumed, err)
		}
		if err := r.Stage(string(rune('a'+k)), func() error { return nil }); err != nil {
			t.Fatal(err)
		}
		had = r.Engines
	}
	if len(had) != 2 || had[0] != "other:gpu" || had[1] != engines.Describe(ours) {
		t.Errorf("engines %q", had)
	}
}
