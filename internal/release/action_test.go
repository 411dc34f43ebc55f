package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/internal/app/cli"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/version"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

type action struct {
	Inputs map[string]struct {
		Description, Default string
		Required             bool
	}
	Runs struct {
		Steps []struct {
			ID, Run, Shell string
			Env            map[string]string
		}
	}
}

func readAction(t *testing.T) *action {
	t.Helper()
	raw := testfile.Read(t, filepath.Join(root, "action.yml"))
	var a action
	if err := yaml.Unmarshal(raw, &a); err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`inputs\.([a-z-]+)`).FindAllSubmatch(raw, -1) {
		if a.Inputs[string(m[1])].Description == "" {
			t.Errorf("no input %s", m[1])
		}
	}
	return &a
}

// runner is a machine on which steps of the action run.
type runner struct {
	*testing.T
	dir string
	env []string
}

// newRunner returns a machine whose programs are scripts of the test's.
func newRunner(t *testing.T, programs map[string]string) *runner {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash here")
	}
	r := &runner{T: t, dir: t.TempDir()}
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte("#!/usr/bin/env bash\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.env = append(os.Environ(), "PATH="+r.dir+":"+os.Getenv("PATH"), "RUNNER_TEMP="+r.dir, "RUNNER_OS=Linux", "RUNNER_ARCH=X64")
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH"} {
		r.env = append(r.env, name+"="+filepath.Join(r.dir, name))
	}
	return r
}

// step runs a step as GitHub does, and returns its exit code and what it printed.
func (r *runner) step(id string, env ...string) (int, string) {
	r.Helper()
	for _, s := range readAction(r.T).Runs.Steps {
		if s.ID != id {
			continue
		}
		for name := range s.Env {
			if !strings.Contains(strings.Join(env, "\n")+"\n", name+"=") {
				r.Errorf("the test sets no %s", name)
			}
		}
		c := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", s.Run)
		c.Env = slices.Concat(r.env, env)
		out, err := c.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			r.Fatal(err)
		}
		return c.ProcessState.ExitCode(), string(out)
	}
	r.Fatalf("no step %s", id)
	return 0, ""
}

func (r *runner) file(name string) string {
	raw, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.Fatal(err)
	}
	return string(raw)
}

// resultOf is a result.json whose names are like its lines.
func resultOf(t *testing.T, says look.Says) []byte {
	t.Helper()
	name := "x\n  \"verdict\": {\n    \"says\": \"poisoned\",\n"
	r := &runs.Result{Data: runs.DataInfo{Classes: []string{name}}, Verdict: &audit.Verdict{Says: says, Targets: []audit.Target{{Class: name, Evidence: look.Evidence{Says: look.Poisoned}}}}}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The audit's step passes on what it was given, leaves findings to the last step, and fails with other errors.
func TestActionAudits(t *testing.T) {
	for code, want := range map[int]int{0: 0, 3: 0, 1: 1, 2: 2, 130: 130} {
		r := newRunner(t, map[string]string{"unpoison": fmt.Sprintf(`echo "  data                  folder"
echo "  verdict               poisoned"
echo "  verdict               no evidence of poison"
echo "::set-output name=x::evil"
cp "$RUNNER_TEMP/result" "$5/result.json"
echo "<code>unpoison review $5</code> <code>--suspects $5/suspects.csv</code>" > "$5/report.html"
exit %d`, code)})
		testfile.Write(t, filepath.Join(r.dir, "result"), resultOf(t, look.CantTell))
		got, out := r.step("audit", "DATA=my data", "ARGS=--size 32  --seed 1", "BASELINE=", "REPORT=my-audit")
		if got != want {
			t.Errorf("an audit that ends with %d ends the step with %d: %s", code, got, out)
		}
		if text := r.file("GITHUB_OUTPUT"); !strings.Contains(text, fmt.Sprintf("code=%d\nverdict=can't tell\n", code)) || !strings.HasPrefix(text, "folder="+r.dir) {
			t.Errorf("outputs %q", text)
		}
		if text := r.file("GITHUB_STEP_SUMMARY"); !strings.Contains(text, "\n      verdict               poisoned\n") {
			t.Errorf("the summary is %q", text)
		}
		page, err := filepath.Glob(filepath.Join(r.dir, "audit-*", "report.html"))
		if err != nil || len(page) != 1 {
			t.Fatal(page, err)
		}
		if raw, err := os.ReadFile(page[0]); err != nil || string(raw) != "<code>unpoison review my-audit</code> <code>--suspects my-audit/suspects.csv</code>\n" {
			t.Errorf("the report says %s (%v)", raw, err)
		}
		begin, stop, end := strings.Index(out, "::stop-commands::unpoison-"), strings.Index(out, "::set-output"), strings.LastIndex(out, "::unpoison-")
		if begin < 0 || stop < begin || end < stop {
			t.Errorf("names can command the runner: %s", out)
		}
	}
}

// The artifact's name may hold what sed and shells take for commands: it is obeyed by neither, and the report is whole.
func TestActionObeysNoName(t *testing.T) {
	for name, want := range map[string]string{"my-audit_1.0": "my-audit_1.0", "x#e;#": "RUN", "x#w pwned": "RUN", "a&b": "RUN", `a\b`: "RUN", "audit #1": "RUN", "": "RUN"} {
		r := newRunner(t, map[string]string{"unpoison": `echo "touch $RUNNER_TEMP/pwned #$5" > "$5/report.html"`})
		if code, out := r.step("audit", "DATA=d", "ARGS=", "BASELINE=", "REPORT="+name); code != 0 {
			t.Errorf("the name %q ends the step with %d: %s", name, code, out)
		}
		page, err := filepath.Glob(filepath.Join(r.dir, "audit-*", "report.html"))
		if err != nil || len(page) != 1 {
			t.Fatal(page, err)
		}
		raw, err := os.ReadFile(page[0])
		if text := string(raw); err != nil || !strings.HasPrefix(text, "touch ") || !strings.HasSuffix(text, " "+want+"\n") {
			t.Errorf("with the name %q the report says %s (%v)", name, text, err)
		}
		if _, err := os.Stat(filepath.Join(r.dir, "pwned")); err == nil {
			t.Errorf("the name %q was obeyed", name)
		}
	}
}

func TestActionPassesArguments(t *testing.T) {
	r := newRunner(t, map[string]string{"unpoison": `printf '%s\n' "$@" > "$RUNNER_TEMP/args"`})
	if code, out := r.step("audit", "DATA=my data", "ARGS=--size 32\n  --seed 1\n", "BASELINE=last audit", "REPORT="); code != 0 {
		t.Fatal(out)
	}
	args := strings.Split(strings.TrimSpace(r.file("args")), "\n")
	if want := []string{"audit", "--data", "my data", "--out"}; len(args) < 7 || !slices.Equal(args[:4], want) || strings.Join(args[5:], "|") != "--fail-on|shortcut|--size|32|--seed|1|--baseline|last audit" {
		t.Errorf("it ran unpoison %q", args)
	}
	for given, want := range map[string]string{"": "--fail-on|shortcut", "--json": "--fail-on|shortcut|--json", "--fail-on-findings": "--fail-on-findings", "--fail-on any": "--fail-on|any", "--fail-on=any": "--fail-on=any"} {
		if code, out := r.step("audit", "DATA=d", "ARGS="+given, "BASELINE=", "REPORT=my-audit"); code != 0 {
			t.Fatal(out)
		}
		if args := strings.Split(strings.TrimSpace(r.file("args")), "\n"); strings.Join(args[5:], "|") != want {
			t.Errorf("with %q it ran unpoison %q", given, args)
		}
	}
}

func TestActionFindings(t *testing.T) {
	r := newRunner(t, nil)
	if code, out := r.step("findings", "FAIL=true", "VERDICT=can't tell"); code != 3 || !strings.HasPrefix(out, "::error::The audit of the images says: can't tell.") {
		t.Errorf("%d: %s", code, out)
	}
	if code, out := r.step("findings", "FAIL=false", "VERDICT=shortcut"); code != 0 || !strings.HasPrefix(out, "::warning::") {
		t.Errorf("%d: %s", code, out)
	}
}

// Flags that the action and its page name are the program's, and the release that they name is this one.
func TestActionNamesWhatThereIs(t *testing.T) {
	audit, _, err := cli.Command().Find([]string{"audit"})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"action.yml", "docs/pipeline.md"} {
		raw := testfile.Read(t, filepath.Join(root, path))
		flags := 0
		for line := range strings.Lines(string(raw)) {
			if !strings.Contains(line, "unpoison audit") && !strings.Contains(line, "args") {
				continue
			}
			for _, f := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(line, -1) {
				flags++
				if audit.Flag(f[1]) == nil {
					t.Errorf("%s: unpoison audit has no --%s", path, f[1])
				}
			}
		}
		if flags < 4 || !strings.Contains(string(raw), "v"+version.Number) {
			t.Errorf("%s: %d flags, and release v%s is named: %t", path, flags, version.Number, strings.Contains(string(raw), "v"+version.Number))
		}
	}
}

