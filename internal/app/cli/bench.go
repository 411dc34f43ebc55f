package cli

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/gomlx/gomlx/backends"
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

// benchFlags are the flags of bench.
type benchFlags struct {
	arch        string
	batch, size int
	seconds     float64
	explain     bool
}

func (a *app) bench() *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure the training and evaluation speed of this machine",
		Example: `  unpoison bench
  unpoison bench --model preact-resnet-18 --seconds 20 --json`,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.batch < 2 || !(f.seconds > 0) {
				return usagef("--batch %d and --seconds %g, expected at least 2 and more than 0", f.batch, f.seconds)
			}
			return a.runBench(c.Context(), f)
		},
	}
	c.Flags().StringVar(&f.arch, "model", "wrn-16-1", "network")
	c.Flags().IntVar(&f.batch, "batch", 128, "images per training step")
	c.Flags().IntVar(&f.size, "size", 32, "height and width of the images, in pixels")
	c.Flags().Float64Var(&f.seconds, "seconds", 5, "seconds for each measurement")
	c.Flags().BoolVar(&f.explain, "explain", false, "print the compiled training step with the time of each operation")
	return c
}

func (a *app) runBench(ctx context.Context, f benchFlags) error {
	n, err := model.New(f.arch, 10, f.size, f.size)
	if err != nil {
		return &usageError{err}
	}
	b, err := a.backend()
	if err != nil {
		return err
	}
	step, err := train.NewClassifier(b, n, n.Init(0), f.batch, train.DefaultSGD(), train.LocalGradientAscent(0.5, true))
	if err != nil {
		return err
	}
	if f.explain {
		text, err := step.Explain()
		fmt.Fprint(a.out, text)
		return err
	}
	res := benchResult{Threads: runtime.GOMAXPROCS(0), Batch: f.batch, Model: f.arch, Engine: engines.Describe(b)}
	limit := time.Duration(f.seconds * float64(time.Second))
	if res.Train, err = trainSpeed(ctx, step, f, limit); err != nil {
		return err
	}
	if flops, peak := step.Arithmetic(); peak > 0 { // the engine knows
		res.CorePeak, res.TrainShare = peak, res.Train/float64(f.batch)*flops/(peak*float64(res.Threads))
	}
	if res.Eval, err = evalSpeed(ctx, b, n, limit); err != nil {
		return err
	}
	res.PeakMemory = sysinfo.PeakMemory()
	if a.json {
		return a.printJSON(res)
	}
	fmt.Fprintf(a.out, "%s, %s, %d threads, batch %d\n  training    %8.0f img/s\n  evaluation  %8.0f img/s\n  peak memory %8d MB\n",
		res.Model, res.Engine, res.Threads, res.Batch, res.Train, res.Eval, res.PeakMemory>>20)
	if res.CorePeak > 0 {
		fmt.Fprintf(a.out, "  of the peak %8.0f %% of the multiplications that %d × %.3g GFLOP/s allow, in training\n",
			100*res.TrainShare, res.Threads, res.CorePeak/1e9)
	}
	return nil
}

// trainSpeed measures steps on one batch of noise.
func trainSpeed(ctx context.Context, step *train.Learner, f benchFlags, limit time.Duration) (float64, error) {
	r := rng.Stream(0, "bench")
	x, y, w := make([]float32, f.batch*f.size*f.size*3), make([]int32, f.batch), make([]float32, f.batch)
	for i := range x {
		x[i] = r.Float32()
	}
	for i := range y {
		y[i], w[i] = int32(i%10), 1
	}
	return speed(limit, f.batch, func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := step.Step([]float64{1e-3}, x, y, w)
		return err
	})
}

// evalSpeed measures evaluations of images of noise.
func evalSpeed(ctx context.Context, b backends.Backend, n *model.Network, limit time.Duration) (float64, error) {
	count := evaluate.Batch
	if n.Height <= 64 {
		count *= 4
	}
	images := &dataset.Set{Height: n.Height, Width: n.Width, Classes: make([]string, n.Classes), Labels: make([]int32, count)}
	images.Pixels = make([]uint8, count*images.ImageBytes())
	r := rng.Stream(0, "bench")
	for i := range images.Pixels {
		images.Pixels[i] = uint8(r.IntN(256))
	}
	e, err := evaluate.Of(b, n, n.Init(0))
	if err != nil {
		return 0, err
	}
	return speed(limit, images.Len(), func() error { return e.Logits(ctx, images, func(int, []float32) {}) })
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
