// Package signs renders a data set of road signs: the demo's, and a stand-in for photographs in
// tests. Pose, light, blur, background and noise change from image to image.
package signs

import (
	"math"
	"math/rand/v2"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
)

// Side is the height and width of the images, Train and Test how many there are where nobody says.
const Side, Train, Test = 32, 3000, 800

type color [3]float64

var (
	white = color{0.95, 0.95, 0.95}
	black = color{0.08, 0.08, 0.08}
	red   = color{0.80, 0.08, 0.10}
	blue  = color{0.08, 0.28, 0.70}
)

// A sign is drawn in coordinates from -1 to 1, y downwards. Shapes return how deep a point lies
// inside: positive inside, zero on the edge.
type shape func(x, y float64) float64

func circle(r float64) shape { return func(x, y float64) float64 { return r - distance(x, y) } }

// distance is math.Hypot of numbers that are neither huge nor tiny, in a quarter of its time.
func distance(x, y float64) float64 { return math.Sqrt(x*x + y*y) }

// reach is how far from the middle shapes go, at most.
const reach = 1.02

func box(x0, y0, x1, y1 float64) shape {
	return func(x, y float64) float64 { return min(x-x0, x1-x, y-y0, y1-y) }
}

// polygon is a regular one with n sides at distance r, turned by phase.
func polygon(n int, r, phase float64) shape {
	sin, cos := make([]float64, n), make([]float64, n)
	for k := range n {
		a := phase + 2*math.Pi*float64(k)/float64(n)
		sin[k], cos[k] = math.Sin(a), math.Cos(a)
	}
	return func(x, y float64) float64 {
		d := math.Inf(1)
		for k, c := range cos {
			d = min(d, r-(x*c+y*sin[k]))
		}
		return d
	}
}

func bar(angle, length, width float64) shape {
	s, c := math.Sincos(angle)
	return func(x, y float64) float64 { return min(length-math.Abs(x*c+y*s), width-math.Abs(y*c-x*s)) }
}

func at(dx, dy float64, s shape) shape {
	return func(x, y float64) float64 { return s(x-dx, y-dy) }
}

func either(ss ...shape) shape {
	return func(x, y float64) float64 {
		d := math.Inf(-1)
		for _, s := range ss {
			d = max(d, s(x, y))
		}
		return d
	}
}

func minus(a, b shape) shape { return func(x, y float64) float64 { return min(a(x, y), -b(x, y)) } }

func arrow(direction float64) shape {
	return func(x, y float64) float64 {
		x *= direction
		return max(min(0.45-math.Abs(x+0.05), 0.13-math.Abs(y)), min(x-0.05, 0.62-x-math.Abs(y)*1.2))
	}
}

// turned points to the right's left: upwards.
func turned(s shape) shape { return func(x, y float64) float64 { return s(-y, x) } }

type layer struct {
	shape shape
	color color
}

// classes, each a name and what is painted over each other.
var classes = []struct {
	name   string
	layers []layer
}{
	{"stop", []layer{{polygon(8, 0.92, math.Pi/8), white}, {polygon(8, 0.84, math.Pi/8), red}, {either(box(-0.65, -0.3, -0.45, 0.3), box(-0.28, -0.3, -0.08, 0.3), box(0.08, -0.3, 0.28, 0.3), box(0.45, -0.3, 0.65, 0.3)), white}}},
	{"yield", []layer{{polygon(3, 0.5, -math.Pi/2), red}, {polygon(3, 0.3, -math.Pi/2), white}}},
	{"no-entry", []layer{{circle(0.95), red}, {box(-0.65, -0.2, 0.65, 0.2), white}}},
	{"speed-limit", []layer{{circle(0.95), red}, {circle(0.7), white}, {either(box(-0.4, -0.35, -0.12, 0.35), minus(box(0.05, -0.35, 0.45, 0.35), box(0.18, -0.2, 0.32, 0.2))), black}}},
	{"no-vehicles", []layer{{circle(0.95), red}, {circle(0.7), white}}},
	{"ahead", []layer{{circle(0.95), blue}, {turned(arrow(1)), white}}},
	{"danger", []layer{{polygon(3, 0.5, math.Pi/2), red}, {polygon(3, 0.33, math.Pi/2), white}, {either(box(-0.08, -0.35, 0.08, 0.1), at(0, 0.25, circle(0.1))), black}}},
	{"bend", []layer{{polygon(3, 0.5, math.Pi/2), red}, {polygon(3, 0.33, math.Pi/2), white}, {either(at(0.1, -0.08, bar(0.9, 0.3, 0.08)), at(-0.05, 0.2, bar(-0.9, 0.2, 0.08))), black}}},
	{"turn-right", []layer{{circle(0.95), blue}, {arrow(1), white}}},
	{"turn-left", []layer{{circle(0.95), blue}, {arrow(-1), white}}},
}

