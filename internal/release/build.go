package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unpoison/unpoison/internal/base/version"
)

// target is a system that there is a release for.
type target struct{ os, arch string }

var targets = []target{
	{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}, {"windows", "arm64"},
}

func (t target) String() string { return t.os + "/" + t.arch }

// binary is the program's name.
func (t target) binary() string {
	if t.os == "windows" {
		return "unpoison.exe"
	}
	return "unpoison"
}

// environ is that of Go's commands. What a user may have set for builds of their own has no part in a release.
func (t target) environ() []string {
	return append(os.Environ(), "CGO_ENABLED=0", "GOOS="+t.os, "GOARCH="+t.arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off", "GOENV=off", "GOFIPS140=off")
}

// build returns the bytes of the target's binary: static, without paths of this machine, with the commit.
func build(t target, root string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "unpoison-release-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, t.binary())
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w -buildid=", "-o", path, "./cmd/unpoison")
	cmd.Dir, cmd.Env, cmd.Stderr = root, t.environ(), os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("building for %s: %w", t, err)
	}
	return os.ReadFile(path)
}

// check compares what a binary says of itself with what is said of it: the modules of its notices and its bill of
// materials, and the commit, which must be there in a release.
func check(binary []byte, modules []*module, commit string, snapshot bool) error {
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		return err
	}
	var have, want []string
	for _, d := range info.Deps {
		have = append(have, d.Path+"@"+d.Version)
	}
	for _, m := range modules {
		if m.Path != "std" {
			want = append(want, m.Path+"@"+m.Version)
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		return fmt.Errorf("the binary is made of %v, its notices are of %v", have, want)
	}
	if got := version.Of(info); !snapshot && (got.Commit != commit || got.Modified) {
		return fmt.Errorf("expected a binary of commit %s, found %+v; Go finds no commit in a git worktree: use a clone", commit, got)
	}
	return nil
}

// head returns the commit that is checked out and when it was made: the time of all files of a release.
func head(root string) (commit string, at time.Time, err error) {
	out, err := git(root, "log", "-1", "--format=%H %ct")
	if err != nil {
		return "", at, err
	}
	commit, when, _ := strings.Cut(out, " ")
	seconds, err := strconv.ParseInt(when, 10, 64)
	return commit, time.Unix(seconds, 0).UTC(), err
}

// checkTagged refuses what is not exactly the tagged commit of this version.
func checkTagged(root string) error {
	changed, err := git(root, "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		return fmt.Errorf("a release is made of a commit, and these files differ from it (--snapshot makes one all the same):\n%s", changed)
	}
	tags, err := git(root, "tag", "--points-at", "HEAD")
	if err != nil {
		return err
	}
	if want := "v" + version.Number; !slices.Contains(strings.Fields(tags), want) {
		return fmt.Errorf("expected the tag %s at this commit, found %q (--snapshot makes a release all the same)", want, strings.Fields(tags))
	}
	return nil
}

func git(root string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
