package cli

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/base/printable"
	"github.com/unpoison/unpoison/model"
)

// prediction is a line of predict --json.
type prediction struct {
	File    string  `json:"file"`
	Classes []guess `json:"classes"` // most probable first
}

type guess struct {
	Class       string  `json:"class"`
	Probability float64 `json:"probability"`
}

func (a *app) predict() *cobra.Command {
	var m modelFlags
	var top, depth int
	c := &cobra.Command{
		Use:   "predict FILE…",
		Short: "Classify image files with a model",
		Long: `Prints the most probable classes of each image file. The model is one of
unpoison's, or a PyTorch checkpoint of a network that unpoison knows. PyTorch
checkpoints contain no class names, so their numbers are printed.

If a file can't be read, the command names it on standard error, classifies the
others, and exits with 1.`,
		Example: `  unpoison predict --model run/model.safetensors photo.jpg
  unpoison predict --model net.pth --top 5 --json *.png`,
		Args: someArguments("predict takes image files"),
		RunE: func(c *cobra.Command, files []string) error {
			if m.file == "" {
				return usagef("--model is required: a model.safetensors")
			}
			if top < 1 {
				return usagef("--top %d, expected 1 or more", top)
			}
			if err := checkDepth(depth); err != nil {
				return err
			}
			n, state, info, err := m.load(a)
			if err != nil {
				return err
			}
			info.NumberClasses(n)
			b, err := a.backend()
			if err != nil {
				return err
			}
			e, err := evaluate.ForFew(b, n, state, len(files))
			if err != nil {
				return err
			}
			p := &predicting{
				app: a, evaluator: e, network: n, classes: info.Classes, names: column(info.Classes, 24), top: min(top, n.Classes), files: files,
			}
			if depth == 0 {
				depth, p.learnt = info.Depth, info.Depth
			}
			return p.run(c.Context(), depth)
		},
	}
	m.add(c)
	m.addSize(c)
	c.Flags().IntVar(&depth, "depth", 0, depthHelp)
	c.Flags().IntVar(&top, "top", 3, "how many classes to print")
	return c
}

// predicting is a predict in progress. It holds the pixels of a few images at a time.
type predicting struct {
	*app
	evaluator *evaluate.Evaluator
	network   *model.Network
	classes   []string
	names     []string // of these, as wide as each other
	top       int
	learnt    int // the depth of the model's images, if it is why there is one
	files     []string

	read   []string // the files whose images wait to be judged
	pixels []uint8
	bad    int // files of which there is no prediction
}

// predictBytes is how many bytes of pixels wait to be judged, in whole batches.
const predictBytes = 16 << 20

func (p *predicting) run(ctx context.Context, depth int) error {
	batch := evaluate.Batch * p.network.Height * p.network.Width * 3
	most := max(1, predictBytes/batch) * batch
	notes, err := dataset.EachImage(ctx, p.files, p.network.Height, p.network.Width, depth, func(i int, pixels []uint8, bad error) error {
		if bad != nil {
			return p.failed(deeper(bad, p.learnt))
		}
		p.read, p.pixels = append(p.read, p.files[i]), append(p.pixels, pixels...)
		if len(p.pixels) < most {
			return nil
		}
		return p.judge(ctx)
	})
	if err == nil {
		err = p.judge(ctx)
	}
	for _, n := range notes {
		fmt.Fprintln(p.err, printable.Text("note: "+n))
	}
	if err == nil && p.bad > 0 {
		err = fmt.Errorf("%d of %d files have no prediction", p.bad, len(p.files))
	}
	return err
}

// failed says what is wrong with a file. Of one alone that is the command's error.
func (p *predicting) failed(err error) error {
	if len(p.files) == 1 {
		return err
	}
	p.bad++
	fmt.Fprintf(p.err, "unpoison: %v\n", err)
	return nil
}

// judge prints the predictions of the images that wait.
func (p *predicting) judge(ctx context.Context) error {
	set := &dataset.Set{Height: p.network.Height, Width: p.network.Width, Classes: p.classes, Labels: make([]int32, len(p.read)), Pixels: p.pixels}
	var failed error
	err := p.evaluator.Logits(ctx, set, func(i int, z []float32) {
		if failed == nil {
			failed = p.print(p.read[i], z)
		}
	})
	p.read, p.pixels = p.read[:0], p.pixels[:0]
	return cmp.Or(err, failed)
}

func (p *predicting) print(file string, logits []float32) error {
	if slices.ContainsFunc(logits, notFinite) {
		return p.failed(fmt.Errorf("%s: %w", file, evaluate.ErrNotFinite))
	}
	guesses := ranked(logits, p.classes)[:p.top]
	if p.json {
		return p.printJSON(prediction{file, guesses})
	}
	fmt.Fprintf(p.out, "%s\n", printable.Text(file))
	for _, g := range guesses {
		fmt.Fprintf(p.out, "  %s%5.1f %%\n", p.names[slices.Index(p.classes, g.Class)], 100*g.Probability)
	}
	return nil
}

func notFinite(v float32) bool { return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) }

// ranked returns the classes by their softmax.
func ranked(logits []float32, classes []string) []guess {
	all := make([]guess, len(logits))
	sum, most := 0.0, float64(slices.Max(logits))
	for i, z := range logits {
		all[i] = guess{classes[i], math.Exp(float64(z) - most)}
		sum += all[i].Probability
	}
	for i := range all {
		all[i].Probability /= sum
	}
	slices.SortStableFunc(all, func(x, y guess) int { return cmp.Compare(y.Probability, x.Probability) })
	return all
}
