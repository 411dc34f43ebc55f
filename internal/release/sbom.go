package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/unpoison/unpoison/internal/base/version"
)

const modulePath = "github.com/unpoison/unpoison"

// sbom returns a target's bill of materials, CycloneDX 1.6 as JSON.
func sbom(t target, modules []*module, at time.Time) ([]byte, error) {
	main := cdx.Component{
		BOMRef: purlOf(modulePath, "v"+version.Number), Type: cdx.ComponentTypeApplication, Name: modulePath, Version: "v" + version.Number,
		PackageURL: purlOf(modulePath, "v"+version.Number) + "?goos=" + t.os + "&goarch=" + t.arch,
		Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}},
	}
	var parts []cdx.Component
	var refs []string
	for _, m := range modules {
		purl := purlOf(m.Path, m.Version)
		c := cdx.Component{BOMRef: purl, Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, Scope: cdx.ScopeRequired, PackageURL: purl}
		if m.Sum != "" {
			sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:"))
			if err != nil {
				return nil, fmt.Errorf("the sum of %s: %w", m.Path, err)
			}
			c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}} // of the module's files, as go.sum has it
		}
		var licences cdx.Licenses
		for _, id := range m.licences() {
			licences = append(licences, cdx.LicenseChoice{License: &cdx.License{ID: id}})
		}
		c.Licenses = &licences
		parts, refs = append(parts, c), append(refs, purl)
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Timestamp: at.Format(time.RFC3339), Component: &main}
	bom.Components = &parts
	bom.Dependencies = &[]cdx.Dependency{{Ref: main.BOMRef, Dependencies: &refs}}
	var b bytes.Buffer
	err := cdx.NewBOMEncoder(&b, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6)
	return b.Bytes(), err
}

// purlOf is a module's package URL: https://github.com/package-url/purl-spec has paths of Go in small letters, and writes what
// stands for something in a URL by its number, as the plus of "+incompatible".
func purlOf(path, version string) string {
	parts := strings.Split(strings.ToLower(path), "/")
	for k, p := range parts {
		parts[k] = url.PathEscape(p)
	}
	return "pkg:golang/" + strings.Join(parts, "/") + "@" + url.QueryEscape(version)
}
