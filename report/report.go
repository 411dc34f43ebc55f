// Package report writes a run as one HTML page that opens anywhere without a network.
package report

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image/png"
	"io"
	"path/filepath"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/atomicfile"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// Page is what a report shows, from top to bottom.
type Page struct {
	Title     string
	Summary   []string // sentences
	Columns   []string
	Rows      [][]string
	Tables    []Table // more of them, each under a title
	Figures   []Figure
	Galleries []Gallery
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

// Item is an image with text; Mark frames it. Index and Drop are for Decide.
type Item struct {
	Image   template.URL
	Caption string
	Mark    bool
	Index   int
	Drop    bool
}

// Write stores the page at path.
func (p *Page) Write(path string) error {
	if err := atomicfile.Write(path, func(w io.Writer) error { return pageTemplate.Execute(w, p) }); err != nil {
		return fmt.Errorf("report %s: %w", filepath.Base(path), err)
	}
	return nil
}

// thumbnail is the most pixels a side that a page shows of an image.
const thumbnail = 96

// ImageURL returns RGB bytes as a PNG in a data URL, made smaller if it is large.
func ImageURL(pixels []uint8, h, w int) template.URL {
	if side := max(h, w); side > thumbnail {
		th, tw := max(1, h*thumbnail/side), max(1, w*thumbnail/side)
		pixels, h, w = dataset.Resize(pixels, h, w, th, tw), th, tw
	}
	var b bytes.Buffer
	if err := png.Encode(&b, dataset.ToImage(pixels, h, w)); err != nil {
		return ""
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes()))
}
