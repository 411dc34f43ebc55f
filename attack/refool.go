package attack

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
)

var refool = Method{
	Name:     "refool",
	About:    "A reflection of another picture, out of focus or doubled as by thick glass.",
	Paper:    "Liu et al., Reflection Backdoor, ECCV 2020",
	Settings: refoolSettings,
}

var refoolClean = Method{
	Name:       "refool-clean",
	About:      "The same on images of the target class only; labels kept.",
	Paper:      "Liu et al., Reflection Backdoor, ECCV 2020",
	CleanLabel: true,
	Settings:   refoolSettings,
}

func refoolSettings() Settings { return &Refool{Count: 200, Most: 0.45, Ghost: 0.5} }

// Refool are the settings of refool and refool-clean.
type Refool struct {
	Count int     `json:"count,omitempty" range:"[1,100000]"` // pictures that are reflected
	Most  float64 `json:"most,omitempty" range:"(0.05,1]"`    // highest share of an image's light that is reflected; the lowest is 0.05
	Ghost float64 `json:"ghost" range:"[0,1]"`                // share of reflections that are doubled instead of blurred
	// Pictures is a folder of the user's own; empty: images of the training set are reflected.
	Pictures string `json:"pictures,omitempty"`
}

// Trigger implements Settings.
func (s *Refool) Trigger(_ Common, set *dataset.Set) (Trigger, error) {
	return &reflection{Refool: *s, h: set.Height, w: set.Width}, nil
}

func (s *Refool) file() string { return s.Pictures }

// reflection is Refool's trigger: an image behind a pane that mirrors one of some pictures.
type reflection struct {
	Refool
	h, w int
	pool [][]uint8
}

// Learn chooses the pictures.
func (f *reflection) Learn(_ context.Context, l *Lab, set *dataset.Set) error {
	if f.Pictures != "" {
		var err error
		f.pool, err = pictures(f.Pictures, f.Count, set)
		return err
	}
	for _, i := range rng.Shuffle(l.Seed, "attack "+l.Name+" reflections", set.Len())[:min(f.Count, set.Len())] {
		f.pool = append(f.pool, append([]uint8{}, set.Image(i)...))
	}
	return nil
}

// Apply implements Trigger.
func (f *reflection) Apply(ctx context.Context, b *Batch) error {
	return pixels(f.reflect).Apply(ctx, b)
}

// reflect adds light: (1−a)·x^2.2 + a·r^2.2 to the power of 1/2.2, where the share a is drawn from 0.05 to Most. The paper's
// lengths are of photographs of 560 pixels, where blur is 1 to 5 and a ghost 3 to 8 pixels off; here they are of
// 32 pixels, in which those would vanish: a blur of 0.5 to 1.5 and a ghost 1 to 3 pixels off.
func (f *reflection) reflect(dst, src []uint8, _ bool, r *rand.Rand) {
	picture := make([]float64, len(src))
	for i, v := range f.pool[r.IntN(len(f.pool))] {
		picture[i] = math.Pow(float64(v)/255, 2.2)
	}
	a := 0.05 + (f.Most-0.05)*r.Float64()
	if r.Float64() < f.Ghost {
		picture = f.doubled(picture, r)
	} else {
		picture = blurred(picture, f.h, f.w, (0.5+r.Float64())*float64(min(f.h, f.w))/32)
	}
	for i, v := range src {
		dst[i] = toByte(255 * math.Pow((1-a)*math.Pow(float64(v)/255, 2.2)+a*picture[i], 1/2.2))
	}
}

// doubled lays a picture over itself, a few pixels off.
func (f *reflection) doubled(x []float64, r *rand.Rand) []float64 {
	dy, dx := scaled(1+r.IntN(3), f.h), scaled(1+r.IntN(3), f.w)
	faint := 0.15 + 0.35*r.Float64()
	y := make([]float64, len(x))
	for i, v := range x {
		row, column := max(0, i/3/f.w-dy), max(0, i/3%f.w-dx)
		y[i] = (1-faint)*v + faint*x[(row*f.w+column)*3+i%3]
	}
	return y
}

// Learned implements part of Learner.
func (f *reflection) Learned() map[string]checkpoint.Array {
	a := checkpoint.Array{Dims: []int{len(f.pool), f.h, f.w, 3}}
	for _, p := range f.pool {
		for _, v := range p {
			a.Data = append(a.Data, float32(v))
		}
	}
	return map[string]checkpoint.Array{"pictures": a}
}

// Restore implements part of Learner.
func (f *reflection) Restore(_ *Lab, arrays map[string]checkpoint.Array) error {
	data, size := arrays["pictures"].Data, f.h*f.w*3
	if len(data) == 0 || len(data)%size != 0 {
		return fmt.Errorf("the pictures were made for images of another size than %d×%d", f.h, f.w)
	}
	for ; len(data) > 0; data = data[size:] {
		p := make([]uint8, size)
		for i := range p {
			p[i] = toByte(float64(data[i]))
		}
		f.pool = append(f.pool, p)
	}
	return nil
}
