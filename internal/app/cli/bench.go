package cli

import (
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/internal/base/sysinfo"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

type benchResult struct {
	Train      float64 `json:"train_images_per_second"`
	Eval       float64 `json:"eval_images_per_second"`
	Threads    int     `json:"threads"`
	Batch      int     `json:"batch"`
	Model      string  `json:"model"`
	Engine     string  `json:"engine"`
	PeakMemory int64   `json:"peak_memory_bytes"`
	CorePeak   float64 `json:"core_peak_flops,omitempty"`     // multiplications and additions a second
	TrainShare float64 `json:"train_share_of_peak,omitempty"` // of Threads cores
}

func (a *app) bench() *cobra.Command {
	var arch string
	var batch, size int
	var seconds float64
	var explain bool
	c := &cobra.Command{
		Use:   "bench",
		Short: "Training and evaluation speed of this machine",
		Example: `  unpoison bench
  unpoison bench --model preact-resnet-18 --seconds 20 --json`,
		RunE: func(c *cobra.Command, _ []string) error {
			if batch < 2 || !(seconds > 0) {
				return usagef("--batch %d and --seconds %g, expected at least 2 and more than 0", batch, seconds)
			}
			n, err := model.New(arch, 10, size, size)
			if err != nil {
				return &usageError{err}
			}
			b, err := a.backend()
			if err != nil {
				return err
			}
			state := n.Init(0)
			step, err := train.NewClassifier(b, n, state, batch, train.DefaultSGD, train.LocalGradientAscent(0.5, true))
			if err != nil {
				return err
			}
			if explain {
				text, err := step.Explain()
				fmt.Fprint(a.out, text)
				return err
			}
			count := evaluate.Batch
			if size <= 64 {
				count *= 4
			}
			images := &dataset.Set{Height: size, Width: size, Classes: make([]string, 10), Pixels: make([]uint8, count*size*size*3), Labels: make([]int32, count)}
			r := rng.Stream(0, "bench")
			for i := range images.Pixels {
				images.Pixels[i] = uint8(r.IntN(256))
			}
			x, y, w := make([]float32, batch*size*size*3), make([]int32, batch), make([]float32, batch)
			for i := range x {
				x[i] = r.Float32()
			}
			for i := range y {
				y[i], w[i] = int32(i%10), 1
			}
			limit := time.Duration(seconds * float64(time.Second))
			res := benchResult{Threads: runtime.GOMAXPROCS(0), Batch: batch, Model: arch, Engine: engines.Describe(b)}
			if res.Train, err = speed(limit, batch, func() error {
				if err := c.Context().Err(); err != nil {
					return err
				}
				_, err := step.Step([]float64{1e-3}, x, y, w)
				return err
			}); err != nil {
				return err
			}
			flops, peak := step.Arithmetic()
			if peak > 0 { // the engine knows
				res.CorePeak, res.TrainShare = peak, res.Train/float64(batch)*flops/(peak*float64(res.Threads))
			}
			e, err := evaluate.New(b, n)
			if err != nil {
				return err
			}
			if err := e.Load(state); err != nil {
				return err
			}
			if res.Eval, err = speed(limit, images.Len(), func() error {
				return e.Logits(c.Context(), images, func(int, []float32) {})
			}); err != nil {
				return err
			}
			res.PeakMemory = sysinfo.PeakMemory()
			if a.json {
				return a.printJSON(res)
			}
			fmt.Fprintf(a.out, "%s, %s, %d threads, batch %d\n  training    %8.0f img/s\n  evaluation  %8.0f img/s\n  peak memory %8d MB\n",
				res.Model, res.Engine, res.Threads, res.Batch, res.Train, res.Eval, res.PeakMemory>>20)
			if peak > 0 {
				fmt.Fprintf(a.out, "  of the peak %8.0f %% of the multiplications that %d × %.0f GFLOP/s allow, in training\n",
					100*res.TrainShare, res.Threads, peak/1e9)
			}
			return nil
		},
	}
	c.Flags().StringVar(&arch, "model", "wrn-16-1", "network")
	c.Flags().IntVar(&batch, "batch", 128, "images a training step")
	c.Flags().IntVar(&size, "size", 32, "pixels a side")
	c.Flags().Float64Var(&seconds, "seconds", 5, "seconds for each measurement")
	c.Flags().BoolVar(&explain, "explain", false, "print the compiled training step with the time of each operation")
	return c
}

// speed repeats f, after one call that is not counted, and returns images a second.
func speed(limit time.Duration, images int, f func() error) (float64, error) {
	if err := f(); err != nil {
		return 0, err
	}
	n := 0
	start := time.Now()
	for time.Since(start) < limit {
		if err := f(); err != nil {
			return 0, err
		}
		n += images
	}
	return float64(n) / time.Since(start).Seconds(), nil
}
