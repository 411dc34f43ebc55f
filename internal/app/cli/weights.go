package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/model"
)

// modelFlags name a model.
type modelFlags struct {
	file, weights string
	fixed         bool // no flag chooses the weights
}

func (f *modelFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.file, "model", "", "model `FILE`")
	c.Flags().StringVar(&f.weights, "weights", "", "`KEY` of the weights in a PyTorch file of several, such as ema")
}

// load reads the model and says which weights it took where there are others.
func (f *modelFlags) load(a *app) (*model.Network, model.State, *checkpoint.Info, error) {
	n, s, info, err := checkpoint.LoadWeights(f.file, f.weights)
	if err == nil && len(info.Others) > 0 {
		choose := "--weights KEY chooses others"
		if f.fixed {
			choose = "and not others"
		}
		fmt.Fprintf(a.err, "note: %s holds several sets of weights: those of %q are taken, %s: %q\n", f.file, info.Weights, choose, info.Others)
	}
	if err == nil && info.Guessed {
		fmt.Fprintf(a.err, "note: %s does not say the size of its images: they are taken for %d×%d pixels, as usual with %s\n", f.file, info.Width, info.Height, info.Arch)
	}
	return n, s, info, err
}
