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
	copyAsked  = 500    // cases that are asked whether they have copies
	copied     = 0.5    // of these have
	copyOthers = 0.5    // as many as have one under other labels, at most
	copyLink   = 1. / 3 // of the cases, at most, are linked: a trigger would link more than copies of some images
)

// copyViews are the parts of an image, [top, left, side] as shares of it, that may be what a copy shows: they are cut by up to a fifth
// or moved by a twentieth.
func copyViews() (views [][3]float64) {
	views = append(views, [3]float64{0, 0, 1})
	for _, corner := range [][2]float64{{0, 0}, {0, 1}, {1, 0}, {1, 1}} {
		for _, cut := range []float64{0.12, 0.2} {
			views = append(views, [3]float64{corner[0] * cut, corner[1] * cut, 1 - cut})
		}
		views = append(views, [3]float64{corner[0]*0.1 - 0.05, corner[1]*0.1 - 0.05, 1})
	}
	return append(views, [3]float64{0.06, 0.06, 0.88}, [3]float64{0.1, 0.1, 0.8})
}

// copiesOf numbers the copies among a lesson's cases and controls: images of one label that are cut, mirrored, lighter or darker ones of
// one another, as in sets that were enlarged before they were stored. Copies of one odd photograph have the photograph in common. Nil
// where fewer than half of the cases have copies; where images under other labels are alike as often, as pictures of one road sign
// are; or where so many are alike that something else makes them so.
func copiesOf(c *look.Case, l lesson) map[int]int {
	asked := c.Draw("content copies", l.cases, copyAsked, l.key(l.round)...)
	links := copyLinks(c, asked, l.cases)
	having := havingLinks(links)
	if having < copied*float64(len(asked)) || havingLinks(copyLinks(c, asked, l.alike)) > copyOthers*having {
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
	links = nil
	for _, images := range byLabel {
		links = append(links, copyLinks(c, images, images)...)
	}
	return groups(links)
}

// havingLinks counts the images that were asked and have a copy.
func havingLinks(links [][2]int) float64 {
	n := 0
	for k, pair := range links { // those of an image follow each other
		n += stat.Bit(k == 0 || pair[0] != links[k-1][0])
	}
	return float64(n)
}

// groups gives the images of each group that links join the smallest one's number.
func groups(links [][2]int) map[int]int {
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
		a, b := root(pair[0]), root(pair[1])
		of[max(a, b)] = min(a, b)
	}
	for i := range of {
		root(i)
	}
	return of
}

// copyLinks are the pairs of an image that is asked and one of a list that is a copy of it.
func copyLinks(c *look.Case, asked, list []int) [][2]int {
	if len(list) == 0 {
		return nil
	}
	thumbs := make([]*thumbnails, runtime.GOMAXPROCS(0))
	plain := blas64.General{Rows: len(list), Cols: 3 * copySide * copySide, Stride: 3 * copySide * copySide}
	plain.Data = make([]float64, plain.Rows*plain.Cols)
	views := copyViews()
	each(thumbs, len(list), func(t *thumbnails, k int) {
		t.take(c.Data, list[k])
		t.view(plain.Data[k*plain.Cols:(k+1)*plain.Cols], views[0], false)
	})
	found := make([][][2]int, len(asked))
	each(thumbs, len(asked), func(t *thumbnails, k int) {
		t.take(c.Data, asked[k])
		of := blas64.General{Rows: 2 * len(views), Cols: plain.Cols, Stride: plain.Cols, Data: make([]float64, 2*len(views)*plain.Cols)}
		for v, view := range views {
			for m := range 2 {
				row := 2*v + m
				t.view(of.Data[row*of.Cols:(row+1)*of.Cols], view, m == 1)
			}
		}
		cosines := blas64.General{Rows: of.Rows, Cols: len(list), Stride: len(list), Data: make([]float64, of.Rows*len(list))}
		blas64.Gemm(blas.NoTrans, blas.Trans, 1, of, plain, 0, cosines)
		for j, i := range list {
			if i == asked[k] {
				continue
			}
			for row := range cosines.Rows {
				if cosines.Data[row*cosines.Cols+j] >= copyAlike {
					found[k] = append(found[k], [2]int{asked[k], i})
					break
				}
			}
		}
	})
	return slices.Concat(found...)
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

// view writes the thumbnail of a part, mirrored or not, without the mean around each pixel and of length 1: light, contrast and what
// goes slowly over the image say little of what image it is.
func (t *thumbnails) view(row []float64, part [3]float64, mirrored bool) {
	for y := range copySide {
		for x := range copySide {
			t.raw[y][x] = [3]float64{}
			for p := range copyPoints * copyPoints {
				down := part[0] + part[2]*(float64(y)+(float64(p/copyPoints)+0.5)/copyPoints)/copySide
				across := part[1] + part[2]*(float64(x)+(float64(p%copyPoints)+0.5)/copyPoints)/copySide
				if mirrored {
					across = 1 - across
				}
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
