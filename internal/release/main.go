// Command release makes what people download: for each system an archive with the binary, its manual, completions and
// licences, a Python wheel that holds the same binary, and a bill of materials; and the checksums of all.
//
//	go run ./internal/release [--out dist] [--snapshot] [linux/amd64 …]
//
// The same commit and version of Go give the same bytes. A release is made of the tagged commit as it is; --snapshot makes
// one of what there is.
package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/unpoison/unpoison/internal/app/cli"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/version"
)

func main() {
	out := flag.String("out", "dist", "folder for the release")
	snapshot := flag.Bool("snapshot", false, "of what there is, tagged or not")
	flag.Parse()
	if err := release(".", *out, *snapshot, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release writes the release of the named targets, or of all, made of the source at root.
func release(root, out string, snapshot bool, names []string) error {
	wanted, err := choose(names)
	if err != nil {
		return err
	}
	if !snapshot {
		if err := checkTagged(root); err != nil {
			return err
		}
	}
	commit, at, err := head(root)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var sums strings.Builder
	for _, t := range wanted {
		modules, err := modulesOf(t, root)
		if err != nil {
			return err
		}
		binary, err := build(t, root)
		if err != nil {
			return err
		}
		if err := check(binary, modules, commit, snapshot); err != nil {
			return err
		}
		files, err := pack(t, root, binary, modules, at)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := atomicfile.WriteBytes(filepath.Join(out, f.name), f.data); err != nil {
				return err
			}
			fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(f.data), f.name)
			fmt.Printf("%s, %.1f MB\n", filepath.Join(out, f.name), float64(len(f.data))/1e6)
		}
	}
	return atomicfile.WriteBytes(filepath.Join(out, "SHA256SUMS"), []byte(sums.String()))
}

func choose(names []string) ([]target, error) {
	if len(names) == 0 {
		return targets, nil
	}
	var wanted []target
	for _, name := range names {
		i := slices.IndexFunc(targets, func(t target) bool { return t.String() == name })
		if i < 0 {
			return nil, fmt.Errorf("no target %q; there are %v", name, targets)
		}
		wanted = append(wanted, targets[i])
	}
	return wanted, nil
}

// pack puts a target's binary and what belongs to it into an archive and a wheel, and its bill of materials beside them.
func pack(t target, root string, binary []byte, modules []*module, at time.Time) ([]file, error) {
	licence, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		return nil, err
	}
	bill, err := sbom(t, modules, at)
	if err != nil {
		return nil, err
	}
	papers := []file{{"LICENSE", 0o644, licence}, {"THIRD_PARTY_NOTICES.txt", 0o644, notices(modules)}}
	files := append([]file{{t.binary(), 0o755, binary}}, papers...)
	for _, name := range []string{"README.md", "CHANGELOG.md"} {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, err
		}
		files = append(files, file{name, 0o644, data})
	}
	pages, err := manPages(cli.Command(), at)
	if err != nil {
		return nil, err
	}
	shells, err := completions(cli.Command())
	if err != nil {
		return nil, err
	}
	files = slices.Concat(files, pages, shells, []file{{"sbom.cdx.json", 0o644, bill}})

	base := fmt.Sprintf("unpoison-%s-%s-%s", version.Number, t.os, t.arch)
	kind, make := ".tar.gz", tarGz
	if t.os == "windows" {
		kind, make = ".zip", zipped
	}
	archive, err := make(base, files, at)
	if err != nil {
		return nil, err
	}
	name, python, err := wheel(t, filepath.Join(root, "python"), binary, append(papers, file{"sboms/sbom.cdx.json", 0o644, bill}), at)
	if err != nil {
		return nil, err
	}
	return []file{{base + kind, 0o644, archive}, {name, 0o644, python}, {base + ".cdx.json", 0o644, bill}}, nil
}
