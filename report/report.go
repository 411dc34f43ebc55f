// Package report writes a run as one HTML page that opens anywhere without a network.
package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image/jpeg"
	"image/png"
	"io"
	"path/filepath"
	"strings"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"policy": func() string { return policy }}).Parse(pageText))

// policy is the page's content security policy: it fetches nothing, and runs its own script alone, whatever names from the
// data say.
var policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src '" + scriptHash(pageText) + "'; base-uri 'none'; form-action 'none'"

// scriptHash returns the hash of a page's script as policies have it.
func scriptHash(page string) string {
	_, script, _ := strings.Cut(page, "<script>")
	script, _, _ = strings.Cut(script, "</script>")
	sum := sha256.Sum256([]byte(script))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// Page is what a report shows, from top to bottom.
type Page struct {
	Title     string
	Summary   []string // sentences
	Columns   []string
	Rows      [][]string
	Tables    []Table // more of them, each under a title
	Figures   []Figure
	Galleries []Gallery
	Trust     []string    // what the results can't promise, a paragraph each
	Facts     [][2]string // settings and versions
}

// Table is a table with a title and a note.
type Table struct {
	Title, Note string
	Columns     []string
	Rows        [][]string
}

// Gallery is a list of images. With Decide each can be marked to be kept or dropped, and the decisions
// saved as the CSV that unpoison data filter takes.
type Gallery struct {
	Title, Note string
	Items       []Item
	Decide      bool
}

// Item is an image with text; Mark frames it, Near stands beside it to compare. Index, Source and Digest, by which lists
// refer to an image, and Drop are for Decide.
type Item struct {
	Image   template.URL
	Caption string
	Detail  string // smaller, below
	Near    []template.URL
	Mark    bool
	Index   int
	Source  string
	Digest  string
	Drop    bool
}

// Write stores the page at path.
func (p *Page) Write(path string) error {
	if err := atomicfile.Write(path, func(w io.Writer) error { return pageTemplate.Execute(w, p) }); err != nil {
		return fmt.Errorf("report %s: %w", filepath.Base(path), err)
	}
	return nil
}

// The most pixels a side that a page shows of an image, and of one to compare with.
const thumbnail, small = 96, 48

// ImageURL returns RGB bytes in a data URL: a PNG, every pixel as it is, or a JPEG, made smaller, if it is
// large.
func ImageURL(pixels []uint8, h, w int) template.URL {
	if max(h, w) > thumbnail {
		return jpegURL(pixels, h, w, thumbnail)
	}
	return dataURL("png", func(b *bytes.Buffer) error { return png.Encode(b, dataset.ToImage(pixels, h, w)) })
}

// SmallURL is ImageURL for an image that others are compared with: small and not exact.
func SmallURL(pixels []uint8, h, w int) template.URL { return jpegURL(pixels, h, w, small) }

func jpegURL(pixels []uint8, h, w, most int) template.URL {
	if side := max(h, w); side > most {
		th, tw := max(1, h*most/side), max(1, w*most/side)
		pixels, h, w = dataset.Resize(pixels, h, w, th, tw), th, tw
	}
	return dataURL("jpeg", func(b *bytes.Buffer) error {
		return jpeg.Encode(b, dataset.ToImage(pixels, h, w), &jpeg.Options{Quality: 85})
	})
}

func dataURL(kind string, encode func(*bytes.Buffer) error) template.URL {
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		return "" // not for images of a set, whose sizes are positive
	}
	return template.URL("data:image/" + kind + ";base64," + base64.StdEncoding.EncodeToString(b.Bytes()))
}
