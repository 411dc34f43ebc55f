package report

import (
	"bytes"
	"fmt"
	"html/template"
	"image/color"
	"io"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

// Figure is a plot with a caption.
type Figure struct {
	Title, Caption string
	SVG            template.HTML

	plot *plot.Plot
}

// Line is a series of a plot.
type Line struct {
	Name string
	X    []float64 // nil: 1, 2, …
	Y    []float64
	Dash bool // the second style
}

// Axes names a plot's axes.
type Axes struct {
	X, Y     string
	LogX     bool // where all values are above 0
	PercentY bool // from 0 to 100
}

// styles tell lines apart in colour, in grey and by most colour-blind readers.
var styles = []struct {
	color color.Color
	dash  []vg.Length
	glyph draw.GlyphDrawer
}{
	{blue, nil, draw.CircleGlyph{}},
	{orange, []vg.Length{vg.Points(5), vg.Points(3)}, draw.TriangleGlyph{}},
	{color.RGBA{0x2a, 0x8f, 0x6b, 0xff}, []vg.Length{vg.Points(1.5), vg.Points(2.5)}, draw.SquareGlyph{}},
	{color.RGBA{0x8a, 0x4f, 0xa3, 0xff}, []vg.Length{vg.Points(8), vg.Points(3), vg.Points(1.5), vg.Points(3)}, draw.PyramidGlyph{}},
	{color.RGBA{0x40, 0x40, 0x40, 0xff}, []vg.Length{vg.Points(3), vg.Points(1.5)}, draw.PlusGlyph{}},
	{color.RGBA{0xb0, 0x30, 0x40, 0xff}, []vg.Length{vg.Points(10), vg.Points(2)}, draw.CrossGlyph{}},
}

// epochTicks puts at most ten whole numbers along the axis.
func epochTicks(lines []Line) plot.ConstantTicks {
	most := 0
	for _, l := range lines {
		most = max(most, len(l.Y))
	}
	var ticks plot.ConstantTicks
	step := max(1, (most+9)/10)
	for e := step; e <= most; e += step {
		ticks = append(ticks, plot.Tick{Value: float64(e), Label: fmt.Sprint(e)})
	}
	return ticks
}

// percentTicks are the same in all plots, so that these can be compared.
var percentTicks = plot.ConstantTicks{{Value: 0, Label: "0"}, {Value: 25, Label: "25"}, {Value: 50, Label: "50"}, {Value: 75, Label: "75"}, {Value: 100, Label: "100"}}

// valueTicks marks the values that lines have.
func valueTicks(lines []Line) plot.ConstantTicks {
	seen := map[float64]bool{}
	var ticks plot.ConstantTicks
	for _, l := range lines {
		for _, x := range l.X {
			if !seen[x] {
				seen[x] = true
				ticks = append(ticks, plot.Tick{Value: x, Label: fmt.Sprintf("%g", x)})
			}
		}
	}
	return ticks
}

// mostTicks of single values stand beside each other.
const mostTicks = 10

// decades marks the powers of ten from below the smallest to above the largest of some ticks, which are above 0.
func decades(ticks plot.ConstantTicks) plot.ConstantTicks {
	least, most := math.Inf(1), 0.0
	for _, t := range ticks {
		least, most = min(least, t.Value), max(most, t.Value)
	}
	var all plot.ConstantTicks
	for e := math.Floor(math.Log10(least)); e <= math.Ceil(math.Log10(most)); e++ {
		v := math.Pow(10, e)
		all = append(all, plot.Tick{Value: v, Label: fmt.Sprintf("%g", v)})
	}
	return all
}

// empty returns a plot with axes and a grid.
func empty(a Axes) *plot.Plot {
	p := plot.New()
	for _, style := range []*text.Style{&p.X.Label.TextStyle, &p.X.Tick.Label, &p.Y.Label.TextStyle, &p.Y.Tick.Label, &p.Legend.TextStyle} {
		style.Font.Variant = "Sans"
	}
	p.X.Label.Text, p.Y.Label.Text = a.X, a.Y
	p.Y.Min = 0
	p.Legend.Top = true
	p.Legend.XOffs = -vg.Points(8)
	p.Legend.ThumbnailWidth = vg.Points(28)
	p.Legend.Padding = vg.Points(2)
	p.Add(plotter.NewGrid())
	return p
}

// LineFigure plots series of finite values; others are refused.
func LineFigure(title, caption string, a Axes, lines ...Line) (Figure, error) {
	a.LogX = a.LogX && !slices.ContainsFunc(lines, func(l Line) bool { return slices.ContainsFunc(l.X, func(x float64) bool { return x <= 0 }) })
	p := empty(a)
	p.X.Tick.Marker = epochTicks(lines)
	for k, l := range lines {
		if l.X != nil && len(l.X) != len(l.Y) {
			return Figure{}, fmt.Errorf("the line %q has %d places along the axis for %d values, expected one for each", l.Name, len(l.X), len(l.Y))
		}
		xy := make(plotter.XYs, len(l.Y))
		for i, v := range l.Y {
			xy[i] = plotter.XY{X: float64(i + 1), Y: v}
			if l.X != nil {
				xy[i].X = l.X[i]
			}
		}
		line, points, err := plotter.NewLinePoints(xy)
		if err != nil {
			return Figure{}, err
		}
		style := styles[k%len(styles)]
		if l.Dash {
			style = styles[1]
		}
		line.Width = vg.Points(1.6)
		line.Color, points.Color, line.Dashes, points.Shape = style.color, style.color, style.dash, style.glyph
		p.Add(line, points)
		p.Legend.Add(l.Name+"   ", line, points) // the names touch the lines otherwise
		if l.X != nil {
			ticks := valueTicks(lines)
			if a.LogX && len(ticks) > mostTicks {
				ticks = decades(ticks)
			}
			p.X.Tick.Marker = ticks
		}
	}
	if a.LogX {
		p.X.Scale = plot.LogScale{}
		if p.X.Min == p.X.Max { // the library would widen one value to below 0
			p.X.Min, p.X.Max = p.X.Min/2, p.X.Max*2
		}
	}
	if a.PercentY { // above 100 there is the legend alone
		p.Y.Max = 100
		p.Y.Tick.Marker = percentTicks
	}
	p.Y.Max /= 1 - legend(len(lines))
	return figure(title, caption, p)
}

// legend is the share of the height that a legend of so many lines takes above what is plotted.
func legend(lines int) float64 { return min(0.6, 0.02+0.07*float64(lines)) }

// bins of a histogram.
const bins = 40

// Histogram says how two groups of values are spread.
type Histogram struct {
	Top    float64      `json:"top"`    // values above it are counted at it
	Shares [2][]float64 `json:"shares"` // of each group in 40 equal bins from 0 to Top; none of an empty group
}

// Spread counts the values of two groups, but for those that are no number.
func Spread(top float64, values [2][]float32) Histogram {
	h := Histogram{Top: top}
	for k, group := range values {
		if len(group) == 0 {
			continue
		}
		h.Shares[k] = make([]float64, bins)
		for _, v := range group {
			if at := float64(v) / top * bins; !math.IsNaN(at) {
				h.Shares[k][int(min(bins-1, max(0, at)))] += 1 / float64(len(group))
			}
		}
	}
	return h
}

// HistogramFigure plots how two groups of values are spread, each as a share of its own.
func HistogramFigure(title, caption string, a Axes, names [2]string, h Histogram) (Figure, error) {
	p := empty(a)
	for k, shares := range h.Shares {
		if len(shares) == 0 {
			continue
		}
		xy := make(plotter.XYs, 0, 2*len(shares))
		width := h.Top / float64(len(shares))
		for b, c := range shares {
			xy = append(xy, plotter.XY{X: width * float64(b), Y: c}, plotter.XY{X: width * float64(b+1), Y: c})
		}
		line, err := plotter.NewLine(xy)
		if err != nil {
			return Figure{}, err
		}
		line.Width, line.Color, line.Dashes = vg.Points(1.6), styles[k].color, styles[k].dash
		p.Add(line)
		p.Legend.Add(names[k]+"   ", line)
	}
	p.X.Max = math.Max(p.X.Max, h.Top)
	p.Y.Max /= 1 - legend(len(names))
	return figure(title, caption, p)
}

// The size of a figure.
const figureWidth, figureHeight = 15 * vg.Centimeter, 8 * vg.Centimeter

// inset leaves room for the last tick's label.
func inset(c draw.Canvas) draw.Canvas { return draw.Crop(c, 0, -vg.Points(12), 0, -vg.Points(6)) }

func figure(title, caption string, p *plot.Plot) (Figure, error) {
	c := vgsvg.New(figureWidth, figureHeight)
	p.Draw(inset(draw.New(c)))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return Figure{}, err
	}
	svg := b.Bytes()
	if i := bytes.Index(svg, []byte("<svg")); i > 0 { // without the XML prologue
		svg = svg[i:]
	}
	// Browsers rarely have the font that the text was measured with; these are as wide.
	svg = bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
	return Figure{title, caption, template.HTML(svg), p}, nil
}

// Save writes the figure as path.svg and path.png.
func (f Figure) Save(path string) error {
	if err := atomicfile.WriteBytes(path+".svg", []byte(f.SVG)); err != nil {
		return err
	}
	if f.plot == nil { // one that was read
		return nil
	}
	c := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(figureWidth, figureHeight), vgimg.UseDPI(144))}
	f.plot.Draw(inset(draw.New(c)))
	return atomicfile.Write(path+".png", func(w io.Writer) error {
		_, err := c.WriteTo(w)
		return err
	})
}

// themed lets a figure take a page's colours, in light and in dark. Files keep their own: what reads them may know no variables.
func themed(svg template.HTML) template.HTML {
	return template.HTML(strings.NewReplacer(
		"#000000", "currentColor", "#1F5F9F", "var(--ink)", "#E07B1A", "var(--accent)", "#808080", "var(--line)",
	).Replace(string(svg)))
}
