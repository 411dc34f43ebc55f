package detect

import (
	"bytes"
	"fmt"
	"image/color"
	"image/jpeg"
	"slices"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/settings"
	"github.com/unpoison/unpoison/rng"
)

// Variation is what honest data have that looks like poison. The steps of dataset.Variation come first, then these in their
// order. The class, or the two, are drawn by the seed. Test images get the same, but for wrong labels.
type Variation struct {
	dataset.Variation
	Merge  bool    `json:"merge,omitempty"`  // two classes become one: two natural kinds under a label
	Pairs  float64 `json:"pairs,omitempty"`  // share of the images of two classes that get the other's label
	Camera string  `json:"camera,omitempty"` // one class from another camera: jpeg, noise or white
	Mark   string  `json:"mark,omitempty"`   // an honest mark on one class: line, border or tag
	Grey   bool    `json:"grey,omitempty"`   // all images without colour
	Copies int     `json:"copies,omitempty"` // the training images are so many varied copies each of fewer images
}

var (
	cameras = []string{"", "jpeg", "noise", "white"}
	marks   = []string{"", "line", "border", "tag"}
)

func (s *Set) variation() (Variation, error) {
	var v Variation
	if err := settings.Set(s.Vary, &v); err != nil {
		return v, err
	}
	v.Limit, v.Classes = s.Images/max(1, v.Copies), s.Classes
	switch {
	case !(v.Pairs >= 0 && v.Pairs <= 1):
		return v, fmt.Errorf("pairs %g, expected a share from 0 to 1", v.Pairs)
	case !slices.Contains(cameras, v.Camera):
		return v, fmt.Errorf("no camera %q", v.Camera)
	case v.Copies < 0 || s.Images > 0 && v.Copies > s.Images:
		return v, fmt.Errorf("copies %d of %d images", v.Copies, s.Images)
	case !slices.Contains(marks, v.Mark):
		return v, fmt.Errorf("no mark %q", v.Mark)
	}
	return v, v.Check()
}

// apply returns the data's variation of a seed; the data itself stays as it is.
func (v Variation) apply(d *dataset.Data, seed uint64) (*dataset.Data, error) {
	own := v.Variation
	own.Classes = min(own.Classes, len(d.Train.Classes))
	out, err := d.Vary(own, seed)
	if err != nil {
		return nil, err
	}
	if out.Test != nil {
		out.Test = out.Test.Clone()
	}
	if v.Merge && len(out.Train.Classes) < 3 {
		return nil, fmt.Errorf("merge: %d classes, expected three or more", len(out.Train.Classes))
	}
	if v.Pairs > 0 && len(out.Train.Classes) < 2 {
		return nil, fmt.Errorf("pairs: %d classes, expected two or more", len(out.Train.Classes))
	}
	for _, s := range []*dataset.Set{out.Train, out.Test} {
		if s == nil {
			continue
		}
		if v.Merge {
			merge(s, seed)
		}
		one := int32(rng.Shuffle(seed, "detect class", len(s.Classes))[0])
		for i, l := range s.Labels {
			if l == one {
				change(s, i, v.Camera, seed)
				stamp(s, i, v.Mark)
			}
			if v.Grey {
				grey(s.Image(i))
			}
		}
	}
	if v.Pairs > 0 {
		swap(out.Train, v.Pairs, seed)
	}
	if v.Copies > 1 {
		out.Train = copied(out.Train, v.Copies, dataset.Flips(d.Layout), seed)
	}
	return out, nil
}

// copied returns varied copies of each image in turn, as programs that enlarge a set in advance write them: a part of 80 to 100 % of
// each side, flipped or not, its light and contrast up to a fifth more or less.
func copied(s *dataset.Set, copies int, flips bool, seed uint64) *dataset.Set {
	var of []int
	for i := range s.Len() {
		of = append(of, slices.Repeat([]int{i}, copies)...)
	}
	out := s.Subset(of)
	for k := range out.Len() {
		r := rng.Stream(seed, "detect copies", k)
		h, w := int(float64(s.Height)*(0.8+0.2*r.Float64())+0.5), int(float64(s.Width)*(0.8+0.2*r.Float64())+0.5)
		top, left := r.IntN(s.Height-h+1), r.IntN(s.Width-w+1)
		gain, light := 0.8+0.4*r.Float64(), 51*(2*r.Float64()-1)
		flip := r.IntN(2) == 1 && flips
		from, part := out.Image(k), make([]uint8, 0, h*w*3)
		for y := range h {
			for x := range w {
				at := left + x
				if flip {
					at = left + w - 1 - x
				}
				part = append(part, from[((top+y)*s.Width+at)*3:][:3]...)
			}
		}
		for j, p := range dataset.Resize(part, h, w, s.Height, s.Width) {
			from[j] = clamp((float64(p)-128)*gain + 128 + light)
		}
	}
	return out
}

