package cli

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/names"
	"github.com/unpoison/unpoison/internal/base/printable"
)

// What a poisoned copy of data holds beside its images.
const (
	poisonFile      = "poison.csv"
	triggeredFolder = "triggered"
)

func (a *app) attack() *cobra.Command {
	var data dataFlags
	var att attackFlags
	var out string
	var seed uint64
	c := &cobra.Command{
		Use:   "attack NAME[:key=value,…]",
		Short: "Write a poisoned copy of a data set, for experiments",
		Long: `Writes a poisoned copy of a data set to --out, in the layout of the input or, if
that can't be written, as one folder per class:

  training and test set  the poisoned training images and the clean test images
  triggered/             the test images with the trigger, labelled as the
                         target; images of the target class are left out. With
                         random_labels they keep their own labels
  attack.png             some images before and after, and their difference
  poison.csv             which images were changed, by their numbers in --data
                         (a folder per class has those as file names), and
                         their digests in --out
  attack.json            the attack, for unpoison attack apply

Every attack takes rate, target, seed and cover, the share of images that show
the trigger under their own labels. Attacks that change labels also take
all_to_all, targets=N (N target classes, from the target on, share the images)
and random_labels. unpoison attack list shows the settings of each.

Some attacks train networks first, which takes minutes. --cache keeps them.`,
		Example: `  unpoison attack list
  unpoison attack badnets --data cifar10:DIR --out poisoned
  unpoison attack blend:alpha=0.1 --rate 0.05 --target 3 --data DIR --out DIR2
  unpoison attack wanet:random_labels=true --data DIR --out poisoned
  unpoison attack custom:image=logo.png --data DIR --out poisoned
  unpoison attack apply --from poisoned --data DIR2 --out more`,
		Args:      oneArgument("attack takes the name of one attack; unpoison attack list shows them"),
		ValidArgs: attack.Builtin().Names(),
		RunE: func(c *cobra.Command, args []string) error {
			att.specs = args
			if _, err := att.configure(c, seed, false); err != nil {
				return err
			}
			if !plants(args[0]) {
				return usagef("attack %s changes nothing", args[0])
			}
			if c.Flags().Changed("seed") && attack.Gives(args[0], "seed") && data.opts.Limit == 0 {
				return usagef("--seed: %s says its own, and there is no --limit that takes images by it; give one of the two", args[0])
			}
			if err := emptyFolder(out); err != nil {
				return err
			}
			d, err := data.load(c.Context(), a, seed)
			if err != nil {
				return err
			}
			configs, err := att.configure(c, seed, !dataset.Flips(d.Layout))
			if err != nil {
				return err
			}
			env, err := a.attackEnv(&att)
			if err != nil {
				return err
			}
			at, err := attack.New(c.Context(), configs[0], d.Train, env)
			if err != nil {
				return err
			}
			return a.plant(c, at, d, out)
		},
	}
	data.add(c)
	att.add(c)
	c.Flags().StringVar(&out, "out", "", "`DIR` for the poisoned data")
	c.Flags().Uint64Var(&seed, "seed", 0, "seed of the choice of images and of the trigger")
	c.AddCommand(a.attackList(), a.attackApply())
	return c
}

