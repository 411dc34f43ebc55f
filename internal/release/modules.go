package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// module is a module whose code is in a binary, with the texts that its licence asks to pass on.
type module struct {
	Path, Version, Dir, Sum string

	texts []licenceText
}

type licenceText struct {
	name string // of the file, below the module's folder
	text []byte
}

// licenceFile matches the names of files that hold a licence, or what one asks to be passed on.
var licenceFile = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying|copyright|notice|patents|third_party_licen[cs]es|ofl)s?([-._].*)?$`)

// source matches files of code: "license.go" is none of a licence.
var source = regexp.MustCompile(`\.(go|s|h|c|py|sh)$`)

// chosen are the files of modules that leave a choice of licences.
var chosen = map[string][]string{
	"github.com/golang/freetype": {"LICENSE", "licenses/ftl.txt"}, // the FreeType License, not the GPL
}

// modulesOf returns the modules of a target's binary by path, the standard library as "std" first.
func modulesOf(t target, root string) ([]*module, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,Module,Standard", "./cmd/unpoison")
	cmd.Dir, cmd.Env, cmd.Stderr = root, t.environ(), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	goroot, version, err := goVersion(t, root)
	if err != nil {
		return nil, err
	}
	all := map[string]*module{"std": {Path: "std", Version: version, Dir: goroot}}
	folders := map[string][]string{"std": {goroot}}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Dir    string
			Module *struct {
				module
				Main bool
			}
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if p.Module == nil || p.Module.Main {
			continue
		}
		m := p.Module.module
		if all[m.Path] == nil {
			all[m.Path] = &m
		}
		folders[m.Path] = append(folders[m.Path], p.Dir)
	}
	var modules []*module
	for path, m := range all {
		if err := m.read(folders[path]); err != nil {
			return nil, err
		}
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b *module) int {
		if (a.Path == "std") != (b.Path == "std") {
			return map[bool]int{true: -1, false: 1}[a.Path == "std"]
		}
		return strings.Compare(a.Path, b.Path)
	})
	return modules, nil
}

func goVersion(t target, root string) (goroot, version string, err error) {
	cmd := exec.Command("go", "env", "GOROOT", "GOVERSION")
	cmd.Dir, cmd.Env = root, t.environ()
	out, err := cmd.Output()
	if err != nil {
		return "", "", fmt.Errorf("go env: %w", err)
	}
	goroot, version, _ = strings.Cut(strings.TrimSpace(string(out)), "\n")
	return goroot, version, nil
}

// read finds the licences in the folders of the packages and in those above them, up to the module's.
func (m *module) read(packages []string) error {
	names := map[string]bool{}
	for _, file := range chosen[m.Path] {
		names[file] = true
	}
	for _, dir := range packages {
		for len(chosen[m.Path]) == 0 {
			if err := licencesIn(m.Dir, dir, names); err != nil {
				return err
			}
			if dir == m.Dir || dir == filepath.Dir(dir) {
				break
			}
			dir = filepath.Dir(dir)
		}
	}
	for name := range names {
		text, err := os.ReadFile(filepath.Join(m.Dir, filepath.FromSlash(name)))
		if err != nil {
			return fmt.Errorf("the licence of %s: %w", m.Path, err)
		}
		m.texts = append(m.texts, licenceText{name, text})
	}
	slices.SortFunc(m.texts, func(a, b licenceText) int { return strings.Compare(a.name, b.name) })
	if len(m.licences()) == 0 {
		return fmt.Errorf("%s %s: expected the text of a known licence in %s, found %d files that could hold one", m.Path, m.Version, m.Dir, len(m.texts))
	}
	return nil
}

// licencesIn adds the files of dir that hold licences, and those of folders named so, by their names below root.
func licencesIn(root, dir string, names map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !licenceFile.MatchString(e.Name()) || source.MatchString(e.Name()) {
			continue
		}
		err := filepath.WalkDir(filepath.Join(dir, e.Name()), func(path string, f fs.DirEntry, err error) error {
			if err != nil || !f.Type().IsRegular() || source.MatchString(f.Name()) {
				return err
			}
			name, err := filepath.Rel(root, path)
			names[filepath.ToSlash(name)] = true
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// licences returns the SPDX identifiers of the licences in the module's texts. A grant of patents is none.
func (m *module) licences() []string {
	var ids []string
	for _, t := range m.texts {
		for _, match := range licensecheck.Scan(t.text).Match {
			if !match.IsURL && match.ID != "GooglePatentsFile" && !slices.Contains(ids, match.ID) {
				ids = append(ids, match.ID)
			}
		}
	}
	return ids
}

// notices returns the licences of all modules as one text.
func notices(modules []*module) []byte {
	var b bytes.Buffer
	b.WriteString("unpoison contains software of others, under these licences.\n")
	for _, m := range modules {
		name := m.Path
		if name == "std" {
			name = "The Go programming language and its standard library"
		}
		for _, t := range m.texts {
			fmt.Fprintf(&b, "\n%[1]s\n%[2]s %[3]s: %[4]s\n%[1]s\n\n%[5]s\n", strings.Repeat("=", 80), name, m.Version, t.name, bytes.TrimSpace(t.text))
		}
	}
	return b.Bytes()
}
