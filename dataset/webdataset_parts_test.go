package dataset

import (
	"path/filepath"
	"strings"
	"testing"
)

// Shards are looked through once for labels and parts together, whichever key says these, and keep only the parts.
func TestShardsAreLookedThroughOnce(t *testing.T) {
	dir := shardOf(t, "a.png", string(dot(1)), "a.json", `{"label":0,"split":"other","fold":"train","note":"test"}`,
		"b.png", string(dot(2)), "b.json", `{"label":1,"split":"other","fold":"test","note":"b"}`)
	files, err := filepath.Glob(filepath.Join(dir, "*.tar"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	shards := map[string]*shard{}
	_, by, err := newStore(dir, Options{}).countSampleParts(t.Context(), files, Options{}, shards)
	if err != nil || by != "fold" || shards[files[0]] == nil {
		t.Fatalf("by %q, %v, %v", by, shards, err)
	}
	var parts []string
	for _, of := range shards[files[0]].order {
		if parts = append(parts, of.split); of.parts != nil {
			t.Errorf("%s keeps %v", of.key, of.parts)
		}
	}
	if got := strings.Join(parts, " "); got != "train test" {
		t.Errorf("parts %s", got)
	}
}