// Names lists the classes.
func Names() []string {
	n := make([]string, len(classes))
	for i, c := range classes {
		n[i] = c.name
	}
	return n
}

// Render returns train and test images, classes in turn, from the streams of seed.
func Render(seed uint64, train, test int) *dataset.Data {
	return &dataset.Data{Layout: "signs", Path: "rendered", Train: render(seed, "signs train", train), Test: render(seed, "signs test", test)}
}

func render(seed uint64, purpose string, n int) *dataset.Set {
	s := &dataset.Set{Height: Side, Width: Side, Classes: Names(), Pixels: make([]uint8, n*Side*Side*3), Labels: make([]int32, n)}
	dataset.Each(n, func(i int) {
		s.Labels[i] = int32(i % len(classes))
		paint(s.Image(i), classes[i%len(classes)].layers, rng.Stream(seed, purpose, i))
	})
	return s
}

// paint draws one sign with its surroundings.
func paint(dst []uint8, layers []layer, r *rand.Rand) {
	between := func(lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }
	scale := between(8.5, 14)
	cx, cy := Side/2+between(-3.5, 3.5), Side/2+between(-3.5, 3.5)
	sin, cos := math.Sincos(between(-0.3, 0.3))
	shearX, squeeze, tilt := between(-0.2, 0.2), between(0.75, 1.1), between(-0.15, 0.15)
	light, cast := between(0.45, 1.15), color{between(0.85, 1.1), between(0.9, 1.05), between(0.8, 1.1)}
	fade := between(0, 0.35) // weathered paint and haze
	haze := between(0.4, 0.8)
	sky, ground := randomColor(r), randomColor(r)
	horizon, lean := between(0.2, 0.8), between(-0.5, 0.5)
	type blob struct {
		x, y, r float64
		c       color
	}
	blobs := make([]blob, r.IntN(5))
	for i := range blobs {
		blobs[i] = blob{between(0, Side), between(0, Side), between(2, 9), randomColor(r)}
	}
	shadow, shadowAt, shadowSlope := between(0.45, 1), between(-1.2, 1.2), between(-1, 1)

	var img [Side][Side]color
	const samples = 3
	for y := range Side {
		for x := range Side {
			var sum color
			for sy := range samples {
				for sx := range samples {
					px, py := float64(x)+(float64(sx)+0.5)/samples, float64(y)+(float64(sy)+0.5)/samples
					c := ground
					if py/Side < horizon+lean*(px/Side-0.5) {
						c = sky
					}
					for _, b := range blobs {
						if distance(px-b.x, py-b.y) < b.r {
							c = b.c
						}
					}
					dx, dy := (px-cx)/scale, (py-cy)/scale
					u, v := cos*dx+sin*dy, (cos*dy-sin*dx)/squeeze
					u = (u + shearX*v) * (1 + tilt*v)
					over := layers
					if u*u+v*v > reach*reach {
						over = nil
					}
					for _, l := range over {
						if l.shape(u, v) > 0 {
							c = l.color
							for k := range c {
								c[k] += (haze - c[k]) * fade
							}
							if u+shadowSlope*v > shadowAt {
								for k := range c {
									c[k] *= shadow
								}
							}
						}
					}
					for k := range sum {
						sum[k] += c[k] / (samples * samples)
					}
				}
			}
			img[y][x] = sum
		}
	}
	blur := between(0, 0.5)
	noise := between(0.01, 0.05)
	for y := range Side {
		for x := range Side {
			for k := range 3 {
				v := img[y][x][k]
				around := (img[max(0, y-1)][x][k] + img[min(Side-1, y+1)][x][k] + img[y][max(0, x-1)][k] + img[y][min(Side-1, x+1)][k]) / 4
				v += (around - v) * blur * 1.2
				v = v*light*cast[k] + r.NormFloat64()*noise
				dst[(y*Side+x)*3+k] = uint8(math.Round(255 * min(1, max(0, v))))
			}
		}
	}
}

func randomColor(r *rand.Rand) color {
	g := r.Float64()
	c := color{}
	for k := range c {
		c[k] = min(1, max(0, 0.15+0.7*g+0.35*(r.Float64()-0.5)))
	}
	return c
}
