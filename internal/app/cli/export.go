package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/internal/base/version"
)

func (a *app) export() *cobra.Command {
	var m modelFlags
	var out string
	c := &cobra.Command{
		Use:   "export",
		Short: "Write a model as ONNX",
		Long: `Writes a model as ONNX (operator set 17) for other programs. Its input "pixels"
is uint8, [batch, 3, height, width]: plain RGB, because scaling and
normalization are part of the model. Stretch images of other sizes to height and
width, without keeping their aspect ratio, by an antialiased Catmull-Rom filter.
The outputs are "logits" and "probabilities", [batch, classes]. The metadata
contain the classes, how to resize images, and the depth of 16-bit samples.`,
		Example: `  unpoison export --model run/model.safetensors --out model.onnx`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if m.file == "" || out == "" {
				return usagef("--model and --out are required")
			}
			if filepath.Ext(out) != ".onnx" {
				return usagef("--out %s, expected a file with the ending .onnx", out)
			}
			n, state, info, err := m.load(a)
			if err != nil {
				return err
			}
			info.NumberClasses(n)
			info.Version = version.Number
			if err := os.MkdirAll(filepath.Dir(out), 0o777); err != nil {
				return err
			}
			if err := checkpoint.WriteONNX(out, n, state, *info); err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"model": out, "architecture": n.Arch, "height": n.Height, "width": n.Width, "classes": info.Classes})
			}
			fmt.Fprintf(a.out, "%s: %s for images of %d×%d, %d classes\n", out, n.Arch, n.Width, n.Height, n.Classes)
			return nil
		},
	}
	m.add(c)
	m.addSize(c)
	c.Flags().StringVar(&out, "out", "", "`FILE`.onnx")
	return c
}
