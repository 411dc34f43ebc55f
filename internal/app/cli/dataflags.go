package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/base/names"
	"github.com/unpoison/unpoison/internal/base/printable"
	"github.com/unpoison/unpoison/model"
)

// dataFlags are the flags of commands that read data.
type dataFlags struct {
	flag   string // what the data is called; "data" if empty
	spec   string
	opts   dataset.Options
	set    *pflag.FlagSet
	learnt int // the depth of a model's images, if that is why there is one
}

// deeper says where the depth of images comes from that are read as a model's were, where they don't have it.
func deeper(err error, learnt int) error {
	var bad *dataset.RecordError
	if learnt == 0 || !errors.As(err, &bad) || !strings.HasPrefix(bad.Want, "samples of ") {
		return err
	}
	return fmt.Errorf("%w; the model learnt from images of %d bits, and --depth N reads these as of others", err, learnt)
}

func (f *dataFlags) add(c *cobra.Command) {
	f.flag = cmp.Or(f.flag, "data")
	fl := c.Flags()
	f.set = fl
	fl.StringVar(&f.spec, f.flag, "", "`DIR` with images, or layout:DIR, or signs (rendered road signs); see unpoison data --help")
	fl.Var((*sizeFlag)(&f.opts.Size), "size", "resize images to `N`×N pixels; auto: their own size if all have the same, else the median of their shorter sides, up to 224")
	fl.StringVar(&f.opts.Store, "store", "", "`DIR` for decoded images, which later commands use again (default: memory, or the user's cache folder if they take over half of the memory)")
	fl.BoolVar(&f.opts.SkipBad, "skip-bad", false, "skip unreadable images and report how many")
	fl.IntVar(&f.opts.Limit, "limit", 0, "use only `N` training images, drawn at random")
	fl.StringVar(&f.opts.Label, "label", "", "`COLUMN` of the labels in a table, Parquet or WebDataset (default the one with a usual name)")
	fl.StringVar(&f.opts.Image, "image", "", "`COLUMN` of the images (default the one with a usual name)")
	fl.StringVar(&f.opts.Root, "root", "", "`DIR` that paths in a table are relative to (default: the folders of the table and of the data)")
	fl.BoolVar(&f.opts.NoFollow, "no-follow", false, "refuse links to files outside the data")
	fl.IntVar(&f.opts.Depth, "depth", 0, depthHelp)
}

// readWith are the flags that say which images are read and how, at whatever size.
var readWith = []string{"limit", "skip-bad", "label", "image", "root", "no-follow", "depth"}

// sizeFlag is a number of pixels, or auto, which is 0.
type sizeFlag int

func (s *sizeFlag) String() string {
	if *s == 0 {
		return "auto"
	}
	return strconv.Itoa(int(*s))
}

func (s *sizeFlag) Type() string { return "N" }

func (s *sizeFlag) Set(text string) error {
	if text == "auto" {
		*s = 0
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return errors.New("expected a number of pixels, or auto")
	}
	*s = sizeFlag(n)
	return nil
}

const (
	mostPixels = 1024      // the longest side that images may be given: larger ones are a mistake
	mostSigns  = 1_000_000 // that are rendered
)

// rendered are data that are made, and need no folder.
const rendered = "signs"

// notShadowed refuses the name of rendered signs where there is a folder of that name: which of the two is meant?
func notShadowed(flag, spec string) error {
	if st, err := os.Stat(rendered); spec == rendered && err == nil && st.IsDir() {
		return usagef("%s %s are rendered signs, and a folder here has that name; write %s .%c%[2]s for the folder, or work elsewhere", flag, rendered, flag, filepath.Separator)
	}
	return nil
}

// noOut is the error of a command that was given no --out, and maybe no data either.
func (f *dataFlags) noOut(what string) error {
	if f.spec == "" {
		return usagef("--%s and --out are required: a folder with images, and %s", f.flag, what)
	}
	return usagef("--out is required: %s", what)
}

// given returns the flags that say which images are read and how, and more of them, as they were given, --name=value each: for a command
// that is to read the same.
func (f *dataFlags) given(c *cobra.Command, more ...string) (all []string) {
	for _, name := range append(slices.Clone(readWith), more...) {
		if fl := c.Flags().Lookup(name); fl != nil && fl.Changed {
			all = append(all, "--"+name+"="+fl.Value.String())
		}
	}
	return all
}

