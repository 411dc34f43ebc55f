package train

import (
	"testing"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/model"
)

func BenchmarkStep(b *testing.B) {
	for _, arch := range []string{"wrn-16-1"} {
		b.Run(arch, func(b *testing.B) {
			backend, err := cpu.New("")
			if err != nil {
				b.Fatal(err)
			}
			n, err := model.New(arch, 10, 32, 32)
			if err != nil {
				b.Fatal(err)
			}
			const batch = 128
			s, err := NewStep(backend, n, batch, DefaultSGD, LocalGradientAscent(0.5, true))
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Load(n.Init(0), nil); err != nil {
				b.Fatal(err)
			}
			x, y, w := make([]float32, batch*32*32*3), make([]int32, batch), make([]float32, batch)
			for i := range x {
				x[i] = float32(i%255) / 255
			}
			for i := range y {
				y[i], w[i] = int32(i%10), 1
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Run(x, y, w, 0.01, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "img/s")
		})
	}
}
