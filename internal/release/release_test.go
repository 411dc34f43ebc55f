package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/unpoison/unpoison/internal/app/cli"
	"github.com/unpoison/unpoison/internal/base/version"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

const root = "../.."

var at = time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC)

// Every module of every system's binary has a licence that is known, and the notices hold it.
func TestNoticesAreWhole(t *testing.T) {
	for _, target := range targets {
		t.Run(target.String(), func(t *testing.T) {
			t.Parallel()
			modules, err := modulesOf(target, root)
			if err != nil {
				t.Fatal(err)
			}
			if len(modules) < 10 || modules[0].Path != "std" {
				t.Fatalf("%d modules, the first %s", len(modules), modules[0].Path)
			}
			text := notices(modules)
			for _, m := range modules {
				for _, licence := range m.texts {
					if !bytes.Contains(text, bytes.TrimSpace(licence.text)) || !bytes.Contains(text, []byte(m.Version+": "+licence.name)) {
						t.Errorf("%s of %s is missing", licence.name, m.Path)
					}
				}
			}
			for _, part := range []string{"The FreeType Project LICENSE", "SIL OPEN FONT LICENSE", "Creative Commons Attribution 4.0", "The Go Authors"} {
				if !bytes.Contains(text, []byte(part)) {
					t.Errorf("no %q", part)
				}
			}
		})
	}
}

