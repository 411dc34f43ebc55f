package gridapp

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Neither results nor the store may lie in the data, and results lie in a folder; it is said before Temporal is asked.
func TestPlacesAreApart(t *testing.T) {
	dir := t.TempDir()
	at := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	if err := os.MkdirAll(at("data", "cat"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"file": "", "grid.yaml": "name: g\ndata: folder:" + at("data") + "\nattacks: [badnets]\ndefenses: [none]\nseeds: [0]\n"} {
		if err := os.WriteFile(at(name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ out, store, want string }{
		{at("data"), at("store"), "choose another --out"},
		{at("data", "cat", "out"), at("store"), "choose another --out"},
		{at("file"), at("store"), "expected a folder, found a file"},
		{at("out"), at("data", "store"), "choose another --store"},
		{at("out"), "file://" + at("data", "store"), "choose another --store"},
		{at("out"), at("store"), "temporal at 127.0.0.1:1"},
		{at("out"), "mem://x", "mem"},
	} {
		for _, args := range [][]string{{"run", at("grid.yaml")}, {"audit", "--data", at("data")}} {
			cmd := Command(io.Discard, io.Discard)
			cmd.SetArgs(append(args, "--out", c.out, "--store", c.store, "--temporal", "127.0.0.1:1", "--wait", "1ms"))
			cmd.SilenceErrors, cmd.SilenceUsage = true, true
			if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s with --out %s and --store %s: %v, expected %q", args[0], c.out, c.store, err, c.want)
			}
			if _, err := os.Stat(at("data", "store")); err == nil {
				t.Fatal("the store was made in the data")
			}
		}
	}
}
