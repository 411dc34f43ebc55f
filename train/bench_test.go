package train

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/model"
)

var benchmarks = []struct {
	arch        string
	batch, size int
}{{"wrn-16-1", 128, 32}, {"wrn-40-1", 128, 32}, {"preact-resnet-18", 128, 32}, {"resnet-34", 16, 224}, {"small-cnn", 64, 32}}

func newStep(b *testing.B, arch string, batch, size int) (*Step, *model.Network) {
	b.Helper()
	backend, err := cpu.New("")
	if err != nil {
		b.Fatal(err)
	}
	n, err := model.New(arch, 10, size, size)
	if err != nil {
		b.Fatal(err)
	}
	s, err := NewStep(backend, n, batch, DefaultSGD, LocalGradientAscent(0.5, true))
	if err != nil {
		b.Fatal(err)
	}
	return s, n
}

// BenchmarkCompile times building, rewriting and planning a training step.
func BenchmarkCompile(b *testing.B) {
	for _, c := range benchmarks {
		b.Run(c.arch, func(b *testing.B) {
			for b.Loop() {
				newStep(b, c.arch, c.batch, c.size)
			}
		})
	}
}

// BenchmarkStep times a training step; see also unpoison bench and bench/compare.sh.
func BenchmarkStep(b *testing.B) {
	for _, c := range benchmarks {
		b.Run(c.arch, func(b *testing.B) {
			s, n := newStep(b, c.arch, c.batch, c.size)
			if err := s.Load(n.Init(0), nil); err != nil {
				b.Fatal(err)
			}
			x, y, w := make([]float32, c.batch*c.size*c.size*3), make([]int32, c.batch), make([]float32, c.batch)
			for i := range x {
				x[i] = float32(i%255) / 255
			}
			for i := range y {
				y[i], w[i] = int32(i%10), 1
			}
			if _, err := s.Run(x, y, w, 0.001, nil); err != nil { // the first makes its memory
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Run(x, y, w, 0.001, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(c.batch*b.N)/b.Elapsed().Seconds(), "img/s")
		})
	}
}

// BenchmarkPipeline compares epochs, with shuffling, augmentation and assembly of the batches, to as
// many bare steps, in turn, and reports the median of what the pipeline adds, in percent.
func BenchmarkPipeline(b *testing.B) {
	const size, batch, steps = 32, 128, 20
	s, n := newStep(b, "wrn-16-1", batch, size)
	if err := s.Load(n.Init(0), nil); err != nil {
		b.Fatal(err)
	}
	set := &dataset.Set{Height: size, Width: size, Classes: make([]string, 10), Pixels: make([]uint8, steps*batch*size*size*3), Labels: make([]int32, steps*batch)}
	indices := make([]int, set.Len())
	for i := range indices {
		indices[i], set.Labels[i] = i, int32(i%10)
	}
	phase := &Phase{Name: "bench", Data: set, Indices: indices, Epochs: 1, Schedule: Constant(1e-3), Augment: augment.Standard(size, true)}
	x, y, w := make([]float32, batch*size*size*3), make([]int32, batch), make([]float32, batch)
	var added []float64
	for b.Loop() {
		start := time.Now()
		if err := phase.Run(context.Background(), s, &Position{}, Hooks{}); err != nil {
			b.Fatal(err)
		}
		epoch := time.Since(start)
		start = time.Now()
		for range steps {
			if _, err := s.Run(x, y, w, 1e-3, nil); err != nil {
				b.Fatal(err)
			}
		}
		added = append(added, 100*(epoch.Seconds()/time.Since(start).Seconds()-1))
	}
	slices.Sort(added)
	b.ReportMetric(added[len(added)/2], "%added")
}
