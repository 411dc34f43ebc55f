package augment

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/rng"
)

// TestGraphAgreesWithApply: the same streams give the same images, to the last digit without Coarse.
func TestGraphAgreesWithApply(t *testing.T) {
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	const images, batch = 3, 40
	for _, size := range [][2]int{{9, 7}, {24, 40}} {
		h, w := size[0], size[1]
		r := rng.Stream(1, "graph test")
		set := make([]uint8, images*h*w*3)
		for i := range set {
			set[i] = uint8(r.Uint32())
		}
		for _, o := range []Options{{}, {Pad: 2}, {Flip: true}, {Cutout: 3}, Standard(h, true), {Coarse: true}, {Coarse: true, Flip: true}} {
			numbers, size := o.Numbers(h, w), h*w*3
			f, err := gx.NewFunction(b, "augment", 0, func(g *Graph) []*Node {
				pixels := Parameter(g, "pixels", shapes.Make(dtypes.Uint8, images*h*w, 3))
				image := Parameter(g, "image", shapes.Make(dtypes.Int32, batch))
				return []*Node{o.Graph(pixels, image, gx.Input(g, "drawn", batch, numbers), h, w)}
			})
			if err != nil {
				t.Fatal(err)
			}
			image, drawn := make([]int32, batch), make([]float32, batch*numbers)
			want, got := make([]float32, batch*size), make([]float32, batch*size)
			for k := range image {
				i := k % images
				image[k] = int32(i)
				o.Apply(want[k*size:(k+1)*size], set[i*size:(i+1)*size], h, w, rng.Stream(2, "image", k))
				o.Draw(drawn[k*numbers:(k+1)*numbers], h, w, rng.Stream(2, "image", k))
			}
			if err := f.Call(0, set, image, drawn); err != nil {
				t.Fatal(err)
			}
			if err := f.Get(0, got); err != nil {
				t.Fatal(err)
			}
			most := 0.0
			for i := range want {
				most = max(most, math.Abs(float64(got[i]-want[i])))
			}
			if limit := map[bool]float64{true: 1e-5}[o.Coarse]; !(most <= limit) {
				t.Errorf("%v at %d×%d: %g apart", o, h, w, most)
			}
		}
	}
}