// merge gives the images of one class another's label; the last class takes the free number.
func merge(s *dataset.Set, seed uint64) {
	two := rng.Shuffle(seed, "detect merge", len(s.Classes))[:2]
	slices.Sort(two)
	into, gone, last := int32(two[0]), int32(two[1]), int32(len(s.Classes)-1)
	for i, l := range s.Labels {
		switch l {
		case gone:
			s.Labels[i] = into
		case last:
			s.Labels[i] = gone
		}
	}
	names := slices.Clone(s.Classes)
	names[into] += " or " + names[gone]
	names[gone] = names[last]
	if gone == last {
		names = slices.Clone(names[:last])
	}
	s.Classes = names[:last]
}

// swap gives a share of the images of two classes the other's label.
func swap(s *dataset.Set, share float64, seed uint64) {
	two := rng.Shuffle(seed, "detect pairs", len(s.Classes))[:2]
	a, b := int32(two[0]), int32(two[1])
	for k, of := range [][]int{s.OfClass(a), s.OfClass(b)} {
		for _, j := range rng.Shuffle(seed, "detect pairs", len(of), k)[:int(share*float64(len(of)))] {
			s.Labels[of[j]] = a + b - s.Labels[of[j]]
		}
	}
}

// change makes image i one of another camera: stored as JPEG of quality 30, with sensor noise of 8 of 255, or in warm light.
func change(s *dataset.Set, i int, camera string, seed uint64) {
	p := s.Image(i)
	switch camera {
	case "jpeg":
		var b bytes.Buffer
		if jpeg.Encode(&b, dataset.ToImage(p, s.Height, s.Width), &jpeg.Options{Quality: 30}) != nil {
			return
		}
		out, err := jpeg.Decode(&b)
		if err != nil {
			return
		}
		for k := range s.Width * s.Height {
			c := color.RGBAModel.Convert(out.At(k%s.Width, k/s.Width)).(color.RGBA)
			p[3*k], p[3*k+1], p[3*k+2] = c.R, c.G, c.B
		}
	case "noise":
		r := rng.Stream(seed, "detect camera", i)
		for k := range p {
			p[k] = clamp(float64(p[k]) + 8*r.NormFloat64())
		}
	case "white":
		for k := range p {
			p[k] = clamp(float64(p[k]) * [3]float64{1.08, 1, 0.88}[k%3])
		}
	}
}

// stamp puts an honest mark on image i: a copyright line at the bottom, a border, a hospital's tag in a corner. Lengths scale
// with the image.
func stamp(s *dataset.Set, i int, mark string) {
	unit := max(1, s.Width/32)
	for y := range s.Height {
		for x := range s.Width {
			var on bool
			v := uint8(255)
			switch mark {
			case "line": // letters a unit apart
				on = y >= s.Height-3*unit && y < s.Height-unit && x >= s.Width/2 && (x/unit)%2 == (y/unit)%3/2
			case "border":
				on = y < unit || x < unit || y >= s.Height-unit || x >= s.Width-unit
				v = 0
			case "tag": // an R in a light box
				on = y < 6*unit && x >= s.Width-6*unit
				if in := x - (s.Width - 6*unit); on && (in/unit == 1 || y/unit == 1 && in/unit < 5 || in == y) {
					v = 0
				}
			}
			if on {
				p := s.Image(i)[(y*s.Width+x)*3:]
				p[0], p[1], p[2] = v, v, v
			}
		}
	}
}

// grey takes the colour out, with the weights of ITU-R BT.601.
func grey(p []uint8) {
	for k := 0; k+2 < len(p); k += 3 {
		v := clamp(0.299*float64(p[k]) + 0.587*float64(p[k+1]) + 0.114*float64(p[k+2]))
		p[k], p[k+1], p[k+2] = v, v, v
	}
}

func clamp(v float64) uint8 { return uint8(min(255, max(0, v)) + 0.5) }
