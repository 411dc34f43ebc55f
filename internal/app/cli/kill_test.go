package cli

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// killed is a command that is killed, and what has to be the same after it went on.
type killed struct {
	name    string
	command func(out string) []string
	resume  []string                                         // what is added to go on
	files   func(t *testing.T, out string) map[string][]byte // that have to be the same
	whole   bool                                             // the folder is there whole or not at all
}

// UNPOISON_KILLS=50 go test -run TestKills -timeout 0 ./internal/app/cli kills each command so often, at random moments and,
// where there is strace, at random system calls.
// What is left then loads as far as it is there, and the command ends in the same bytes as if it had not been killed.
func TestKills(t *testing.T) {
	kills, err := strconv.Atoi(os.Getenv("UNPOISON_KILLS"))
	if err != nil {
		t.Skip("UNPOISON_KILLS is not set")
	}
	data := signFolder(t, 100, 20)
	list := filepath.Join(t.TempDir(), "list.csv")
	first, err := filepath.Glob(filepath.Join(data, "train", "*", "0000[0-2]*.png"))
	if err != nil || len(first) < 20 {
		t.Fatal(first, err)
	}
	text := "source\n"
	for _, f := range first {
		rel, err := filepath.Rel(data, f)
		if err != nil {
			t.Fatal(err)
		}
		text += filepath.ToSlash(rel) + "\n"
	}
	grid := filepath.Join(t.TempDir(), "grid.yaml")
	for path, text := range map[string]string{list: text, grid: "name: g\ndata: signs\nlimit: 100\ntest: 20\nmodel: small-cnn\nclean: 0.5\n" +
		"attacks: [none, badnets]\ndefenses: [none, abl, fp]\nsettings: \"batch=32,isolate_epochs=1,tune_epochs=1,unlearn_steps=4,isolation=0.05\"\n"} {
		testfile.Write(t, path, text)
	}
	named := func(names ...string) func(*testing.T, string) map[string][]byte {
		return func(t *testing.T, out string) map[string][]byte {
			all := files(t, out)
			for f := range all {
				if !strings.HasSuffix(f, ".partial") && !containsName(names, f) {
					delete(all, f)
				}
			}
			return all
		}
	}
	search := []string{"--model", "small-cnn", "--batch", "32", "--epochs-content", "1", "--epochs-inspect", "0"}
	for _, k := range []killed{
		{"abl", func(out string) []string { return tiny(data, out) }, []string{"--resume"}, named(runs.ModelFile, runs.SuspectsFile, runs.LogFile), false},
		{"auto", func(out string) []string {
			return append([]string{"train", "--data", data, "--attack", "badnets", "--out", out, "--epochs-tune", "1"}, search...)
		}, []string{"--resume"}, named(runs.ModelFile, runs.SuspectsFile, runs.LogFile), false},
		{"audit", func(out string) []string { return append([]string{"audit", "--data", data, "--out", out}, search...) }, []string{"--resume"}, named(runs.SuspectsFile, runs.LogFile), false},
		{"attack", func(out string) []string { return []string{"attack", "badnets", "--data", data, "--out", out} }, nil, files, true},
		{"filter", func(out string) []string {
			return []string{"data", "filter", "--data", data, "--suspects", list, "--out", out}
		}, nil, files, true},
		{"grid", func(out string) []string { return []string{"experiment", "run", grid, "--out", out, "--cache", "none"} }, nil, named(runs.ModelFile, runs.SuspectsFile, "table.csv"), false},
	} {
		t.Run(k.name, func(t *testing.T) { k.run(t, kills) })
	}
}

func containsName(names []string, path string) bool {
	for _, n := range names {
		if filepath.Base(path) == n {
			return true
		}
	}
	return false
}

func (k *killed) run(t *testing.T, kills int) {
	whole := filepath.Join(t.TempDir(), k.name, "out")
	start := time.Now()
	if text, err := program(k.command(whole)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	took := time.Since(start)
	want := k.files(t, whole)
	r := rand.New(rand.NewPCG(1, uint64(len(k.name))))
	calls := systemCalls(t, program(k.command(filepath.Join(t.TempDir(), k.name, "out"))...))
	ways := []func(c *exec.Cmd, fresh bool) bool{func(c *exec.Cmd, fresh bool) bool { return killAfter(t, c, fresh, &took, r) }}
	if len(calls) > 0 {
		ways = append(ways, func(c *exec.Cmd, _ bool) bool { return killAt(t, c, calls[r.IntN(len(calls))], r) })
	}
	done, early := make([]int, len(ways)), 0
	for n := 0; sum(done) < kills && n < 4*kills; n++ {
		out := filepath.Join(t.TempDir(), k.name, "out")
		for round := range 2 { // killed again while it goes on
			args := k.command(out)
			if round > 0 {
				args = append(args, k.resume...)
			}
			if way := (n + round) % len(ways); ways[way](program(args...), round == 0) {
				done[way]++
			}
			if k.loads(t, out, want) {
				early++
			}
			if k.whole {
				break
			}
		}
		if _, err := os.Stat(out); err == nil && k.whole { // it was whole
			continue
		}
		if text, err := program(append(k.command(out), k.resume...)...).CombinedOutput(); err != nil {
			t.Fatalf("kill %d: going on: %v: %s", n, err, text)
		}
		k.same(t, fmt.Sprintf("kill %d", n), want, k.files(t, out))
		if beside, _ := filepath.Glob(filepath.Join(filepath.Dir(out), ".*")); len(beside) > 0 {
			t.Errorf("kill %d: %v is left", n, beside)
		}
		if t.Failed() {
			break
		}
	}
	t.Logf("%s: %v kills took effect, at random moments and at system calls; %d left something; all went on to the same %d files", k.name, done, early, len(want))
	if sum(done) < kills {
		t.Errorf("%d kills took effect, expected %d", sum(done), kills)
	}
}

func sum(all []int) (n int) {
	for _, v := range all {
		n += v
	}
	return n
}

func (k *killed) same(t *testing.T, when string, want, got map[string][]byte) {
	t.Helper()
	for f := range want {
		if !bytes.Equal(want[f], got[f]) {
			t.Errorf("%s: %s is another one", when, f)
		}
	}
	if len(want) != len(got) {
		t.Errorf("%s: %d files, expected %d", when, len(got), len(want))
	}
}

// loads checks that what a kill left is whole, each file by itself, and reports whether there was anything.
func (k *killed) loads(t *testing.T, out string, want map[string][]byte) bool {
	t.Helper()
	if _, err := os.Stat(out); err != nil {
		return false
	}
	if k.whole {
		k.same(t, "killed", want, k.files(t, out))
		return true
	}
	left := false
	err := filepath.WalkDir(out, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(p, ".partial") {
			return err
		}
		left = true
		switch filepath.Base(p) {
		case runs.ModelFile, "checkpoint.safetensors":
			_, _, err = checkpoint.ReadArrays(p)
		case runs.ResultFile:
			_, err = runs.ReadResult(p)
		case runs.SuspectsFile:
			var raw []byte
			if raw, err = os.ReadFile(p); err == nil {
				_, err = csv.NewReader(bytes.NewReader(raw)).ReadAll()
			}
		}
		return err
	})
	if err != nil {
		t.Errorf("killed: %v", err)
	}
	return left
}
