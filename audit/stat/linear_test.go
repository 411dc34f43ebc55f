package stat

import (
	"context"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/rng"
)

// blobs are rows around a centre of each class, whose features have very different scales and one that says nothing.
func blobs(rows, width, classes int, noise float64) (at func(i int) []float32, labels []int32) {
	r := rng.Stream(1, "blobs")
	centres := make([]float64, classes*width)
	for k := range centres {
		centres[k] = r.NormFloat64()
	}
	data := make([]float32, rows*width)
	labels = make([]int32, rows)
	for i := range labels {
		labels[i] = int32(r.IntN(classes))
		for j := range width - 1 {
			v := centres[int(labels[i])*width+j] + noise*r.NormFloat64()
			data[i*width+j] = float32(math.Pow(10, float64(j%5-2))*v + float64(j))
		}
		data[i*width+width-1] = 7
	}
	return func(i int) []float32 { return data[i*width : (i+1)*width] }, labels
}

func right(p []float32, labels []int32, classes int) float64 {
	n := 0
	for i, l := range labels {
		row := p[i*classes : (i+1)*classes]
		n += Bit(slices.Max(row) == row[l])
	}
	return float64(n) / float64(len(labels))
}

func TestLinearTellsClassesApart(t *testing.T) {
	for _, c := range []struct{ rows, width, classes int }{{4000, 20, 5}, {300, 8, 2}, {600, 400, 3}} {
		at, labels := blobs(c.rows, c.width, c.classes, 0.3)
		p, err := Linear{Seed: 3}.CrossFitted(context.Background(), c.rows, c.width, c.classes, at, labels)
		if err != nil {
			t.Fatal(err)
		}
		if a := right(p, labels, c.classes); a < 0.97 {
			t.Errorf("%+v: %.3f are right", c, a)
		}
		for i := range labels {
			sum := 0.0
			for _, v := range p[i*c.classes : (i+1)*c.classes] {
				sum += math.Exp(float64(v))
			}
			if math.Abs(sum-1) > 1e-4 {
				t.Fatalf("row %d: the probabilities add to %g", i, sum)
			}
		}
	}
}

// A row's own label does not matter to what is said of it: with labels by chance nobody does better than chance, though there
// are enough features to learn all labels by heart.
func TestLinearNeverSawTheRow(t *testing.T) {
	at, labels := blobs(1000, 600, 2, 1)
	r := rng.Stream(2, "chance")
	for i := range labels {
		labels[i] = int32(r.IntN(2))
	}
	p, err := Linear{}.CrossFitted(context.Background(), 1000, 600, 2, at, labels)
	if a := right(p, labels, 2); err != nil || a > 0.57 || a < 0.43 {
		t.Errorf("%.3f of labels by chance are foretold, %v", a, err)
	}
	clean, labels := blobs(2000, 20, 4, 0.3)
	wrong := slices.Clone(labels)
	for i := range 100 {
		wrong[i] = (wrong[i] + 1) % 4
	}
	if p, err = (Linear{}).CrossFitted(context.Background(), 2000, 20, 4, clean, wrong); err != nil || right(p, labels, 4) < 0.97 {
		t.Errorf("wrong labels are believed: %.3f, %v", right(p, labels, 4), err)
	}
}

// Twins: the minimum that gradient descent without shards, momentum and order finds in double precision.
func TestLinearFindsTheMinimum(t *testing.T) {
	const rows, width, classes, ridge = 400, 6, 3, 0.01
	at, labels := blobs(rows, width, classes, 1.5)
	c := &linear{Linear: Linear{Ridge: ridge, Epochs: 300}, width: width, classes: classes, at: at, labels: labels}
	if err := c.fit(context.Background(), rng.Iota(rows), 0); err != nil {
		t.Fatal(err)
	}
	w := make([]float64, classes*(width+1))
	loss := func(w []float64) (sum float64, grad []float64) {
		grad = make([]float64, len(w))
		x := make([]float32, width)
		for i := range rows {
			c.row(x, i)
			z, norm := make([]float64, classes), 0.0
			for k := range z {
				z[k] = w[classes*width+k]
				for j, v := range x {
					z[k] += w[k*width+j] * float64(v)
				}
				norm += math.Exp(z[k])
			}
			sum += (math.Log(norm) - z[labels[i]]) / rows
			for k := range z {
				d := (math.Exp(z[k])/norm - float64(Bit(k == int(labels[i])))) / rows
				for j, v := range x {
					grad[k*width+j] += d * float64(v)
				}
				grad[classes*width+k] += d
			}
		}
		for k := range classes * width {
			sum += ridge / 2 * w[k] * w[k]
			grad[k] += ridge * w[k]
		}
		return sum, grad
	}
	for range 5000 {
		_, g := loss(w)
		for k := range w {
			w[k] -= 4 * g[k]
		}
	}
	want, _ := loss(w)
	own := make([]float64, 0, len(w))
	for _, v := range append(slices.Clone(c.weights), c.bias...) {
		own = append(own, float64(v))
	}
	if got, _ := loss(own); got-want > 2e-3*want {
		t.Errorf("the loss is %.6f, the least is %.6f", got, want)
	}
}

func TestLinearIsTheSameForAnyNumberOfProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	at, labels := blobs(700, 13, 3, 1)
	some := func(i int) []float32 {
		if i%50 == 7 {
			return nil
		}
		return at(i)
	}
	labels[11] = -1
	var want []float32
	for _, n := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(n)
		p, err := Linear{Seed: 9}.CrossFitted(context.Background(), 700, 13, 3, some, labels)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = p
		}
		for k, v := range p {
			if math.Float32bits(v) != math.Float32bits(want[k]) || math.IsNaN(float64(v)) != (k/3%50 == 7) {
				t.Fatalf("%d processors: row %d has %g and %g", n, k/3, v, want[k])
			}
		}
	}
}

func TestLinearRefusesWhatItCantFit(t *testing.T) {
	at, labels := blobs(10, 4, 2, 1)
	for name, err := range map[string]error{
		"labels": second(Linear{}.CrossFitted(context.Background(), 11, 4, 2, at, labels)),
		"class":  second(Linear{}.CrossFitted(context.Background(), 10, 4, 1, at, labels)),
		"rows":   second(Linear{}.CrossFitted(context.Background(), 10, 4, 2, func(int) []float32 { return nil }, labels)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, bad := range [][]float32{{1, 2, 3}, {1, 2, 3, 4, 5}, {}, {1, 2, 3, float32(math.NaN())}, {1, float32(math.Inf(-1)), 3, 4}} {
		_, err := Linear{}.CrossFitted(context.Background(), 10, 4, 2, func(i int) []float32 {
			if i == 7 {
				return bad
			}
			return at(i)
		}, labels)
		if err == nil || !strings.Contains(err.Error(), "image 7 has") {
			t.Errorf("%v: %v", bad, err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := (Linear{}).CrossFitted(ctx, 10, 4, 2, at, labels); err == nil {
		t.Error("it goes on after the context ended")
	}
}

func second[T any](_ T, err error) error { return err }

func BenchmarkLinear(b *testing.B) {
	at, labels := blobs(50000, 512, 10, 3)
	for b.Loop() {
		if _, err := (Linear{}).CrossFitted(context.Background(), 50000, 512, 10, at, labels); err != nil {
			b.Fatal(err)
		}
	}
}
