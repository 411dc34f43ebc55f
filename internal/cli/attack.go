package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/atomicfile"
)

func (a *app) attack() *cobra.Command {
	var data dataFlags
	var att attackFlags
	var out string
	var seed uint64
	c := &cobra.Command{
		Use:   "attack NAME",
		Short: "Write a poisoned copy of a data set, for experiments",
		Long: `Writes the poisoned training set and the clean test set to --out in the layout
of the input, the triggered test set to triggered/ in it, and poison.csv, which
tells which images were changed. The triggered images carry the target as their
label; images that are of the target class anyway are left out.`,
		Example: `  unpoison attack badnets --data cifar10:DIR --out poisoned
  unpoison attack blend --rate 0.05 --target 3 --data DIR --out poisoned
  unpoison attack list`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("attack takes the name of one attack; unpoison attack list shows them")
			}
			return nil
		},
		ValidArgs: append([]string{"list"}, attack.Names()...),
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] == "list" {
				for _, m := range attack.Methods {
					kind := "changes labels"
					if m.CleanLabel {
						kind = "keeps labels"
					}
					fmt.Fprintf(a.out, "%-10s%s\n          %s; %s.\n", m.Name, m.About, m.Paper, kind)
				}
				return nil
			}
			att.name = args[0]
			conf, err := att.configure(seed)
			if err != nil {
				return err
			}
			if conf == nil {
				return usagef("attack none changes nothing")
			}
			if out == "" {
				return usagef("--out is required: a folder for the poisoned data")
			}
			if entries, err := os.ReadDir(out); err == nil && len(entries) > 0 {
				return fmt.Errorf("%s is not empty; choose another --out", out)
			}
			d, err := data.load(c.Context(), a, seed)
			if err != nil {
				return err
			}
			at, err := attack.New(c.Context(), *conf, d.Train)
			if err != nil {
				return err
			}
			poisoned, truth, err := at.Poison(d.Train)
			if err != nil {
				return err
			}
			if err := dataset.Write(d.Layout, out, &dataset.Data{Train: poisoned, Test: d.Test}); err != nil {
				return err
			}
			if d.Test != nil {
				trig := at.Triggered(d.Test)
				if err := dataset.Write(d.Layout, filepath.Join(out, "triggered"), &dataset.Data{Train: trig, Test: trig}); err != nil {
					return err
				}
			}
			if err := writePoison(filepath.Join(out, "poison.csv"), d.Train, truth, conf.Target); err != nil {
				return err
			}
			raw, err := json.MarshalIndent(conf, "", "  ")
			if err != nil {
				return err
			}
			if err := atomicfile.WriteBytes(filepath.Join(out, "attack.json"), append(raw, '\n')); err != nil {
				return err
			}
			n := 0
			for _, t := range truth {
				if t {
					n++
				}
			}
			if a.json {
				return a.printJSON(map[string]any{"attack": conf, "poisoned": n, "train": len(truth), "out": out})
			}
			fmt.Fprintf(a.out, "%s: %d of %d training images poisoned with %s, target %s\n", out, n, len(truth), conf.Name, d.Train.Classes[conf.Target])
			return nil
		},
	}
	data.add(c)
	att.add(c)
	c.Flags().StringVar(&out, "out", "", "`DIR` for the poisoned data")
	c.Flags().Uint64Var(&seed, "seed", 0, "seed of the choice of images and of the trigger")
	return c
}

func writePoison(path string, set *dataset.Set, truth []bool, target int) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		c := csv.NewWriter(w)
		if err := c.Write([]string{"index", "source", "true_label", "label"}); err != nil {
			return err
		}
		for i, t := range truth {
			if t {
				if err := c.Write([]string{strconv.Itoa(i), set.Source(i), set.Classes[set.Labels[i]], set.Classes[target]}); err != nil {
					return err
				}
			}
		}
		c.Flush()
		return c.Error()
	})
}