func TestMissingLicenceIsAnError(t *testing.T) {
	bsd := testfile.Read(t, filepath.Join(root, "LICENSE"))
	for _, c := range []struct {
		files map[string]string
		found string // the identifiers; empty for an error
	}{
		{map[string]string{"LICENSE": string(bsd)}, "Apache-2.0"},
		{map[string]string{"COPYING.md": string(bsd), "sub/LICENSE-MIT": "not one"}, "Apache-2.0"},
		{map[string]string{"sub/licenses/x.txt": string(bsd)}, "Apache-2.0"},
		{map[string]string{"other/LICENSE": string(bsd)}, ""}, // of a package that is not in the binary
		{map[string]string{"LICENSE": "All rights reserved."}, ""},
		{map[string]string{"license.go": string(bsd)}, ""},
		{nil, ""},
	} {
		m := &module{Path: "example.org/m", Version: "v1", Dir: t.TempDir()}
		for name, text := range c.files {
			path := filepath.Join(m.Dir, name)
			testfile.Write(t, path, text)
		}
		sub := filepath.Join(m.Dir, "sub")
		if err := os.MkdirAll(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		err := m.read([]string{sub})
		if (err == nil) != (c.found != "") || err != nil && !strings.Contains(err.Error(), "example.org/m v1: expected the text of a known licence") {
			t.Errorf("%v: %v", c.files, err)
		}
		if got := strings.Join(m.licences(), ","); got != c.found {
			t.Errorf("%v: found %q", c.files, got)
		}
	}
}

// packed returns a release whose binary is a few bytes.
func packed(t *testing.T, target target) []file {
	t.Helper()
	modules := []*module{{Path: "example.org/m", Version: "v1.2.3", Sum: "h1:" + base64.StdEncoding.EncodeToString(make([]byte, 32))}}
	text := testfile.Read(t, filepath.Join(root, "LICENSE"))
	modules[0].texts = []licenceText{{"LICENSE", text}}
	files, err := pack(target, root, []byte("binary"), modules, at)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestSameInputSameBytes(t *testing.T) {
	for _, target := range targets {
		first, second := packed(t, target), packed(t, target)
		for i, f := range first {
			if f.name != second[i].name || !bytes.Equal(f.data, second[i].data) {
				t.Errorf("%s differs", f.name)
			}
		}
	}
}

// What is written for people to read tells nothing of who builds, or where; nor do settings of Go's get into a build.
func TestNothingOfTheBuilderIsInARelease(t *testing.T) {
	var first []file
	for _, who := range []string{"ann", "bob"} {
		for _, v := range []string{"USER", "USERNAME", "LOGNAME", "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"} {
			t.Setenv(v, filepath.Join(os.TempDir(), who))
		}
		t.Setenv("USER", who)
		t.Setenv("UNPOISON_CPU", map[string]string{"ann": "generic"}[who])
		pages, err := manPages(cli.Command(), at)
		if err != nil {
			t.Fatal(err)
		}
		shells, err := completions(cli.Command())
		if err != nil {
			t.Fatal(err)
		}
		all := slices.Concat(pages, shells)
		if first == nil {
			first = all
		}
		for i, f := range all {
			if !bytes.Equal(f.data, first[i].data) {
				t.Errorf("%s differs", f.name)
			}
		}
	}
	settings := filepath.Join(t.TempDir(), "env")
	testfile.Write(t, settings, "GOFIPS140=latest\nGOEXPERIMENT=arenas\nGOFLAGS=-race\n")
	t.Setenv("GOENV", settings)
	c := exec.Command("go", "env", "GOFIPS140", "GOEXPERIMENT", "GOFLAGS")
	c.Env = targets[0].environ()
	if out, err := c.Output(); err != nil || string(out) != "off\n\n\n" {
		t.Errorf("a build is made with %q: %v", out, err)
	}
}

// entries returns the files of an archive by name, and the mode of each.
func entries(t *testing.T, f file) map[string]file {
	t.Helper()
	all := map[string]file{}
	keep := func(name string, mode os.FileMode, when time.Time, r io.Reader) {
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if !when.Equal(at) {
			t.Errorf("%s in %s is of %s", name, f.name, when)
		}
		all[name] = file{name, mode, data}
	}
	if strings.HasSuffix(f.name, ".tar.gz") {
		z, err := gzip.NewReader(bytes.NewReader(f.data))
		if err != nil {
			t.Fatal(err)
		}
		for r := tar.NewReader(z); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				return all
			}
			if err != nil {
				t.Fatal(err)
			}
			keep(h.Name, h.FileInfo().Mode(), h.ModTime, r)
		}
	}
	z, err := zip.NewReader(bytes.NewReader(f.data), int64(len(f.data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range z.File {
		r, err := e.Open()
		if err != nil {
			t.Fatal(err)
		}
		keep(e.Name, e.Mode(), e.Modified, r)
	}
	return all
}

// An archive holds the program, which can be run, a page of the manual for each command, completions and licences.
func TestArchivesAreWhole(t *testing.T) {
	for _, target := range targets {
		f := packed(t, target)[0]
		folder := fmt.Sprintf("unpoison-%s-%s-%s/", version.Number, target.os, target.arch)
		if !strings.HasPrefix(f.name+"/", folder[:len(folder)-1]) {
			t.Errorf("the archive is called %s", f.name)
		}
		all := entries(t, f)
		want := []string{target.binary(), "LICENSE", "THIRD_PARTY_NOTICES.txt", "README.md", "CHANGELOG.md", "sbom.cdx.json", "completions/_unpoison", "completions/unpoison.bash", "completions/unpoison.fish", "completions/unpoison.ps1", "man/man1/unpoison.1", "man/man1/unpoison-data-filter.1"}
		for _, c := range cli.Command().Commands() {
			if c.IsAvailableCommand() {
				want = append(want, "man/man1/unpoison-"+c.Name()+".1")
			}
		}
		for _, name := range want {
			if len(all[folder+name].data) == 0 {
				t.Errorf("%s: no %s", f.name, name)
			}
		}
		if mode := all[folder+target.binary()].mode; mode != 0o755 {
			t.Errorf("the program has the mode %v", mode)
		}
		if page := all[folder+"man/man1/unpoison-audit.1"].data; !bytes.Contains(page, []byte("fail-on-findings")) || !bytes.Contains(page, []byte("Jan 2026")) {
			t.Errorf("the manual begins with %.200s", page)
		}
	}
}

// A wheel's RECORD names all of its files with their sums, and its name the systems that it is for.
func TestWheels(t *testing.T) {
	for _, target := range targets {
		f := packed(t, target)[1]
		all := entries(t, f)
		info := "unpoison-" + version.Number + ".dist-info/"
		rows, err := csv.NewReader(bytes.NewReader(all[info+"RECORD"].data)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var named []string
		for _, row := range rows {
			named = append(named, row[0])
			sum := sha256.Sum256(all[row[0]].data)
			if want := "sha256=" + base64.RawURLEncoding.EncodeToString(sum[:]); row[0] != info+"RECORD" && row[1] != want {
				t.Errorf("%s has the sum %s, RECORD says %s", row[0], want, row[1])
			}
		}
		for name := range all {
			if !slices.Contains(named, name) {
				t.Errorf("%s is not in RECORD", name)
			}
		}
		script := all["unpoison-"+version.Number+".data/scripts/"+target.binary()]
		if string(script.data) != "binary" || script.mode != 0o755 {
			t.Errorf("the program is %+v", script)
		}
		for _, tag := range platforms[target] {
			if !strings.Contains(string(all[info+"WHEEL"].data), "Tag: py3-none-"+tag+"\n") || !strings.Contains(f.name, tag) {
				t.Errorf("%s is not for %s", f.name, tag)
			}
		}
		for _, line := range []string{"Name: unpoison", "Version: " + version.Number, "Requires-Dist: numpy>=1.20", "Requires-Python: >=3.10"} {
			if !strings.Contains(string(all[info+"METADATA"].data), line+"\n") {
				t.Errorf("the metadata have no %q", line)
			}
		}
		for _, name := range []string{"unpoison/__init__.py", "unpoison/py.typed", info + "THIRD_PARTY_NOTICES.txt", info + "sboms/sbom.cdx.json"} {
			if _, ok := all[name]; !ok {
				t.Errorf("no %s", name)
			}
		}
	}
}

func TestSBOM(t *testing.T) {
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(packed(t, targets[0])[2].data), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	if bom.SpecVersion != cdx.SpecVersion1_6 || bom.Metadata.Component.Name != modulePath || len(*bom.Components) != 1 {
		t.Fatalf("%+v", bom)
	}
	c := (*bom.Components)[0]
	if c.PackageURL != "pkg:golang/example.org/m@v1.2.3" || (*c.Licenses)[0].License.ID != "Apache-2.0" || (*c.Hashes)[0].Value != strings.Repeat("0", 64) {
		t.Errorf("%+v", c)
	}
	if (*bom.Dependencies)[0].Ref != bom.Metadata.Component.BOMRef || (*(*bom.Dependencies)[0].Dependencies)[0] != c.BOMRef {
		t.Errorf("%+v", *bom.Dependencies)
	}
}

func TestTargets(t *testing.T) {
	if got, err := choose(nil); err != nil || len(got) != 6 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := choose([]string{"plan9/amd64"}); err == nil || !strings.Contains(err.Error(), `no target "plan9/amd64"; there are [linux/amd64`) {
		t.Error(err)
	}
}