// like sets the flags of given that were not given now.
func (f *dataFlags) like(c *cobra.Command, given []string) error {
	for _, text := range given {
		name, value, _ := strings.Cut(strings.TrimPrefix(text, "--"), "=")
		if fl := c.Flags().Lookup(name); slices.Contains(readWith, name) && fl != nil && !fl.Changed {
			if err := c.Flags().Set(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// sizedFor has the data read at the size of a model's images, and samples of 16 bits as those that it learnt from: what is judged by the
// brightest of fewer images may be another depth, at which all are brighter or darker.
func (f *dataFlags) sizedFor(info *checkpoint.Info) error {
	if n := f.opts.Size; n != 0 && (n != info.Height || n != info.Width) {
		return usagef("--size %d: the model takes images of %d×%d pixels, and the data are read at that size; leave out --size", n, info.Width, info.Height)
	}
	f.opts.Size, f.opts.Width = info.Height, info.Width
	if f.opts.Depth == 0 {
		f.opts.Depth, f.learnt = info.Depth, info.Depth
	}
	return nil
}

func (f *dataFlags) load(ctx context.Context, a *app, seed uint64) (*dataset.Data, error) {
	if f.spec == "" {
		return nil, usagef("--%s is required: a folder with images", f.flag)
	}
	if f.opts.Limit < 0 {
		return nil, usagef("--limit %d, expected a number of images, or 0 for all", f.opts.Limit)
	}
	if f.opts.Size < 0 || f.opts.Size > mostPixels {
		return nil, usagef("--size %d, expected up to %d pixels", f.opts.Size, mostPixels)
	}
	if err := checkDepth(f.opts.Depth); err != nil {
		return nil, err
	}
	f.opts.Seed = seed
	if f.spec == rendered {
		if f.opts.Size != 0 && f.opts.Size != signs.Side {
			return nil, usagef("rendered signs have %d pixels a side, not %d", signs.Side, f.opts.Size)
		}
		if f.opts.Limit > mostSigns {
			return nil, usagef("--limit %d, expected up to %d rendered signs", f.opts.Limit, mostSigns)
		}
		for _, name := range append(slices.Clone(readWith[1:]), "store") { // all but --limit
			if f.set.Changed(name) && !f.set.Changed("triggered") { // which may be files
				return nil, usagef("--%s: rendered signs are read from no file; leave it out", name)
			}
		}
		return signs.Render(0, cmp.Or(f.opts.Limit, signs.Train), signs.Test), nil
	}
	f.opts.Watch = a.reading("reading")
	if !a.json {
		f.opts.Tell = func(text string) { fmt.Fprintln(a.err, printable.Text(text)) }
	}
	d, err := load(ctx, f.spec, f.opts)
	a.done()
	err = deeper(err, f.learnt)
	if err != nil && ctx.Err() == nil {
		return nil, explain(f.spec, err)
	}
	if err != nil {
		return nil, err
	}
	a.understood(d)
	return d, nil
}

// testOnly refuses a --limit, which is of training images, where the test images are taken.
func (f *dataFlags) testOnly(d *dataset.Data) error {
	if f.opts.Limit > 0 && d.Test != nil && d.Test.Len() > 0 {
		return usagef("--limit %d is of training images, and the %d test images are taken: it would be passed over", f.opts.Limit, d.Test.Len())
	}
	return nil
}

const depthHelp = "`BITS` that the samples of 16-bit images really use, 8 to 16 (default: as many as the brightest needs)"

func checkDepth(bits int) error {
	if bits != 0 && (bits < 8 || bits > 16) {
		return usagef("--depth %d, expected 8 to 16 bits", bits)
	}
	return nil
}

// understood says on standard error what was read.
func (a *app) understood(d *dataset.Data) {
	fmt.Fprintln(a.err, printable.Text(d.Summary()))
	for _, n := range d.Notes {
		fmt.Fprintln(a.err, printable.Text("note: "+n))
	}
	if n := len(d.Skipped); n > 0 {
		fmt.Fprintln(a.err, printable.Text(fmt.Sprintf("skipped %d bad records; the first: %v", n, d.Skipped[0])))
	}
}

// alignClasses gives the data the model's classes and reports data that have others. Models made elsewhere have
// no names: they take the data's, if there are as many. Where only one of the two has names and the other numbers, they
// are matched by index.
func (a *app) alignClasses(info *checkpoint.Info, n *model.Network, set *dataset.Set, d *dataset.Data) error {
	path := d.Path
	if len(info.Classes) == 0 && len(set.Classes) == n.Classes {
		info.Classes = set.Classes
		a.noteUnnamed(d, set.Classes)
	}
	if len(info.Classes) == 0 {
		return fmt.Errorf("the model has %d classes, %s has %d", n.Classes, path, len(set.Classes))
	}
	if slices.Equal(set.Classes, info.Classes) || set.OrderClasses(info.Classes) {
		return nil
	}
	if set.OrderClasses(names.ByIndex(set.Classes, info.Classes)) {
		a.noteMatched(path, set.Classes, info.Classes)
		set.Classes = info.Classes
		return nil
	}
	return fmt.Errorf("the model knows %d classes, and %s has others of its %d: %s; take those out of the data, or train a model that knows them",
		len(info.Classes), path, len(set.Classes), printable.Strangers(set.Classes, info.Classes))
}

// noteUnnamed says that a model's classes, which have no names, are taken for the data's in their order.
func (a *app) noteUnnamed(d *dataset.Data, classes []string) {
	fmt.Fprintf(a.err, "note: the model does not name its classes: they are taken for those of %s in their order, the first is %s, the last %s\n",
		printable.Text(d.Path), printable.Text(classes[0]), printable.Text(classes[len(classes)-1]))
}

// noteMatched says that a model's classes are taken for the data's without a common name.
func (a *app) noteMatched(path string, own, known []string) {
	fmt.Fprintf(a.err, "note: only one of the model and %s has names for its classes; they are matched by index, %s is %s\n",
		printable.Text(path), printable.Text(own[0]), printable.Text(known[0]))
}
