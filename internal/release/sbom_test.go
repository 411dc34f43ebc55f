package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// What CycloneDX's JSON schema 1.6 asks of the parts of it that are used here, https://cyclonedx.org/schema/bom-1.6.schema.json.
var (
	purlForm   = regexp.MustCompile(`^pkg:golang(/[a-z0-9._~%-]+)+@[A-Za-z0-9._~%-]+(\?[a-z0-9._-]+=[^&#]*(&[a-z0-9._-]+=[^&#]*)*)?$`)
	hashForm   = regexp.MustCompile(`^[0-9a-f]{64}$`)
	spdxForm   = regexp.MustCompile(`^[A-Za-z0-9.+-]+$`)
	serialForm = regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	types      = []string{"application", "framework", "library", "container", "platform", "operating-system", "device", "device-driver", "firmware", "file", "machine-learning-model", "data", "cryptographic-asset"}
)

type component struct {
	Type, Name, Version, Scope, Purl string
	Ref                              string `json:"bom-ref"`
	Hashes                           []struct{ Alg, Content string }
	Licenses                         []struct {
		Expression string
		License    *struct{ ID, Name string }
	}
}

// faults are what the schema would not accept, and references to nothing.
func faults(raw []byte) []string {
	var all []string
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	var bom struct {
		BomFormat, SpecVersion, SerialNumber string
		Version                              int
		Metadata                             struct {
			Timestamp string
			Component component
		}
		Components   []component
		Dependencies []struct {
			Ref       string
			DependsOn []string
		}
	}
	if err := json.Unmarshal(raw, &bom); err != nil {
		return []string{err.Error()}
	}
	if bom.BomFormat != "CycloneDX" || bom.SpecVersion != "1.6" || bom.Version < 1 {
		say("bomFormat %q, specVersion %q, version %d", bom.BomFormat, bom.SpecVersion, bom.Version)
	}
	if bom.SerialNumber != "" && !serialForm.MatchString(bom.SerialNumber) {
		say("serialNumber %q", bom.SerialNumber)
	}
	if _, err := time.Parse(time.RFC3339, bom.Metadata.Timestamp); err != nil {
		say("timestamp: %v", err)
	}
	refs := map[string]bool{}
	for _, c := range append([]component{bom.Metadata.Component}, bom.Components...) {
		if c.Ref == "" || refs[c.Ref] {
			say("%s: bom-ref %q is empty or there twice", c.Name, c.Ref)
		}
		refs[c.Ref] = true
		if c.Name == "" || c.Version == "" || !slices.Contains(types, c.Type) || !slices.Contains([]string{"", "required", "optional", "excluded"}, c.Scope) {
			say("name %q, version %q, type %q, scope %q", c.Name, c.Version, c.Type, c.Scope)
		}
		if !purlForm.MatchString(c.Purl) {
			say("%s: purl %q", c.Name, c.Purl)
		}
		for _, h := range c.Hashes {
			if h.Alg != "SHA-256" || !hashForm.MatchString(h.Content) {
				say("%s: hash %v", c.Name, h)
			}
		}
		for _, l := range c.Licenses {
			if l.License == nil || l.Expression != "" || (l.License.ID == "") == (l.License.Name == "") || l.License.ID != "" && !spdxForm.MatchString(l.License.ID) {
				say("%s: licence %+v", c.Name, l)
			}
		}
	}
	told := map[string]bool{}
	for _, d := range bom.Dependencies {
		if told[d.Ref] || !refs[d.Ref] {
			say("dependencies: %q is there twice, or no component", d.Ref)
		}
		told[d.Ref] = true
		for k, to := range d.DependsOn {
			if !refs[to] || slices.Contains(d.DependsOn[:k], to) {
				say("dependencies: %q is there twice, or no component", to)
			}
		}
	}
	return all
}

// The bill of every target's real modules is one that the schema accepts, and the test tells ones that it doesn't.
func TestSBOMFollowsTheSchema(t *testing.T) {
	modules, err := modulesOf(targets[0], root)
	if err != nil {
		t.Fatal(err)
	}
	modules = append(modules, &module{Path: "github.com/BurntSushi/toml", Version: "v2.0.0+incompatible"})
	raw, err := sbom(targets[0], modules, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults(raw) {
		t.Error(f)
	}
	if !strings.Contains(string(raw), `"purl": "pkg:golang/github.com/burntsushi/toml@v2.0.0%2Bincompatible"`) {
		t.Error("the package URL of a module with capitals and a plus is wrong")
	}
	for _, change := range [][2]string{
		{`"specVersion": "1.6"`, `"specVersion": "9"`},
		{`"type": "library"`, `"type": "thing"`},
		{`"purl": "pkg:golang/std@`, `"purl": "golang/std@`},
		{`"bom-ref": "pkg:golang/std@`, `"bom-ref": "pkg:golang/other@`},
		{`%2Bincompatible`, `+incompatible`},
	} {
		broken := strings.ReplaceAll(string(raw), change[0], change[1])
		if broken == string(raw) || len(faults([]byte(broken))) == 0 {
			t.Errorf("%s instead of %s is not told", change[1], change[0])
		}
	}
	twice := append(slices.Clone(modules), modules[0])
	if raw, err = sbom(targets[0], twice, at); err != nil || len(faults(raw)) == 0 {
		t.Errorf("a module that is there twice is not told (%v)", err)
	}
}
