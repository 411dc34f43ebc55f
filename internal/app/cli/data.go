package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/printable"
)

func (a *app) data() *cobra.Command {
	c := &cobra.Command{Use: "data", Short: "Inspect, filter and clean up data sets"}
	var f dataFlags
	info := &cobra.Command{
		Use:   "info DIR",
		Short: "Show how data are read: counts, sizes, duplicates, digests",
		Example: `  unpoison data info DIR
  unpoison data info cifar10:DIR --json`,
		Args: oneArgument("data info takes one folder"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := notShadowed("data info", args[0]); err != nil {
				return err
			}
			f.spec = args[0]
			d, err := f.load(c.Context(), a, 0)
			if err != nil {
				return err
			}
			return a.describe(c.Context(), d)
		},
	}
	f.add(info)
	info.Flags().Lookup("data").Hidden = true
	c.AddCommand(info, a.dataFilter(), a.dataClean())
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
	Example     []string       `json:"duplicate_example,omitempty"` // two sources
	Digest      string         `json:"digest"`
}

// describePart returns what there is to say of a part, nil: none, and its prints.
func (a *app) describePart(ctx context.Context, s *dataset.Set, name string) (*partInfo, *dataset.Prints, error) {
	if s == nil {
		return nil, nil, nil
	}
	watch := a.reading("comparing")
	prints, err := s.PrintsUntil(ctx, func(done int) {
		if watch != nil {
			watch(name, done, s.Len())
		}
	})
	a.done()
	if err != nil {
		return nil, nil, err
	}
	p, t := &partInfo{Images: s.Len(), PerClass: map[string]int{}, Digest: prints.Digest}, prints.Twins()
	for i, n := range s.Counts() {
		p.PerClass[s.Classes[i]] = n
	}
	p.Duplicates, p.Conflicting, p.Example = t.Same, t.Conflicting, example(t)
	return p, prints, nil
}

func example(t dataset.Twins) []string {
	if t.Same == 0 {
		return nil
	}
	return t.First[:]
}

// twice says how many images are there twice.
func twice(same, conflicting int, example []string) string {
	if same == 0 {
		return "no image is there twice"
	}
	return printable.Text(fmt.Sprintf("%d are there twice, %d of them under another label, such as %s and %s", same, conflicting, example[0], example[1]))
}

func (a *app) describe(ctx context.Context, d *dataset.Data) error {
	train, ofTrain, err := a.describePart(ctx, d.Train, "training images")
	if err != nil {
		return err
	}
	test, ofTest, err := a.describePart(ctx, d.Test, "test images")
	if err != nil {
		return err
	}
	var shared dataset.Twins
	if test != nil {
		shared = ofTrain.Shared(ofTest)
	}
	if a.json {
		notes := d.Notes
		if notes == nil {
			notes = []string{}
		}
		return a.printJSON(map[string]any{
			"layout": d.Layout, "path": d.Path, "height": d.Train.Height, "width": d.Train.Width, "grey": d.Train.Grey,
			"classes": d.Train.Classes, "train": train, "test": test, "skipped": len(d.Skipped), "notes": notes,
			"unlabelled_test_images": d.Unlabelled, "shared": shared.Same, "conflicting_shared": shared.Conflicting, "shared_example": example(shared),
		})
	}
	colour := "RGB"
	if d.Train.Grey {
		colour = "grey"
	}
	fmt.Fprintf(a.out, "layout   %s\nimages   %d×%d %s, %d classes\n", d.Layout, d.Train.Width, d.Train.Height, colour, len(d.Train.Classes))
	for _, p := range []struct {
		name string
		info *partInfo
	}{{"train", train}, {"test", test}} {
		if p.info == nil {
			fmt.Fprintf(a.out, "%-9snone\n", p.name)
			continue
		}
		fmt.Fprintf(a.out, "%-9s%d images; %s\n         %s\n",
			p.name, p.info.Images, twice(p.info.Duplicates, p.info.Conflicting, p.info.Example), p.info.Digest)
	}
	if shared.Same > 0 {
		fmt.Fprintf(a.out, "%-9s%s\n", "shared", printable.Text(fmt.Sprintf("%d test images are training images too, %d of them under another label, such as %s and %s",
			shared.Same, shared.Conflicting, shared.First[0], shared.First[1])))
	}
	names := column(d.Train.Classes, 20)
	for i, c := range d.Train.Classes {
		n := 0
		if test != nil {
			n = test.PerClass[c]
		}
		fmt.Fprintf(a.out, "  %s%7d train %7d test\n", names[i], train.PerClass[c], n)
	}
	return nil
}
