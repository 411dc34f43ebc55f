package content

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset"
)

const (
	copyBase   = 32     // pixels a side that images are compared at, at most
	copySide   = 8      // of the thumbnails that are compared
	copyNear   = 2      // thumbnail pixels around one whose mean is taken off
	copyPoints = 3      // of a thumbnail's pixel across, that are looked at
	copyAlike  = 0.8    // cosine of two thumbnails from which one image is a copy of the other
	copyTurned = 0.05   // of the links are by a turn that is looked for
	copyAsked  = 100    // cases that are asked whether they have copies
	copied     = 0.5    // of these have
	copyOthers = 0.5    // as many as have one under other labels, at most
	copyLink   = 1. / 3 // of the cases, at most, are linked: a trigger would link more than copies of some images
)

// part is what a copy may show of an image: a square from a place, as shares of the image, turned about the image's middle.
type part struct{ top, left, side, angle float64 }

// copyViews are cut by up to a fifth, moved by a twentieth, or turned by up to 15°.
func copyViews() (views []part) {
	views = append(views, part{0, 0, 1, 0})
	for _, corner := range [][2]float64{{0, 0}, {0, 1}, {1, 0}, {1, 1}} {
		for _, cut := range []float64{0.12, 0.2} {
			views = append(views, part{corner[0] * cut, corner[1] * cut, 1 - cut, 0})
		}
		views = append(views, part{corner[0]*0.1 - 0.05, corner[1]*0.1 - 0.05, 1, 0})
	}
	for _, cut := range []float64{0.12, 0.2} {
		views = append(views, part{cut / 2, cut / 2, 1 - cut, 0})
	}
	for _, degrees := range []float64{-15, -8, 8, 15} {
		views = append(views, part{0, 0, 1, degrees * math.Pi / 180}, part{0.06, 0.06, 0.88, degrees * math.Pi / 180})
	}
	return views
}

// copyTurns are the places in a thumbnail's row of what is at each place of one that is turned by right angles, mirrored or not.
func copyTurns() (turns [][]int) {
	for turn := range 8 {
		from := make([]int, 0, 3*copySide*copySide)
		for j := range 3 * copySide * copySide {
			y, x := j/3/copySide, j/3%copySide
			if turn >= 4 {
				x = copySide - 1 - x
			}
			for range turn % 4 {
				y, x = x, copySide-1-y
			}
			from = append(from, (y*copySide+x)*3+j%3)
		}
		turns = append(turns, from)
	}
	return turns
}

// copiesOf numbers the copies among a lesson's cases and controls: images of one label that are cut, mirrored, turned, lighter or darker ones of
// one another, as in sets that were enlarged before they were stored. Copies of one odd photograph have the photograph in common. Nil
// where fewer than half of the cases have copies; where images under other labels are alike as often, as pictures of one road sign
// are; or where so many are alike that something else makes them so.
func copiesOf(c *look.Case, l lesson) map[int]int {
	asked := c.Draw("content copies", l.cases, copyAsked, l.key(l.round)...)
	turns := copyTurns()
	links := copyLinks(c, asked, l.cases, turns)
	having := havingLinks(links)
	if having < copied*float64(len(asked)) || havingLinks(copyLinks(c, asked, l.alike, turns)) > copyOthers*having {
		return nil
	}
	size := map[int]int{}
	of := groups(links)
	for _, i := range l.cases {
		if n, is := of[i]; is {
			size[n]++
			if float64(size[n]) > copyLink*float64(len(l.cases)) {
				return nil
			}
		}
	}
	byLabel := map[int32][]int{}
	for _, i := range stat.Union(l.cases, stat.Union(l.alike, l.own)) {
		byLabel[c.Data.Labels[i]] = append(byLabel[c.Data.Labels[i]], i)
	}
	usual := usualTurns(links, turns)
	links = nil
	for _, images := range byLabel {
		links = append(links, copyLinks(c, images, images, usual)...)
	}
	return groups(links)
}

// link is an image that was asked, one that is a copy of it, and by which turn.
type link struct{ asked, other, turn int }

// usualTurns are those by which links are often: few sets have all.
func usualTurns(links []link, turns [][]int) (usual [][]int) {
	n := make([]float64, len(turns))
	for _, pair := range links {
		n[pair.turn]++
	}
	for k, turn := range turns {
		if n[k] >= copyTurned*float64(len(links)) {
			usual = append(usual, turn)
		}
	}
	return usual
}

// havingLinks counts the images that were asked and have a copy.
func havingLinks(links []link) float64 {
	n := 0
	for k, pair := range links { // those of an image follow each other
		n += stat.Bit(k == 0 || pair.asked != links[k-1].asked)
	}
	return float64(n)
}

// groups gives the images of each group that links join the smallest one's number.
func groups(links []link) map[int]int {
	of := map[int]int{}
	var root func(i int) int
	root = func(i int) int {
		up, is := of[i]
		if !is || up == i {
			of[i] = i
			return i
		}
		of[i] = root(up)
		return of[i]
	}
	for _, pair := range links {
		a, b := root(pair.asked), root(pair.other)
		of[max(a, b)] = min(a, b)
	}
	for i := range of {
		root(i)
	}
	return of
}

