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
	"github.com/unpoison/unpoison/rng"
)

var benchmarks = []struct {
	arch        string
	batch, size int
}{{"wrn-16-1", 128, 32}, {"wrn-40-1", 128, 32}, {"preact-resnet-18", 128, 32}, {"resnet-34", 16, 224}, {"small-cnn", 64, 32}}

func classifier(b *testing.B, arch string, batch, size int) *Learner {
	b.Helper()
	backend, err := cpu.New("")
	if err != nil {
		b.Fatal(err)
	}
	n, err := model.New(arch, 10, size, size)
	if err != nil {
		b.Fatal(err)
	}
	l, err := NewClassifier(backend, n, n.Init(0), batch, DefaultSGD(), LocalGradientAscent(0.5, true))
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// BenchmarkCompile times building, rewriting and planning a training step.
func BenchmarkCompile(b *testing.B) {
	for _, c := range benchmarks {
		b.Run(c.arch, func(b *testing.B) {
			for b.Loop() {
				classifier(b, c.arch, c.batch, c.size)
			}
		})
	}
}

// BenchmarkStep times a training step; see also unpoison bench and bench/compare.sh.
func BenchmarkStep(b *testing.B) {
	for _, c := range benchmarks {
		b.Run(c.arch, func(b *testing.B) {
			l := classifier(b, c.arch, c.batch, c.size)
			x, y, w := make([]float32, c.batch*c.size*c.size*3), make([]int32, c.batch), make([]float32, c.batch)
			for i := range x {
				x[i] = float32(i%255) / 255
			}
			for i := range y {
				y[i], w[i] = int32(i%10), 1
			}
			rates, inputs := []float64{0.001}, []any{x, y, w}
			if _, err := l.Step(rates, inputs...); err != nil { // the first makes its memory
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Step(rates, inputs...); err != nil {
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
	l := classifier(b, "wrn-16-1", batch, size)
	set := &dataset.Set{Height: size, Width: size, Classes: make([]string, 10), Pixels: make([]uint8, steps*batch*size*size*3), Labels: make([]int32, steps*batch)}
	for i := range set.Labels {
		set.Labels[i] = int32(i % 10)
	}
	phase := &Phase{Name: "bench", Data: set, Indices: rng.Iota(set.Len()), Batch: batch, Epochs: 1, Schedule: Constant(1e-3), Augment: augment.Standard(size, true)}
	x, y, w := make([]float32, batch*size*size*3), make([]int32, batch), make([]float32, batch)
	rates := []float64{1e-3}
	var added []float64
	for b.Loop() {
		start := time.Now()
		if err := phase.Run(context.Background(), l.classify, nil, Hooks{}); err != nil {
			b.Fatal(err)
		}
		epoch := time.Since(start)
		start = time.Now()
		for range steps {
			if _, err := l.Step(rates, x, y, w); err != nil {
				b.Fatal(err)
			}
		}
		added = append(added, 100*(epoch.Seconds()/time.Since(start).Seconds()-1))
	}
	slices.Sort(added)
	b.ReportMetric(added[len(added)/2], "%added")
}
