package cli

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/base/printable"
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
unpoison's or a PyTorch checkpoint of a network that unpoison knows; such a one
names no classes, and their numbers are printed.`,
		Example: `  unpoison predict --model run/model.safetensors photo.jpg
  unpoison predict --model net.pth --top 5 --json *.png`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("predict takes image files")
			}
			return nil
		},
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
			set := &dataset.Set{Height: n.Height, Width: n.Width, Classes: info.Classes, Labels: make([]int32, len(files))}
			var notes []string
			learnt := 0
			if depth == 0 {
				depth, learnt = info.Depth, info.Depth
			}
			if set.Pixels, notes, err = dataset.ReadImages(c.Context(), files, n.Height, n.Width, depth); err != nil {
				return deeper(err, learnt)
			}
			for _, n := range notes {
				fmt.Fprintln(a.err, printable.Text("note: "+n))
			}
			b, err := a.backend()
			if err != nil {
				return err
			}
			e, err := evaluate.Of(b, n, state)
			if err != nil {
				return err
			}
			names := column(info.Classes, 24)
			var failed error
			err = e.Logits(c.Context(), set, func(i int, z []float32) {
				if slices.ContainsFunc(z, notFinite) {
					failed = cmp.Or(failed, fmt.Errorf("%s: %w", files[i], errNotFinite))
					return
				}
				p := prediction{File: files[i], Classes: ranked(z, info.Classes)[:min(max(1, top), n.Classes)]}
				if a.json {
					failed = cmp.Or(failed, a.printJSON(p))
					return
				}
				fmt.Fprintf(a.out, "%s\n", printable.Text(p.File))
				for _, g := range p.Classes {
					fmt.Fprintf(a.out, "  %s%5.1f %%\n", names[slices.Index(info.Classes, g.Class)], 100*g.Probability)
				}
			})
			return cmp.Or(err, failed)
		},
	}
	m.add(c)
	m.addSize(c)
	c.Flags().IntVar(&depth, "depth", 0, depthHelp)
	c.Flags().IntVar(&top, "top", 3, "how many classes to print")
	return c
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