// copyLinks are the pairs of an image that is asked and one of a list that is a copy of it, by one of some turns.
func copyLinks(c *look.Case, asked, list []int, turns [][]int) []link {
	if len(list) == 0 {
		return nil
	}
	thumbs := make([]*thumbnails, runtime.GOMAXPROCS(0))
	plain := rowsOf(len(list), 3*copySide*copySide)
	views := copyViews()
	each(thumbs, len(list), func(t *thumbnails, k int) {
		t.take(c.Data, list[k])
		t.view(plain.Data[k*plain.Cols:(k+1)*plain.Cols], views[0])
	})
	found := make([][]link, len(asked))
	each(thumbs, len(asked), func(t *thumbnails, k int) {
		t.take(c.Data, asked[k])
		of := rowsOf(len(views)*len(turns), plain.Cols)
		one := make([]float64, of.Cols)
		for v, view := range views {
			t.view(one, view)
			for m, from := range turns {
				row := of.Data[(m*len(views)+v)*of.Cols:]
				for j, at := range from {
					row[j] = one[at]
				}
			}
		}
		cosines := rowsOf(of.Rows, len(list))
		blas64.Gemm(blas.NoTrans, blas.Trans, 1, of, plain, 0, cosines)
		for j, i := range list {
			best, at := copyAlike, -1
			for row := range cosines.Rows {
				if v := cosines.Data[row*cosines.Cols+j]; v >= best {
					best, at = v, row/len(views)
				}
			}
			if at >= 0 && i != asked[k] {
				found[k] = append(found[k], link{asked[k], i, at})
			}
		}
	})
	return slices.Concat(found...)
}

func rowsOf(n, columns int) blas64.General {
	return blas64.General{Rows: n, Cols: columns, Stride: columns, Data: make([]float64, n*columns)}
}

// each calls do for the numbers below n, by workers with thumbnails of their own.
func each(thumbs []*thumbnails, n int, do func(t *thumbnails, k int)) {
	var wait sync.WaitGroup
	for w := range thumbs {
		if thumbs[w] == nil {
			thumbs[w] = &thumbnails{}
		}
		wait.Go(func() {
			for k := w; k < n; k += len(thumbs) {
				do(thumbs[w], k)
			}
		})
	}
	wait.Wait()
}

// thumbnails makes those of parts of an image.
type thumbnails struct {
	pixels        []uint8
	height, width int
	raw           [copySide][copySide][3]float64
}

// take takes an image, made small.
func (t *thumbnails) take(set *dataset.Set, i int) {
	t.height, t.width = min(set.Height, copyBase), min(set.Width, copyBase)
	t.pixels = dataset.Resize(set.Image(i), set.Height, set.Width, t.height, t.width)
}

// view writes the thumbnail of a part, without the mean around each pixel and of length 1: light, contrast and what goes slowly over
// the image say little of what image it is.
func (t *thumbnails) view(row []float64, p part) {
	sin, cos := math.Sincos(p.angle)
	for y := range copySide {
		for x := range copySide {
			t.raw[y][x] = [3]float64{}
			for n := range copyPoints * copyPoints {
				down := p.top + p.side*(float64(y)+(float64(n/copyPoints)+0.5)/copyPoints)/copySide - 0.5
				across := p.left + p.side*(float64(x)+(float64(n%copyPoints)+0.5)/copyPoints)/copySide - 0.5
				down, across = 0.5+down*cos+across*sin, 0.5+across*cos-down*sin
				for k, v := range t.at(down*float64(t.height)-0.5, across*float64(t.width)-0.5) {
					t.raw[y][x][k] += v
				}
			}
		}
	}
	length := 0.0
	for y := range copySide {
		for x := range copySide {
			var sum [3]float64
			n := 0.0
			for v := max(0, y-copyNear); v <= min(copySide-1, y+copyNear); v++ {
				for u := max(0, x-copyNear); u <= min(copySide-1, x+copyNear); u++ {
					for k, value := range t.raw[v][u] {
						sum[k] += value
					}
					n++
				}
			}
			for k, value := range t.raw[y][x] {
				row[(y*copySide+x)*3+k] = value - sum[k]/n
			}
		}
	}
	var mean [3]float64
	for j, v := range row {
		mean[j%3] += v / (copySide * copySide)
	}
	for j := range row {
		row[j] -= mean[j%3]
		length += row[j] * row[j]
	}
	length = math.Sqrt(length)
	for j := range row {
		row[j] /= cmp.Or(length, 1)
	}
}

// at is the colour at a point, in pixels, between the four around it.
func (t *thumbnails) at(y, x float64) (rgb [3]float64) {
	top, left := math.Floor(y), math.Floor(x)
	for p := range 4 {
		v, u := top+float64(p/2), left+float64(p%2)
		share := (1 - math.Abs(y-v)) * (1 - math.Abs(x-u))
		at := (int(min(max(v, 0), float64(t.height-1)))*t.width + int(min(max(u, 0), float64(t.width-1)))) * 3
		for k := range rgb {
			rgb[k] += share * float64(t.pixels[at+k])
		}
	}
	return rgb
}
