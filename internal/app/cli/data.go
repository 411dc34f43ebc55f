package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/dataset"
)

func (a *app) data() *cobra.Command {
	c := &cobra.Command{Use: "data", Short: "Look at data sets"}
	var f dataFlags
	info := &cobra.Command{
		Use:   "info DIR",
		Short: "Counts, sizes, duplicates and a digest of a data set",
		Example: `  unpoison data info DIR
  unpoison data info cifar10:DIR --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("data info takes one folder")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			f.spec = args[0]
			d, err := f.load(c.Context(), a, 0)
			if err != nil {
				return err
			}
			return a.describe(d)
		},
	}
	f.add(info)
	info.Flags().Lookup("data").Hidden = true
	c.AddCommand(info, a.dataFilter())
	c.Long = "The layouts that --data DIR recognises, or that layout:DIR names:\n\n"
	for _, l := range dataset.Layouts() {
		c.Long += fmt.Sprintf("  %-13s%s\n", l[0], l[1])
	}
	return c
}

type partInfo struct {
	Images      int            `json:"images"`
	PerClass    map[string]int `json:"per_class"`
	Duplicates  int            `json:"duplicates"`
	Conflicting int            `json:"conflicting_duplicates"`
	Digest      string         `json:"digest"`
}

func describePart(s *dataset.Set) *partInfo {
	if s == nil {
		return nil
	}
	p := &partInfo{Images: s.Len(), PerClass: map[string]int{}, Digest: s.Digest()}
	for i, n := range s.Counts() {
		p.PerClass[s.Classes[i]] = n
	}
	p.Duplicates, p.Conflicting = s.Duplicates()
	return p
}

func (a *app) describe(d *dataset.Data) error {
	train, test := describePart(d.Train), describePart(d.Test)
	if a.json {
		return a.printJSON(map[string]any{
			"layout": d.Layout, "path": d.Path, "height": d.Train.Height, "width": d.Train.Width,
			"classes": d.Train.Classes, "train": train, "test": test, "skipped": len(d.Skipped),
		})
	}
	fmt.Fprintf(a.out, "layout   %s\nimages   %d×%d, %d classes\n", d.Layout, d.Train.Width, d.Train.Height, len(d.Train.Classes))
	for _, p := range []struct {
		name string
		info *partInfo
	}{{"train", train}, {"test", test}} {
		if p.info == nil {
			fmt.Fprintf(a.out, "%-9snone\n", p.name)
			continue
		}
		fmt.Fprintf(a.out, "%-9s%d images, %d exact duplicates, %d of them under another label\n         %s\n",
			p.name, p.info.Images, p.info.Duplicates, p.info.Conflicting, p.info.Digest)
	}
	for _, c := range d.Train.Classes {
		n := 0
		if test != nil {
			n = test.PerClass[c]
		}
		fmt.Fprintf(a.out, "  %-20s%7d train %7d test\n", c, train.PerClass[c], n)
	}
	return nil
}
