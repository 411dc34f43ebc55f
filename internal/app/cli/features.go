package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/app/features"
	words "github.com/unpoison/unpoison/internal/app/findings"
	"github.com/unpoison/unpoison/internal/base/printable"
)

// featuresFlags are those of features alone.
type featuresFlags struct {
	data                                      dataFlags
	backbone, tensor, normalize, pooling, out string
	seed                                      uint64
}

func (a *app) features() *cobra.Command {
	var f featuresFlags
	c := &cobra.Command{
		Use:   "features",
		Short: "Compute features with your own network, for audit --features",
		Long: `Runs a network of your own, an ONNX file, on each training image and writes its
output, one row per image, for audit and train --features. Give those the same
--data, --limit, --seed and --skip-bad as here.

It can run ResNets, ViTs and what unpoison export writes; for other networks, an
error may name operators that it can't run. The input of a classifier's last
layer says more than its classes: name that tensor with --output. For an unknown
name, an error lists the tensors at the end of the network.

Features may be poisoned too: use a network that was trained on other data by
others.`,
		Example: `  unpoison features --data DIR --backbone dinov2.onnx --out F.npy
  unpoison audit --data DIR --features F.npy --out audit
  unpoison features --data DIR --backbone n.onnx --normalize 0.5/0.5 --out F.npy`,
		RunE: func(c *cobra.Command, _ []string) error {
			n, o, err := f.open(c)
			if err != nil {
				return err
			}
			f.data.opts.Only = dataset.OnlyTrain
			d, err := f.data.load(c.Context(), a, f.seed)
			if err != nil {
				return err
			}
			return a.writeFeatures(c, &f, n, d, o)
		},
	}
	f.data.add(c)
	fl := c.Flags()
	fl.StringVar(&f.backbone, "backbone", "", "`FILE`.onnx: the network")
	fl.StringVar(&f.tensor, "output", "", "`NAME` of the tensor to write: an output, or any operator's (default the first output)")
	fl.StringVar(&f.normalize, "normalize", "imagenet", "normalisation of the input: imagenet, none (0 to 1) or `MEAN/STD`, one number or three each; not for a network that takes bytes")
	fl.StringVar(&f.pooling, "pool", features.First, "of several tokens, write the first or their mean (`WHICH`); of feature maps, always the mean")
	fl.StringVar(&f.out, "out", "", "`FILE`.npy")
	fl.Uint64Var(&f.seed, "seed", 0, "seed by which --limit draws images")
	return c
}

// open reads the network and checks the flags against it.
func (f *featuresFlags) open(c *cobra.Command) (*features.Network, features.Options, error) {
	o := features.Options{Pool: f.pooling}
	switch {
	case f.data.spec == "" || f.backbone == "" || f.out == "":
		return nil, o, usagef("--data, --backbone and --out are required: images, a network.onnx, and a file for the features")
	case filepath.Ext(f.out) != ".npy":
		return nil, o, usagef("--out %s, expected a file with the ending .npy", f.out)
	case f.pooling != features.First && f.pooling != features.Mean:
		return nil, o, usagef("--pool %s, expected first or mean", f.pooling)
	}
	var err error
	if o.Normalize, err = features.ParseNormalize(f.normalize); err != nil {
		return nil, o, usagef("--normalize: %w", err)
	}
	n, err := features.Open(f.backbone, f.tensor)
	if err != nil {
		return nil, o, err
	}
	if n.TakesBytes() && c.Flags().Changed("normalize") {
		return nil, o, usagef("--normalize: %s takes pixels as bytes and scales them itself", f.backbone)
	}
	h, w := n.Size()
	if size := f.data.opts.Size; size > 0 && (h > 0 && size != h || w > 0 && size != w) {
		return nil, o, usagef("--size %d: %s takes images of %d×%d pixels", size, f.backbone, w, h)
	}
	if f.data.opts.Size == 0 && h > 0 && w > 0 && f.data.spec != rendered {
		f.data.opts.Size, f.data.opts.Width = h, w
	}
	return n, o, nil
}

func (a *app) writeFeatures(c *cobra.Command, f *featuresFlags, n *features.Network, d *dataset.Data, o features.Options) error {
	in := "pixels as bytes"
	if !n.TakesBytes() {
		in = "normalization " + f.normalize
	}
	fmt.Fprintf(a.err, "%s: images of %d×%d pixels, %s\n", printable.Text(f.backbone), d.Train.Width, d.Train.Height, in)
	if err := os.MkdirAll(filepath.Dir(f.out), 0o777); err != nil {
		return err
	}
	if show := a.reading("features"); show != nil {
		o.Watch = func(done, of int) { show("", done, of) }
	}
	b, err := a.backend()
	if err != nil {
		return err
	}
	done, err := n.Write(c.Context(), b, d.Train, f.out, o)
	a.done()
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(map[string]any{"features": f.out, "images": d.Train.Len(), "width": done.Width, "tensor": n.Tensor, "kept": done.Kept, "engine": done.Engine})
	}
	of := fmt.Sprintf("%q", n.Tensor)
	if done.Kept != "" {
		of += ", " + done.Kept
	}
	fmt.Fprintf(a.out, "%s: %d numbers for each of %d images (%s), computed by %s\nnext: %s audit --data %s --features %s --out audit\n", printable.Text(f.out), done.Width, d.Train.Len(),
		printable.Text(of), done.Engine, calledAs(), words.Words(append([]string{f.data.spec}, f.data.given(c, "seed")...)), words.Quote(f.out))
	return nil
}
