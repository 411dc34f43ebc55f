package train

import (
	"testing"

	"github.com/unpoison/unpoison/backend/cpu"
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