// plant writes a poisoned data set and what belongs to it.
func (a *app) plant(c *cobra.Command, at *attack.Attack, d *dataset.Data, out string) error {
	poisoned, truth, err := at.Poison(c.Context(), d.Train)
	if err != nil {
		return err
	}
	a.done()
	var visible attack.Visibility
	triggered, layout := 0, dataset.WritableAs(d.Layout, poisoned) // test images
	err = dataset.WriteUntil(c.Context(), layout, out, &dataset.Data{Train: poisoned, Test: d.Test}, func(dir string) error {
		if d.Test != nil {
			if triggered, err = writeImages(c, at, false, d, filepath.Join(dir, triggeredFolder)); err != nil && !errors.Is(err, errNoneAimed) {
				return err
			}
		}
		if err := writePoison(filepath.Join(dir, poisonFile), layout, d.Train, poisoned, truth); err != nil {
			return err
		}
		if err := at.Save(dir, d.Train.Classes); err != nil {
			return err
		}
		visible, err = writePicture(filepath.Join(dir, "attack.png"), d.Train, poisoned, truth.Poisoned)
		return err
	})
	if err != nil {
		return err
	}
	a.noteCoarse(layout)
	n := 0
	for _, t := range truth.Poisoned {
		if t {
			n++
		}
	}
	if d.Test == nil || d.Test.Len() == 0 {
		fmt.Fprintln(a.err, "note: the data have no test images to put the trigger on: there is nothing to measure its success on")
	} else if triggered == 0 {
		fmt.Fprintf(a.err, "note: %v\n", errNoneAimed)
	}
	if a.json {
		return a.printJSON(map[string]any{"attack": at.Config, "poisoned": n, "train": len(truth.Poisoned), "triggered": triggered, "out": out, "visibility": visible})
	}
	fmt.Fprintln(a.out, printable.Text(fmt.Sprintf("%s: %d of %d training images poisoned with %s, target %s", out, n, len(truth.Poisoned), at.Config.Method.Name, at.Config.Aim(d.Train.Classes))))
	ssim := "not measured in images that small"
	if visible.SSIM != nil {
		ssim = fmt.Sprintf("%.3f", *visible.SSIM)
	}
	fmt.Fprintf(a.out, "  PSNR %.1f dB, SSIM %s, largest change %.0f of 255; see %s\n", visible.PSNR, ssim, visible.Linf, filepath.Join(out, "attack.png"))
	return nil
}

// noteCoarse says what becomes of the labels that are not read, in the layout that is written.
func (a *app) noteCoarse(layout string) {
	if layout == "cifar100" {
		fmt.Fprintln(a.err, "note: the coarse labels are all 0 in what was written: CIFAR-100's fine labels alone are read")
	}
}

func (a *app) attackEnv(f *attackFlags) (attack.Env, error) {
	b, err := a.backend()
	return attack.Env{Backend: b, Cache: f.cacheDir(), Watch: runs.Watcher(a.watcher())}, err
}

func (a *app) attackList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the attacks, their papers and their settings",
		Long: `Lists the attacks, each with its paper and the defaults of its settings.
NAME:key=value,… changes them.`,
		Example: `  unpoison attack list`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			for _, m := range attack.Builtin() {
				kind := "changes labels"
				if m.CleanLabel {
					kind = "keeps labels"
				}
				if a.json {
					if err := a.printJSON(map[string]any{"name": m.Name, "about": m.About, "paper": m.Paper, "keeps_labels": m.CleanLabel, "settings": m.Defaults().Settings()}); err != nil {
						return err
					}
					continue
				}
				fmt.Fprintf(a.out, "%-16s%s\n                %s; %s.\n                %s\n", m.Name, m.About, m.Paper, kind, m.Defaults().Settings())
			}
			return nil
		},
	}
}

