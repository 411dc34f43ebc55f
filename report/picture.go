package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

// Pictures are small drawings that take their colours from Style and have no styles of their own, so that they work under any
// content security policy.

// pictureWidth is that of all pictures, in the units of their view boxes; letters are 12 of them high.
const pictureWidth = 340

type svg struct{ strings.Builder }

func (s *svg) add(format string, args ...any) { fmt.Fprintf(&s.Builder, format, args...) }

// text writes a name or number; end is where it stands: start, middle or end.
func (s *svg) text(x, y float64, class, end, text string) {
	s.add(`<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`, x, y, class, end, html.EscapeString(text))
}

func (s *svg) picture(height float64, says string) template.HTML {
	return template.HTML(fmt.Sprintf(`<svg class="picture" viewBox="0 0 %d %.0f" role="img" aria-label="%s">%s</svg>`, pictureWidth, height, html.EscapeString(says), s.String()))
}

// shorten keeps a name to so many letters.
func shorten(name string, letters int) string {
	if r := []rune(name); len(r) > letters {
		return string(r[:letters-1]) + "…"
	}
	return name
}

// Share is a part of a whole with a name.
type Share struct {
	Name        string
	Part, Whole int
}

// Shares draws a bar for each share.
func Shares(all ...Share) template.HTML {
	var s svg
	var says []string
	const row = 40
	for k, one := range all {
		y := float64(k * row)
		count := fmt.Sprintf("%s of %s", Count(one.Part), Count(one.Whole))
		says = append(says, one.Name+": "+count)
		s.text(0, y+13, "", "start", shorten(one.Name, 34))
		s.text(pictureWidth, y+13, "quiet", "end", count)
		width := pictureWidth * float64(one.Part) / float64(max(1, one.Whole))
		if one.Part > 0 {
			width = max(width, 2)
		}
		s.add(`<rect x="0" y="%.0f" width="%d" height="12" class="off"/><rect x="0" y="%.0f" width="%.1f" height="12" class="on"/>`, y+19, pictureWidth, y+19, width)
	}
	return s.picture(float64(len(all)*row), strings.Join(says, "; "))
}

// Kinds draws two kinds of images along the line between them, each as a normal distribution: so many deviations apart.
func Kinds(rest, suspects int, distance float64) template.HTML {
	var s svg
	const base, high, margin = 104, 76, 3.2
	distance = math.Max(0, distance)
	unit := pictureWidth / (distance + 2*margin)
	at := func(d float64) float64 { return (d + margin) * unit }
	most := float64(max(1, rest, suspects))
	for _, k := range []struct {
		class string
		mean  float64
		n     int
	}{{"off", 0, rest}, {"on", distance, suspects}} {
		h := high * math.Max(0.12, float64(k.n)/most)
		s.add(`<path class="%s" d="M%.1f %d`, k.class, at(k.mean-margin), base)
		for step := -32; step <= 32; step++ {
			d := float64(step) / 10
			s.add(" L%.1f %.1f", at(k.mean+d), base-h*math.Exp(-d*d/2))
		}
		s.add(` L%.1f %d Z"/>`, at(k.mean+margin), base)
	}
	s.add(`<path class="base" d="M0 %d H%d"/>`, base, pictureWidth)
	s.text(0, base+16, "quiet", "start", Plural(rest, "other"))
	s.text(pictureWidth, base+16, "", "end", Plural(suspects, "suspect"))
	return s.picture(base+22, fmt.Sprintf("%s and %s, %.1f standard deviations apart", Plural(rest, "other"), Plural(suspects, "suspect"), distance))
}

// Dots draws a dot for each of n, of which the first so many are marked.
func Dots(marked, n int) template.HTML {
	var s svg
	const perRow, size = 25, pictureWidth / 25.0
	for k := range n {
		class := "off"
		if k < marked {
			class = "on"
		}
		s.add(`<circle cx="%.1f" cy="%.1f" r="4.6" class="%s"/>`, (float64(k%perRow)+0.5)*size, (float64(k/perRow)+0.5)*size, class) //nolint:mnd // a dot and its gap
	}
	return s.picture(size*math.Ceil(float64(n)/perRow), fmt.Sprintf("%d of %d", marked, n))
}

// Matrix draws rows of a confusion matrix: counts[r][c] images of the label rows[r] look like the class columns[c]. Odd rows are
// framed. Of many columns those with the largest counts are shown.
func Matrix(rows, columns []string, counts [][]int, odd []bool) template.HTML {
	const most, left, cell, head = 7, 84, 32, 66 // so that the last name, which leans to the right, is in the picture
	columns, counts = largest(columns, counts, most)
	var s svg
	for c, name := range columns {
		x := left + (float64(c)+0.5)*cell
		s.add(`<text x="%.1f" y="%d" class="quiet" text-anchor="start" transform="rotate(-60 %.1f %d)">%s</text>`, x, head-6, x, head-6, html.EscapeString(shorten(name, 11)))
	}
	var says []string
	for r, name := range rows {
		y := head + float64(r)*cell
		s.text(left-6, y+20, "", "end", shorten(name, 12))
		peak := 1
		for _, n := range counts[r] {
			peak = max(peak, n)
		}
		for c, n := range counts[r] {
			x := left + float64(c)*cell
			class, text := "off", "quiet"
			if r < len(odd) && odd[r] {
				class, text = "on", "in"
			}
			share := float64(n) / float64(peak)
			if share < 0.5 {
				text = ""
			}
			s.add(`<rect x="%.1f" y="%.1f" width="%d" height="%d" class="off" opacity="0.25"/><rect x="%.1f" y="%.1f" width="%d" height="%d" class="%s" opacity="%.2f"/>`,
				x+1, y+1, cell-2, cell-2, x+1, y+1, cell-2, cell-2, class, share)
			s.text(x+cell/2, y+20, text, "middle", fmt.Sprint(n))
		}
		if r < len(odd) && odd[r] {
			s.add(`<rect x="%d" y="%.1f" width="%d" height="%d" class="frame"/>`, left, y, len(columns)*cell, cell)
		}
		says = append(says, fmt.Sprintf("%s: %v", name, counts[r]))
	}
	return s.picture(head+float64(len(rows))*cell+2, strings.Join(columns, ", ")+"; "+strings.Join(says, "; "))
}

// largest keeps the columns with the largest counts, in their order.
func largest(columns []string, counts [][]int, most int) (names []string, cut [][]int) {
	sums := make([]int, len(columns))
	for _, row := range counts {
		for c := range columns {
			sums[c] += row[c]
		}
	}
	cut = make([][]int, len(counts))
	for c, name := range columns {
		better := 0
		for o := range columns {
			if sums[o] > sums[c] || sums[o] == sums[c] && o < c {
				better++
			}
		}
		if better >= most {
			continue
		}
		names = append(names, name)
		for r := range counts {
			cut[r] = append(cut[r], counts[r][c])
		}
	}
	return names, cut
}

// Plural writes a number of things, of which this is the word for one.
func Plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + one + "s"
}

// Count writes a number with commas between its thousands.
func Count(n int) string {
	text := fmt.Sprint(n)
	for k := len(text) - 3; k > 0 && text[k-1] != '-'; k -= 3 {
		text = text[:k] + "," + text[k:]
	}
	return text
}
