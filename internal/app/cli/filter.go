package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/app/review"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/printable"
)

// filterFlags are those of data filter.
type filterFlags struct {
	data                           dataFlags
	suspects, decisions, out, list string
	byIndex, correct               bool
	printed                        io.Writer // that --list - goes to
}

// printed is the --list that is standard output.
const printed = "-"

// listFile is the file that --list names, or "".
func (f *filterFlags) listFile() string {
	if f.list == printed {
		return ""
	}
	return f.list
}

func (a *app) dataFilter() *cobra.Command {
	var f filterFlags
	c := &cobra.Command{
		Use:   "filter",
		Short: "Write a data set without its suspects",
		Long: `Writes the data set without its suspects to --out, in the same format. Files,
rows and archive members that are kept do not change; links stay links.

--list writes a list of the kept images instead; --list - prints it on standard
output, and all other output, also that of --json, goes to standard error.

--decisions is a CSV file with the columns source, digest and decision (keep or
drop), as review and reports write it. It takes precedence over the suspects.

--correct keeps suspects that clearly show another class (the column shows of
the list), under that class. OUT.corrected.csv lists their old and new labels.

Lists identify images by source and digest; a list that does not fit the data is
refused. --by-index uses the row numbers in the column index instead, which are
right only for the same complete data in the same order.`,
		Example: `  unpoison data filter --data DIR --suspects run/suspects.csv --out clean
  unpoison data filter --data DIR --suspects S --correct --out mended
  unpoison data filter --data DIR --suspects S --decisions D.csv --list kept.csv`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.filter(c, &f) },
	}
	f.data.add(c)
	for _, name := range []string{"size", "limit"} { // rows and bytes are those of the whole data
		c.Flags().Lookup(name).Hidden = true
	}
	fl := c.Flags()
	fl.StringVar(&f.suspects, "suspects", "", "suspects.csv `FILE` of an audit or a training run, or its folder")
	fl.StringVar(&f.decisions, "decisions", "", "CSV `FILE` with source, digest and decision (keep, drop), or the run's folder")
	fl.StringVar(&f.out, "out", "", "`DIR` for the kept data")
	fl.StringVar(&f.list, "list", "", "CSV `FILE` for a list of the kept images; - for standard output")
	fl.BoolVar(&f.correct, "correct", false, "keep suspects that clearly show another class, under that class")
	fl.BoolVar(&f.byIndex, "by-index", false, byIndexHelp)
	return c
}

const byIndexHelp = "lists identify images by the row number in the column index"

func (a *app) filter(c *cobra.Command, f *filterFlags) error {
	if f.suspects == "" || f.out == "" && f.list == "" {
		return usagef("--suspects and either --out or --list are required")
	}
	if c.Flags().Changed("size") || c.Flags().Changed("limit") {
		return usagef("data are filtered whole and at their own size: leave out --size and --limit")
	}
	if err := cmp.Or(a.checkList(&f.suspects, suspectsList, f.byIndex), a.checkList(&f.decisions, decisionsList, f.byIndex), f.checkOuts(c)); err != nil {
		return err
	}
	if f.list == printed { // and all else to standard error
		own := *a
		if f.printed = a.file; f.printed == nil {
			f.printed = a.out
		}
		own.out, a = a.err, &own
	}
	d, err := f.data.load(c.Context(), a, 0)
	if err != nil {
		return err
	}
	drop, decided, err := f.marks(d.Train)
	if err != nil {
		return err
	}
	labels, corrected, err := f.corrections(d.Train, drop, decided)
	if err != nil {
		return err
	}
	dropped := 0
	for _, gone := range drop {
		if gone {
			dropped++
		}
	}
	notes, err := f.write(c.Context(), d, drop, labels)
	if err != nil {
		return err
	}
	for _, n := range notes {
		fmt.Fprintln(a.err, printable.Text("note: "+n))
	}
	if a.json {
		return a.printJSON(map[string]any{"kept": len(drop) - dropped, "dropped": dropped, "corrected": corrected, "out": f.out, "list": f.list})
	}
	fmt.Fprintf(a.out, "%d of %d training images kept, %d dropped\n", len(drop)-dropped, len(drop), dropped)
	if f.correct {
		fmt.Fprintf(a.out, "%d of those that are kept got the label that they show\n", corrected)
	}
	if f.out != "" {
		fmt.Fprintf(a.out, "%s was read again: it holds what was kept, as %s\n", f.out, d.Layout)
	}
	return nil
}

// listKind is a kind of list that commands take.
type listKind struct{ flag, file, column, from string }

var (
	suspectsList  = listKind{"suspects", runs.SuspectsFile, "", "that an audit or a training wrote"}
	decisionsList = listKind{"decisions", review.DecisionsFile, "decision", "that unpoison review wrote"}
)

// checkList takes a run's folder for the list in it, and refuses a list that can't be read before the data are, which takes longer.
func (a *app) checkList(path *string, k listKind, byIndex bool) error {
	if *path == "" {
		return nil
	}
	*path = runs.ListIn(*path, k.file)
	var needs []string
	if k.column != "" {
		needs = append(needs, k.column)
	}
	numbers, err := runs.List{Path: *path, ByIndex: byIndex}.Check(needs...)
	if err != nil {
		return fmt.Errorf("--%s takes the %s %s, or the run's folder: %w", k.flag, k.file, k.from, err)
	}
	if numbers {
		fmt.Fprintln(a.err, printable.Text(fmt.Sprintf("note: %s has rows without a digest: nothing tells whether they are of these data", *path)))
	}
	return nil
}