func (a *app) attackApply() *cobra.Command {
	var data dataFlags
	var from, out string
	var own bool
	c := &cobra.Command{
		Use:   "apply",
		Short: "Put the trigger of a written attack on other test images",
		Long: `Reads an attack that unpoison attack wrote, and puts its trigger on the test
images of --data. It writes those of other classes, labelled as the target, or
with --own-labels all of them under their own labels; and triggered.json, from
which unpoison eval reads the target. Accuracy on images labelled as the target
is the attack success rate; on images with their own labels it is the robust
accuracy, class by class.`,
		Example: `  unpoison attack apply --from poisoned --data DIR2 --out more
  unpoison eval --model run/model.safetensors --data DIR2 --triggered more
  unpoison attack apply --from poisoned --data DIR2 --own-labels --out own
  unpoison eval --model run/model.safetensors --data own`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if from == "" {
				return usagef("--from is required: a folder that unpoison attack wrote")
			}
			if _, err := attack.ReadCommon(from); err != nil {
				return fmt.Errorf("--from %s: expected a folder that unpoison attack wrote: %w", from, err)
			}
			if err := emptyFolder(out); err != nil {
				return err
			}
			d, err := data.load(c.Context(), a, 0)
			if err != nil {
				return err
			}
			if d.Test == nil || d.Test.Len() == 0 {
				return errors.New("the data has no test images to put the trigger on")
			}
			if err := data.testOnly(d); err != nil && data.spec != rendered {
				return err
			}
			b, err := a.backend()
			if err != nil {
				return err
			}
			at, err := attack.Open(from, d.Test, attack.Env{Backend: b})
			if err != nil {
				return err
			}
			labelled := at.Config.Aim(d.Test.Classes)
			if own || at.Config.RandomLabels {
				labelled = "as they were"
			}
			written, err := writeImages(c, at, own, d, out)
			if err != nil {
				return err
			}
			a.noteCoarse(dataset.WritableAs(d.Layout, d.Test))
			if a.json {
				return a.printJSON(map[string]any{"attack": at.Config, "images": written, "own_labels": own || at.Config.RandomLabels, "out": out})
			}
			fmt.Fprintln(a.out, printable.Text(fmt.Sprintf("%s: triggered test images of %s, labelled %s", out, at.Config.Method.Name, labelled)))
			return nil
		},
	}
	data.add(c)
	c.Flags().StringVar(&from, "from", "", "`DIR` of the prepared attack")
	c.Flags().StringVar(&out, "out", "", "`DIR` for the triggered images")
	c.Flags().BoolVar(&own, "own-labels", false, "all classes, each image with its own label")
	return c
}

// errNoneAimed is of test images that are all of classes which an attack does not aim at.
var errNoneAimed = errors.New("no test image is of a class that the attack aims at: there is nothing to measure its success on")

// writeImages writes the triggered test images, or all of them with their own labels, as training images too: most layouts must have
// some. What the attack wants of them is beside them, for unpoison eval. It counts them; nothing is written where there are none.
func writeImages(c *cobra.Command, at *attack.Attack, own bool, d *dataset.Data, out string) (images int, err error) {
	of := at.Triggered
	if own {
		of = at.Marked
	}
	triggered, err := of(c.Context(), d.Test)
	if err != nil {
		return 0, err
	}
	if triggered.Len() == 0 {
		return 0, errNoneAimed
	}
	return triggered.Len(), dataset.WriteUntil(c.Context(), dataset.WritableAs(d.Layout, triggered), out, &dataset.Data{Train: triggered, Test: triggered}, at.Marker(d.Test.Classes, own).Save)
}

func writePicture(path string, before, after *dataset.Set, poisoned []bool) (attack.Visibility, error) {
	var at []int
	for i, p := range poisoned {
		if p {
			at = append(at, i)
		}
	}
	n := min(6, len(at))
	err := atomicfile.Write(path, func(w io.Writer) error {
		return attack.Picture(w, before.Subset(at[:n]), after.Subset(at[:n]))
	})
	if err != nil {
		return attack.Visibility{}, err
	}
	at = at[:min(500, len(at))]
	return attack.Visible(before.Subset(at), after.Subset(at))
}

// writePoison lists the images that were changed, with the digests that they have in the layout they are written in: those of the data
// before, or of others, are not these.
func writePoison(path, layout string, before, after *dataset.Set, truth *attack.Truth) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		c := csv.NewWriter(w)
		if err := c.Write([]string{"index", "source", "true_label", "label", "kind", "digest"}); err != nil {
			return err
		}
		for i, changed := range truth.Changed() {
			if !changed {
				continue
			}
			kind := "cover"
			if truth.Poisoned[i] {
				kind = "poison"
			}
			digest, err := after.WrittenDigest(layout, i)
			if err != nil {
				return err
			}
			if err := c.Write([]string{strconv.Itoa(i), names.Cell(before.Source(i)), names.Cell(before.Classes[before.Labels[i]]), names.Cell(before.Classes[after.Labels[i]]), kind, digest.String()}); err != nil {
				return err
			}
		}
		c.Flush()
		return c.Error()
	})
}
