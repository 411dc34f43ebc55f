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

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

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
	Figures   []Figure
	Galleries []Gallery
	Facts     [][2]string // settings and versions
}

// Figure is a plot with a caption.
type Figure struct {
	Title, Caption string
	SVG            template.HTML
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

// Line is a series of a plot. Dash tells lines apart in grey.
type Line struct {
	Name string
	Y    []float64 // at x = 1, 2, …
	Dash bool
}

// epochTicks puts at most ten whole numbers along the axis.
func epochTicks(lines []Line) plot.ConstantTicks {
	most := 0
	for _, l := range lines {
		most = max(most, len(l.Y))
	}
	var ticks plot.ConstantTicks
	step := (most + 9) / 10
	for e := step; e <= most; e += step {
		ticks = append(ticks, plot.Tick{Value: float64(e), Label: fmt.Sprint(e)})
	}
	return ticks
}

// LineFigure plots series over epochs.
func LineFigure(title, caption, x, y string, lines ...Line) (Figure, error) {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.Y.Min = 0
	p.Legend.Top = true
	p.Legend.XOffs = -vg.Points(8)
	p.Legend.ThumbnailWidth = vg.Points(28)
	p.Legend.Padding = vg.Points(2)
	p.X.Tick.Marker = epochTicks(lines)
	p.Add(plotter.NewGrid())
	for _, l := range lines {
		xy := make(plotter.XYs, len(l.Y))
		for i, v := range l.Y {
			xy[i] = plotter.XY{X: float64(i + 1), Y: v}
		}
		line, points, err := plotter.NewLinePoints(xy)
		if err != nil {
			return Figure{}, err
		}
		line.Width = vg.Points(1.6)
		line.Color, points.Color = blue, blue
		points.Shape = draw.CircleGlyph{}
		if l.Dash {
			line.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
			line.Color, points.Color = orange, orange
			points.Shape = draw.TriangleGlyph{}
		}
		p.Add(line, points)
		p.Legend.Add(l.Name+"   ", line, points) // the names touch the lines otherwise
	}
	c := vgsvg.New(15*vg.Centimeter, 8*vg.Centimeter)
	p.Draw(draw.Crop(draw.New(c), 0, -vg.Points(12), 0, -vg.Points(6))) // room for the last tick's label
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return Figure{}, err
	}
	svg := b.Bytes()
	if i := bytes.Index(svg, []byte("<svg")); i > 0 { // without the XML prologue
		svg = svg[i:]
	}
	return Figure{title, caption, template.HTML(svg)}, nil
}
