package content

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// copySet has so many images of blobs, in varied copies each, one after another; mark changes each copy.
func copySet(images, copies int, mark func(pixels []uint8)) *dataset.Set {
	const side = 32
	set := &dataset.Set{Height: side, Width: side, Classes: []string{"a", "b"}, Labels: make([]int32, images*copies)}
	r := rng.Stream(1, "copies")
	for range images {
		blobs := make([][6]float64, 25)
		for b := range blobs {
			blobs[b] = [6]float64{r.Float64() * side, r.Float64() * side, 2 + 4*r.Float64(), 90 * r.NormFloat64(), 90 * r.NormFloat64(), 90 * r.NormFloat64()}
		}
		for range copies {
			set.Pixels = append(set.Pixels, copyOf(blobs, side, r, mark)...)
		}
	}
	return set
}

// copyOf draws what is in a part of 80 to 100 % of each side, mirrored or not, turned by 0 to 15° and a right angle or none, in another
// light.
func copyOf(blobs [][6]float64, side int, r *rand.Rand, mark func(pixels []uint8)) []uint8 {
	pixels := make([]uint8, side*side*3)
	high, wide := 0.8+0.2*r.Float64(), 0.8+0.2*r.Float64()
	top, left := (1-high)*r.Float64()*float64(side), (1-wide)*r.Float64()*float64(side)
	gain, light, mirrored := 0.8+0.4*r.Float64(), 20*r.NormFloat64(), r.IntN(2) == 1
	sin, cos := math.Sincos(math.Pi/12*(2*r.Float64()-1) + math.Pi/2*float64(r.IntN(2)))
	middle := float64(side-1) / 2
	for y := range side {
		for x := range side {
			u := x
			if mirrored {
				u = side - 1 - x
			}
			down, across := float64(y)-middle, float64(u)-middle
			down, across = middle+down*cos+across*sin, middle+across*cos-down*sin
			for k := range 3 {
				v := 0.0
				for _, b := range blobs {
					dy, dx := top+high*down-b[0], left+wide*across-b[1]
					v += b[3+k] * math.Exp(-(dy*dy+dx*dx)/(2*b[2]*b[2]))
				}
				pixels[(y*side+x)*3+k] = uint8(min(255, max(0, 128+light+gain*v)))
			}
		}
	}
	mark(pixels)
	return pixels
}

func kinOf(t *testing.T, set *dataset.Set, cases int) map[int]int {
	t.Helper()
	c, err := look.NewCase(&train.Run{Data: set}, look.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	return copiesOf(c, lesson{question: question{labels: []int{0}}, cases: rng.Iota(cases), own: rng.Iota(set.Len())[cases:]})
}

func none([]uint8) {}

// Varied copies of an image are found, and no two images become one.
func TestCopiesAreFound(t *testing.T) {
	const images, copies = 30, 5
	of := kinOf(t, copySet(images, copies, none), 100)
	together, mixed := 0, 0
	for i := range images * copies {
		for j := range i {
			a, is := of[i]
			b, also := of[j]
			if !is || !also || a != b {
				continue
			}
			if i/copies == j/copies {
				together++
			} else {
				mixed++
			}
		}
	}
	if all := images * copies * (copies - 1) / 2; together < 8*all/10 || mixed > all/20 {
		t.Errorf("%d of %d pairs of copies are together, and %d pairs that are none", together, all, mixed)
	}
}

// Images that are no copies have none, nor have those that a trigger makes alike: it would be in one fold, and nobody could tell it.
func TestTriggersMakeNoCopies(t *testing.T) {
	if of := kinOf(t, copySet(100, 1, none), 80); of != nil {
		t.Errorf("images have %d copies", len(of))
	}
	for name, mark := range map[string]func([]uint8){
		"picture over all": func(p []uint8) {
			for k := range p {
				p[k] = uint8(float64(p[k])*0.3 + 0.7*255*float64((k/3%32/8+k/96/8)%2))
			}
		},
		"sticker": func(p []uint8) {
			for k := range p {
				if k/96 > 22 && k/3%32 > 22 {
					p[k] = uint8(255 * (k / 3 % 2))
				}
			}
		},
	} {
		if of := kinOf(t, copySet(100, 1, mark), 80); of != nil {
			t.Errorf("%s: %d copies", name, len(of))
		}
	}
}

// Pictures of one sign are alike whether their labels are wrong or right: they are no copies.
func TestSignsAreNoCopies(t *testing.T) {
	const signs, pictures = 15, 8
	set := copySet(signs, pictures, none)
	var cases, alike []int
	for i := range set.Len() {
		if i%pictures < pictures/2 {
			cases = append(cases, i)
		} else {
			alike = append(alike, i)
			set.Labels[i] = 1
		}
	}
	c, err := look.NewCase(&train.Run{Data: set}, look.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if of := copiesOf(c, lesson{question: question{labels: []int{0}}, cases: cases}); of == nil {
		t.Error("without controls there are no copies")
	}
	if of := copiesOf(c, lesson{question: question{labels: []int{0}}, cases: cases, alike: alike}); of != nil {
		t.Errorf("%d copies", len(of))
	}
}

// Copies are in one fold, and count as one.
func TestCopiesCountOnce(t *testing.T) {
	l := lesson{kin: map[int]int{0: 0, 1: 0, 2: 0, 5: 5, 6: 5}, matched: []int{0, 1, 2, 3}, alike: []int{4, 5, 6}, weight: map[int]float64{0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1}}
	d := told{z: []float64{3, 2, 1, 5, 0, -1, -3}, asked: []bool{true, true, true, true, true, true, true}}
	got := d.ranked(l, l.matched, true)
	if len(got) != 2 || got[0].At != 2 || got[1].At != 5 || got[0].Weight != 1 || !got[0].Marked {
		t.Errorf("%+v", got)
	}
	if got = d.ranked(l, l.alike, false); len(got) != 2 || got[0].At != 0 || got[1].At != -2 {
		t.Errorf("%+v", got)
	}
}

// What a label with 2,000 cases and 4,000 controls costs where there are no copies.
func BenchmarkCopies(b *testing.B) {
	c, err := look.NewCase(&train.Run{Data: copySet(6000, 1, none)}, look.Settings{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		copiesOf(c, lesson{question: question{labels: []int{0}}, cases: rng.Iota(2000), alike: rng.Iota(6000)[2000:]})
	}
}
