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

// Gallery is a list of images.
type Gallery struct {
	Title, Note string
	Items       []Item
}

// Item is an image with text; Mark frames it.
type Item struct {
	Image   template.URL
	Caption string
	Mark    bool
}

// Write stores the page at path.
func (p *Page) Write(path string) error {
	if err := atomicfile.Write(path, func(w io.Writer) error { return pageTemplate.Execute(w, p) }); err != nil {
		return fmt.Errorf("report %s: %w", filepath.Base(path), err)
	}
	return nil
}

// ImageURL returns RGB bytes as a PNG in a data URL.
func ImageURL(pixels []uint8, h, w int) template.URL {
	var b bytes.Buffer
	if err := png.Encode(&b, dataset.ToImage(pixels, h, w)); err != nil {
		return ""
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes()))
}
