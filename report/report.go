// Package report writes a run as one HTML page that opens anywhere without a network.
package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.Must(template.New("page").Funcs(template.FuncMap{
	"source": source,
	"policy": func() string { return policy },
	"style":  func() template.CSS { return template.CSS(style) },
	"themed": themed,
	"weak":   func(all []Evidence) []Evidence { return weak(all, true) },
	"strong": func(all []Evidence) []Evidence { return weak(all, false) },
}).Parse(headStrip())).Parse(pageText))

// weak returns the evidence that is weak, or that is not.
func weak(all []Evidence, is bool) []Evidence {
	return slices.DeleteFunc(slices.Clone(all), func(e Evidence) bool { return e.Weak != is })
}

// headStrip is how heads show strips, for the rest of a page.
func headStrip() string {
	strip, _, _ := strings.Cut(headText, `{{define "answer"}}`)
	return strip
}

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
	Head      *Head    // the first screen, in the title's place
	Summary   []string // sentences
	Columns   []string
	Rows      [][]string
	Evidence  []Evidence
	Tables    []Table // more of them, each under a title
	Figures   []Figure
	Galleries []Gallery
	Trust     []string    // what the results can't promise, a paragraph each
	Facts     [][2]string // settings and versions
}

// Evidence is a picture of what speaks for something, with a sentence. Strip may be empty. What is Weak is folded away.
type Evidence struct {
	Title, Text string
	Class       string // the label that it is about
	Picture     template.HTML
	Strip       Strip
	Weak        bool
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
	Photo       bool // whether pixels are too many to be shown as squares
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
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, p)
	if err == nil {
		err = atomicfile.WriteBytes(path, []byte(shown.Replace(b.String())))
	}
	if err != nil {
		return fmt.Errorf("report %s: %w", filepath.Base(path), err)
	}
	return nil
}
