package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/internal/app/features"
	"github.com/unpoison/unpoison/model"
)

// modelFlags name a model.
type modelFlags struct {
	file, weights string
	fixed         bool // no flag chooses the weights
	tensors       bool // nothing but them is taken: of which size its images are does not matter
	normalize     string
	size          *int // of the command's --size, for models that don't say theirs; nil: it has none
}

func (f *modelFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.file, "model", "", "model `FILE`")
	c.Flags().StringVar(&f.weights, "weights", "", "`KEY` of the weights, such as ema, in a PyTorch file with several sets")
	c.Flags().StringVar(&f.normalize, "normalize", "", "normalisation that a model from another program expects: imagenet, none (RGB from 0 to 1) or `MEAN/STD`, one number or three each (default none)")
}

// load reads the model and says which weights it took where there are others.
func (f *modelFlags) load(a *app) (*model.Network, model.State, *checkpoint.Info, error) {
	n, s, info, err := checkpoint.LoadWeights(f.file, f.weights)
	if err == nil {
		err = f.normalized(n, info)
	}
	elsewhere := err == nil && info.Guessed
	if err == nil && len(info.Others) > 0 {
		choose := "--weights KEY chooses others"
		if f.fixed {
			choose = "and not others"
		}
		fmt.Fprintf(a.err, "note: %s holds several sets of weights: those of %q are taken, %s: %q\n", f.file, info.Weights, choose, info.Others)
	}
	if err == nil && f.size != nil && *f.size != 0 {
		n, err = f.resized(n, info)
	}
	if err == nil && info.Guessed && !f.tensors {
		other := ""
		if f.size != nil {
			other = "; --size N takes others"
		}
		fmt.Fprintf(a.err, "note: %s does not say the size of its images: they are taken for %d×%d pixels, as usual with %s%s\n", f.file, info.Width, info.Height, info.Arch, other)
	}
	if err == nil && elsewhere && !f.tensors && f.normalize == "" {
		fmt.Fprintf(a.err, "note: %s gets RGB from 0 to 1, without mean and deviation; --normalize imagenet or MEAN/STD is for networks that learnt from such images\n", f.file)
	}
	return n, s, info, err
}

// normalized has a network made elsewhere normalise its images as --normalize says.
func (f *modelFlags) normalized(n *model.Network, info *checkpoint.Info) error {
	if f.normalize == "" {
		return nil
	}
	if !info.Guessed {
		return usagef("--normalize %s: the model is unpoison's own and knows what it takes; leave it out", f.normalize)
	}
	v, err := features.ParseNormalize(f.normalize)
	if err != nil {
		return usagef("--normalize: %w", err)
	}
	if f.normalize != "none" {
		n.Normalize, info.Normalize = &v, &v
	}
	return nil
}

// addSize adds a --size to a command that reads no data.
func (f *modelFlags) addSize(c *cobra.Command) {
	f.size = new(int)
	c.Flags().Var((*sizeFlag)(f.size), "size", "the model takes images of `N`×N pixels, if its file does not say so; auto: the usual size of its network")
}

// resized is the network for the images of --size, where the model does not say which it takes.
func (f *modelFlags) resized(n *model.Network, info *checkpoint.Info) (*model.Network, error) {
	size := *f.size
	switch {
	case size < 0 || size > mostPixels:
		return nil, usagef("--size %d, expected up to %d pixels", size, mostPixels)
	case !info.Guessed && (size != info.Height || size != info.Width):
		return nil, usagef("--size %d: the model takes images of %d×%d pixels; leave out --size", size, info.Width, info.Height)
	case !info.Guessed:
		return n, nil
	}
	other, err := model.NewStem(n.Arch, n.Classes, size, size, n.Stem)
	if err != nil {
		return nil, fmt.Errorf("--size %d: %w", size, err)
	}
	other.Normalize = n.Normalize
	info.Height, info.Width, info.Guessed = size, size, false
	return other, nil
}
