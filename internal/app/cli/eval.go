package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	"github.com/unpoison/unpoison/rng"
)

// evalResult is what eval prints with --json.
type evalResult struct {
	CA       float64    `json:"ca"`
	ASR      *float64   `json:"asr"`
	Loss     float64    `json:"loss"`
	PerClass []*float64 `json:"per_class"` // null where a class has no image
}

func evaluated(of *evaluate.Result) *evalResult {
	return &evalResult{CA: 100 * of.Accuracy, Loss: of.Loss, PerClass: of.Percent()}
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
		Long: `Measures the accuracy of a model on the test images of --data, or on the
training images if there are no test images.

--triggered measures the attack success rate: the share of triggered images of
other classes that the model classifies as the target class; for an attack with
random labels, the share that it does not classify as their own class. DIR is
the folder triggered/ that unpoison attack wrote, or one that unpoison attack
apply wrote; triggered.json in it names the target. In a folder without
triggered.json, all images must be labelled as the target.`,
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
			data.opts.Only = dataset.OnlyTest
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
			clean, err := a.measure(c.Context(), e, n, a.toMeasure(d), d, info)
			if err != nil {
				return err
			}
			r := evaluated(clean)
			if triggered != "" {
				o := data.likewise()
				o.Classes = info.Classes
				t, err := load(c.Context(), triggered, o)
				if err != nil {
					return deeper(err, data.learnt)
				}
				a.understood(t)
				asr, err := a.success(c.Context(), triggered, e, n, t, info)
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

// likewise are the options of triggered images, which are read at the same size.
func (f *dataFlags) likewise() dataset.Options {
	o := f.opts
	return dataset.Options{Size: o.Size, Width: o.Width, SkipBad: o.SkipBad, NoFollow: o.NoFollow, Depth: o.Depth, Only: o.Only}
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

// wanted returns the images of a folder that attack success is measured on, with the labels that count as success, and what
// turns the accuracy on them, in percent, into success. path is where they lie.
func wanted(triggered, path string, images *dataset.Set) (*dataset.Set, func(accuracy float64) float64, error) {
	dirs := []string{folderOf(triggered), path}
	for _, dir := range dirs {
		if st, err := os.Stat(dir); err == nil && !st.IsDir() {
			dir = filepath.Dir(dir)
		}
		m, err := attack.ReadMarker(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if images, err = m.Aimed(images); err == nil && images.Len() == 0 {
			err = errNoneAimed
		}
		if err != nil {
			return nil, nil, fmt.Errorf("--triggered %s: %w", triggered, err)
		}
		return images, m.Success, nil
	}
	several := 0 // labels
	for _, n := range images.Counts() {
		several += min(n, 1)
	}
	for _, dir := range dirs { // of versions that left no marker
		places := []string{dir}
		if filepath.Base(dir) == triggeredFolder {
			places = append(places, filepath.Dir(filepath.Clean(dir)))
		}
		for _, place := range places {
			c, err := attack.ReadCommon(place)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil || c.RandomLabels || len(c.Aimed(len(images.Classes))) > 1 || several == 1 {
				return images, c.Success, err
			}
		}
	}
	if several > 1 {
		return nil, nil, fmt.Errorf("--triggered %s: its images are under %d labels, and nothing there says which of them the attack wants;\n"+
			"give what unpoison attack or unpoison attack apply wrote, or triggered images under the target's label alone", triggered, several)
	}
	return images, attack.Common{}.Success, nil // an attack of the user's own, to that label
}

// success measures on triggered images how often an attack succeeds, in percent.
func (a *app) success(ctx context.Context, triggered string, e *evaluate.Evaluator, n *model.Network, d *dataset.Data, info *checkpoint.Info) (float64, error) {
	set, of, err := wanted(triggered, d.Path, a.toMeasure(d))
	if err != nil {
		return 0, err
	}
	r, err := a.measure(ctx, e, n, set, d, info)
	if err != nil {
		return 0, err
	}
	return of(100 * r.Accuracy), nil
}

// toMeasure returns the test images, or the training images where there are none.
func (a *app) toMeasure(d *dataset.Data) *dataset.Set {
	if d.Test != nil && d.Test.Len() > 0 {
		return d.Test
	}
	fmt.Fprintln(a.err, "note: there are no test images with labels; the training images are measured")
	return d.Train
}

// measure evaluates on images of data.
func (a *app) measure(ctx context.Context, e *evaluate.Evaluator, n *model.Network, set *dataset.Set, d *dataset.Data, info *checkpoint.Info) (*evaluate.Result, error) {
	if err := a.alignClasses(info, n, set, d); err != nil {
		return nil, err
	}
	return e.Measure(ctx, set)
}

// computes refuses a network that makes no numbers of the first images, before anything is made of it.
func computes(ctx context.Context, b backends.Backend, n *model.Network, state model.State, set *dataset.Set) error {
	e, err := evaluate.Of(b, n, state)
	if err != nil {
		return err
	}
	finite := true
	err = e.Logits(ctx, set.View(rng.Iota(min(evaluate.Batch, set.Len()))), func(_ int, z []float32) { finite = finite && !slices.ContainsFunc(z, notFinite) })
	if err == nil && !finite {
		return evaluate.ErrNotFinite
	}
	return err
}