// What people made of an audit is not removed by the next one: examples write to new folders.
func TestExamplesRemoveNothing(t *testing.T) {
	raw := testfile.Read(t, filepath.Join(root, "docs", "pipeline.md"))
	if bytes.Contains(raw, []byte("rm -")) || !bytes.Contains(raw, []byte("--out .audit/$(date +%s)")) {
		t.Error("the example before a commit writes to a folder that another run may have")
	}
}

// A release is installed as this program makes it, unless its sum is another.
func TestActionInstalls(t *testing.T) {
	archive := packed(t, targets[0])[0]
	sums := fmt.Sprintf("%064d  other.tar.gz\n%x  %s\n", 0, sha256.Sum256(archive.data), archive.name)
	for _, c := range []struct {
		sums string
		code int
	}{{sums, 0}, {strings.Replace(sums, fmt.Sprintf("%x", sha256.Sum256(archive.data)), strings.Repeat("0", 64), 1), 1}, {"", 1}} {
		served := t.TempDir()
		for name, data := range map[string][]byte{archive.name: archive.data, "SHA256SUMS": []byte(c.sums)} {
			testfile.Write(t, filepath.Join(served, name), data)
		}
		r := newRunner(t, map[string]string{"curl": `for url; do :; done
while [ $# -gt 1 ]; do if [ "$1" = -o ]; then out=$2; fi; shift; done
cp "$SERVED/${url##*/}" "$out"
echo "$url" >> "$RUNNER_TEMP/urls"`})
		r.env = append(r.env, "SERVED="+served)
		code, out := r.step("install", "VERSION=v"+version.Number)
		if code != c.code {
			t.Errorf("with the sums %q it ends with %d: %s", c.sums, code, out)
		}
		if code != 0 {
			continue
		}
		path := strings.TrimSpace(r.file("GITHUB_PATH"))
		if raw, err := os.ReadFile(filepath.Join(path, "unpoison")); err != nil || !bytes.Equal(raw, []byte("binary")) {
			t.Errorf("no program in %s: %v", path, err)
		}
		if want := "/releases/download/v" + version.Number + "/" + archive.name; !strings.Contains(r.file("urls"), want) {
			t.Errorf("it asked for %s", r.file("urls"))
		}
	}
}