// checkOuts refuses what can't be written, a list in place of one that is read or of another or in the data that are written, and a
// pipe that would have to be read twice.
func (f *filterFlags) checkOuts(c *cobra.Command) error {
	if err := keepsInputs([]string{f.listFile()}, []string{f.suspects, f.decisions}); err != nil {
		return err
	}
	if st, err := os.Stat(f.suspects); f.correct && err == nil && !st.Mode().IsRegular() {
		return usagef("--suspects %s is read twice with --correct: expected a file", f.suspects)
	}
	if f.out == "" {
		return nil
	}
	list := f.listFile()
	if list != "" && atomicfile.Within(list, f.out) {
		return fmt.Errorf("--list %s lies in --out %s, which holds data; choose another --list", list, f.out)
	}
	if list != "" && atomicfile.Within(f.out, list) {
		return fmt.Errorf("--out %s lies in --list %s, which is a file; choose another --list", f.out, list)
	}
	if err := emptyFolder(f.out); err != nil || !f.correct {
		return err
	}
	if list != "" && onePlace(list, f.correctedFile()) {
		return fmt.Errorf("--list %s is the file that --correct writes; choose another --list", list)
	}
	if _, err := atomicfile.Target(f.correctedFile()); err != nil {
		return fmt.Errorf("%w for --out", err)
	}
	return keepsInputs([]string{f.correctedFile()}, inputs(c))
}

// correctedFile lists the images that get other labels.
func (f *filterFlags) correctedFile() string { return filepath.Clean(f.out) + ".corrected.csv" }

// marks says which images the lists drop, and which of them by a decision.
func (f *filterFlags) marks(set *dataset.Set) (drop, decided []bool, err error) {
	drop, decided = make([]bool, set.Len()), make([]bool, set.Len())
	scores, isolated, err := runs.ReadSuspects(runs.List{Path: f.suspects, Set: set, ByIndex: f.byIndex})
	switch {
	case errors.Is(err, runs.ErrNoSuspects) && f.decisions == "":
		return nil, nil, fmt.Errorf("%w: nothing would be left out; unpoison review decides on images all the same, and --decisions takes what it writes", err)
	case errors.Is(err, runs.ErrNoSuspects): // the decisions alone
	case err != nil:
		return nil, nil, err
	}
	for i, s := range scores { // isolated ones have the numbers from 1, others larger ones
		drop[i] = int(s) <= isolated
	}
	if f.decisions != "" {
		err = runs.ReadDecisions(runs.List{Path: f.decisions, Set: set, ByIndex: f.byIndex}, func(i int, gone bool) { drop[i], decided[i] = gone, true })
	}
	return drop, decided, err
}

// corrections keeps images that are to be dropped, by no decision, but surely show another class, or are under it already. labels are their new labels, −1
// for all others.
func (f *filterFlags) corrections(set *dataset.Set, drop, decided []bool) (labels []int32, corrected int, err error) {
	if !f.correct {
		return nil, 0, nil
	}
	if labels, err = runs.ReadShown(runs.List{Path: f.suspects, Set: set, ByIndex: f.byIndex}); err != nil {
		return nil, 0, err
	}
	for i := range labels {
		switch {
		case !drop[i] || decided[i]:
			labels[i] = -1
		case labels[i] == set.Labels[i]: // it was corrected before
			labels[i], drop[i] = -1, false
		case labels[i] >= 0:
			drop[i] = false
			corrected++
		}
	}
	return labels, corrected, nil
}

// write makes the lists, then the data, and then puts the lists in their places: another process with the same ones may be first.
func (f *filterFlags) write(ctx context.Context, d *dataset.Data, drop []bool, labels []int32) (notes []string, err error) {
	if f.out != "" {
		if err := dataset.Outside(f.out, d.Path); err != nil {
			return nil, err
		}
	}
	var all lists
	defer all.drop()
	if f.out != "" && labels != nil {
		if err := all.add(f.correctedFile(), func(path string) error { return runs.WriteCorrected(path, d.Train, labels) }); err != nil {
			return nil, err
		}
	}
	if list := f.listFile(); list != "" {
		if err := all.add(list, func(path string) error { return runs.WriteKept(path, d.Train, drop, labels) }); err != nil {
			return nil, err
		}
	}
	if f.out != "" {
		if notes, err = dataset.Correct(ctx, d, f.data.opts, drop, labels, f.out); err != nil {
			return nil, err
		}
	}
	if err := all.keep(); err != nil || f.list != printed {
		return notes, err
	}
	return notes, runs.PrintKept(f.printed, d.Train, drop, labels)
}

// lists are written beside their places before the data that they are about, and take them if these are written.
type lists []list

type list struct{ keep, drop func() error }

// add writes a list beside its place.
func (l *lists) add(path string, write func(path string) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	keep, drop, err := atomicfile.Prepare(path, write)
	if err == nil {
		*l = append(*l, list{keep, drop})
	}
	return err
}

// keep puts the lists in place.
func (l *lists) keep() (err error) {
	for _, one := range *l {
		if failed := one.keep(); failed != nil {
			err = errors.Join(err, failed, one.drop())
		}
	}
	*l = nil
	return err
}

// drop removes the lists that were not kept.
func (l *lists) drop() {
	for _, one := range *l {
		one.drop() //nolint:errcheck // what failed before counts
	}
}
