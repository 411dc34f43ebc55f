package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/unpoison/unpoison/internal/base/version"
)

// platforms are the wheels' tags. The binary is static: any Linux that pip knows can run it. Go 1.26 asks for macOS 12.
var platforms = map[target][]string{
	{"linux", "amd64"}:   {"manylinux_2_17_x86_64", "manylinux2014_x86_64", "musllinux_1_1_x86_64"},
	{"linux", "arm64"}:   {"manylinux_2_17_aarch64", "manylinux2014_aarch64", "musllinux_1_1_aarch64"},
	{"darwin", "amd64"}:  {"macosx_12_0_x86_64"},
	{"darwin", "arm64"}:  {"macosx_12_0_arm64"},
	{"windows", "amd64"}: {"win_amd64"},
	{"windows", "arm64"}: {"win_arm64"},
}

// project is the part of pyproject.toml that a wheel's metadata are made of.
type project struct {
	Name           string
	Version        string
	Description    string
	Readme         string
	RequiresPython string `toml:"requires-python"`
	Dependencies   []string
	Classifiers    []string
}

func readProject(python string) (*project, error) {
	var p struct{ Project project }
	path := filepath.Join(python, "pyproject.toml")
	if _, err := toml.DecodeFile(path, &p); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if p.Project.Version != version.Number {
		return nil, fmt.Errorf("%s: expected version %s, as the program has, found %s", path, version.Number, p.Project.Version)
	}
	return &p.Project, nil
}

// metadata is the wheel's METADATA (Python's core metadata, version 2.1).
func (p *project) metadata(readme []byte) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "Metadata-Version: 2.1\nName: %s\nVersion: %s\nSummary: %s\nLicense: Apache-2.0\nRequires-Python: %s\n", p.Name, p.Version, p.Description, p.RequiresPython)
	for _, c := range p.Classifiers {
		fmt.Fprintf(&b, "Classifier: %s\n", c)
	}
	for _, d := range p.Dependencies {
		fmt.Fprintf(&b, "Requires-Dist: %s\n", d)
	}
	fmt.Fprintf(&b, "Description-Content-Type: text/markdown\n\n%s", readme)
	return []byte(b.String())
}

// wheel returns the name and the bytes of the Python package for a target, which holds its binary, with papers such as
// licences (https://packaging.python.org/en/latest/specifications/binary-distribution-format/).
func wheel(t target, python string, binary []byte, papers []file, at time.Time) (string, []byte, error) {
	p, err := readProject(python)
	if err != nil {
		return "", nil, err
	}
	readme, err := os.ReadFile(filepath.Join(python, p.Readme))
	if err != nil {
		return "", nil, err
	}
	var files []file
	sources, err := filepath.Glob(filepath.Join(python, p.Name, "*.py"))
	if err != nil {
		return "", nil, err
	}
	for _, path := range append(sources, filepath.Join(python, p.Name, "py.typed")) {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", nil, err
		}
		files = append(files, file{p.Name + "/" + filepath.Base(path), 0o644, data})
	}
	base := p.Name + "-" + p.Version
	info := base + ".dist-info/"
	files = append(files, file{base + ".data/scripts/" + t.binary(), 0o755, binary})
	for _, f := range papers {
		files = append(files, file{info + f.name, f.mode, f.data})
	}
	about := "Wheel-Version: 1.0\nGenerator: unpoison\nRoot-Is-Purelib: false\n"
	for _, tag := range platforms[t] {
		about += "Tag: py3-none-" + tag + "\n"
	}
	files = append(files, file{info + "METADATA", 0o644, p.metadata(readme)}, file{info + "WHEEL", 0o644, []byte(about)})
	var record strings.Builder
	for _, f := range files {
		sum := sha256.Sum256(f.data)
		fmt.Fprintf(&record, "%s,sha256=%s,%d\n", f.name, base64.RawURLEncoding.EncodeToString(sum[:]), len(f.data))
	}
	fmt.Fprintf(&record, "%sRECORD,,\n", info)
	files = append(files, file{info + "RECORD", 0o644, []byte(record.String())})
	data, err := zipped("", files, at)
	return base + "-py3-none-" + strings.Join(platforms[t], ".") + ".whl", data, err
}
