package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/backends"
	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/model"
)

// evalResult is what eval prints with --json.
type evalResult struct {
	CA       float64    `json:"ca"`
	ASR      *float64   `json:"asr"`
	Loss     float64    `json:"loss"`
	PerClass []*float64 `json:"per_class"` // null where a class has no image
}

func evaluated(of *evaluate.Result) *evalResult {
	r := &evalResult{CA: 100 * of.Accuracy, Loss: of.Loss, PerClass: make([]*float64, len(of.PerClass))}
	for k, v := range of.PerClass {
		if of.Images[k] > 0 {
			v *= 100
			r.PerClass[k] = &v
		}
	}
	return r
}

func (r *evalResult) print(out io.Writer, classes []string) {
	fmt.Fprintf(out, "clean accuracy        %.2f %%\nloss                  %.4f\n", r.CA, r.Loss)
	if r.ASR != nil {
		fmt.Fprintf(out, "attack success rate   %.2f %%\n", *r.ASR)
	}
	names := column(classes[:len(r.PerClass)], 20)
	for i, v := range r.PerClass {
		text := "–, no images"
		if v != nil {
			text = fmt.Sprintf("%.2f %%", *v)
		}
		fmt.Fprintf(out, "  %s%s\n", names[i], text)
	}
}

func (a *app) eval() *cobra.Command {
	var data dataFlags
	var m modelFlags
	var triggered string
	c := &cobra.Command{
		Use:   "eval",
		Short: "Measure a model: accuracy, and attack success on triggered images",
		Long: `Measures a model on the test images of --data (the training images where there
are no test images). --triggered is triggered/ in a folder that unpoison attack
wrote, or what unpoison attack apply did: its test images carry the trigger and
the target as their label, and leave out images of the target class, so accuracy
on them is the attack success rate. Of an attack with random labels they keep
their own, and success is the share that the model does not give them.`,
		Example: `  unpoison eval --model run/model.safetensors --data DIR
  unpoison eval --model M --data DIR --triggered poisoned/triggered --json`,
		RunE: func(c *cobra.Command, _ []string) error {
			if m.file == "" {
				return usagef("--model is required: a model.safetensors")
			}
			if err := noPoisonedCopy(triggered); err != nil {
				return err
			}
			m.size = &data.opts.Size
			n, state, info, err := m.load(a)
			if err != nil {
				return err
			}
			if err := data.sizedFor(info); err != nil {
				return err
			}
			d, err := data.load(c.Context(), a, 0)
			if err == nil && data.spec != rendered { // of which so many are rendered
				err = data.testOnly(d)
			}
			if err != nil {
				return err
			}
			b, err := a.backend()
			if err != nil {
				return err
			}
			e, err := evaluate.Of(b, n, state)
			if err != nil {
				return err
			}
			clean, err := a.measure(c.Context(), e, n, d, info)
			if err != nil {
				return err
			}
			r := evaluated(clean)
			if triggered != "" {
				opts := dataset.Options{Size: info.Height, Width: info.Width, SkipBad: data.opts.SkipBad, NoFollow: data.opts.NoFollow, Depth: data.opts.Depth}
				t, err := dataset.Load(c.Context(), triggered, opts)
				if err != nil {
					return deeper(err, data.learnt)
				}
				a.understood(t)
				hit, err := a.measure(c.Context(), e, n, t, info)
				if err != nil {
					return err
				}
				asr, err := success(triggered, 100*hit.Accuracy)
				if err != nil {
					return err
				}
				r.ASR = &asr
			}
			if a.json {
				return a.printJSON(r)
			}
			r.print(a.out, info.Classes)
			return nil
		},
	}
	data.add(c)
	m.add(c)
	c.Flags().StringVar(&triggered, "triggered", "", "`DIR` with triggered test images")
	return c
}

// noPoisonedCopy refuses the folder of an attack in place of the triggered images in it: its own test images carry no trigger.
func noPoisonedCopy(triggered string) error {
	dir := folderOf(triggered)
	if _, err := os.Stat(filepath.Join(dir, poisonFile)); err != nil {
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, triggeredFolder)); err != nil {
		return fmt.Errorf("--triggered %s: that is poisoned training data without triggered test images; unpoison attack apply --from %s makes some", triggered, dir)
	}
	return fmt.Errorf("--triggered %s: the test images there carry no trigger, those in it do: give --triggered %s", triggered, filepath.Join(dir, triggeredFolder))
}

// folderOf returns DIR of layout:DIR.
func folderOf(spec string) string {
	if layout, dir, ok := strings.Cut(spec, ":"); ok && slices.ContainsFunc(dataset.Layouts(), func(l [2]string) bool { return l[0] == layout }) {
		return dir
	}
	return spec
}

// success turns the accuracy on a folder's triggered images, in percent, into attack success as the attack beside them
// defines it.
func success(triggered string, accuracy float64) (float64, error) {
	triggered = folderOf(triggered)
	for _, dir := range []string{triggered, filepath.Dir(filepath.Clean(triggered))} {
		c, err := attack.ReadCommon(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return c.Success(accuracy), err
	}
	return accuracy, nil // an attack of the user's own
}

// measure evaluates on the test images, or the training images where there are none.
func (a *app) measure(ctx context.Context, e *evaluate.Evaluator, n *model.Network, d *dataset.Data, info *checkpoint.Info) (*evaluate.Result, error) {
	set := d.Test
	if set == nil || set.Len() == 0 {
		set = d.Train
		fmt.Fprintln(a.err, "note: there are no test images with labels; the training images are measured")
	}
	if err := a.alignClasses(info, n, set, d.Path); err != nil {
		return nil, err
	}
	r, err := e.Accuracy(ctx, set)
	if err == nil && (math.IsNaN(r.Loss) || math.IsInf(r.Loss, 0)) {
		return nil, fmt.Errorf("the loss is %v: %w", r.Loss, errNotFinite)
	}
	return r, err
}

// errNotFinite is of a network that computes with numbers which are too large for it.
var errNotFinite = errors.New("what the model makes of the images is no number, or infinite; its weights are damaged, or its training diverged")

// computes refuses a network that makes no numbers of the first images, before anything is made of it.
func computes(ctx context.Context, b backends.Backend, n *model.Network, state model.State, set *dataset.Set) error {
	e, err := evaluate.Of(b, n, state)
	if err != nil {
		return err
	}
	var first []int
	for i := range min(evaluate.Batch, set.Len()) {
		first = append(first, i)
	}
	finite := true
	err = e.Logits(ctx, set.View(first), func(_ int, z []float32) { finite = finite && !slices.ContainsFunc(z, notFinite) })
	if err == nil && !finite {
		return errNotFinite
	}
	return err
}
