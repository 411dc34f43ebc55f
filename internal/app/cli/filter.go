package cli

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

func (a *app) dataFilter() *cobra.Command {
	var data dataFlags
	var suspects, decisions, out, list string
	c := &cobra.Command{
		Use:   "filter",
		Short: "Write a data set without its suspects",
		Long: `Writes the data set to --out without the isolated images of a list of suspects,
in its own format, with the bytes of what is kept unchanged; or writes the list
of what is kept to the file --list. --decisions is a CSV with the columns index
and decision (keep or drop), which stand over the suspects'.`,
		Example: `  unpoison data filter --data DIR --suspects run/suspects.csv --out clean
  unpoison data filter --data DIR --suspects S --decisions D.csv --list kept.csv`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if suspects == "" || out == "" && list == "" {
				return usagef("--suspects and either --out or --list are required")
			}
			if out != "" {
				if err := emptyFolder(out); err != nil {
					return err
				}
			}
			d, err := data.load(c.Context(), a, 0)
			if err != nil {
				return err
			}
			scores, _, err := runs.ReadSuspects(suspects, d.Train.Len())
			if err != nil {
				return err
			}
			drop := make([]bool, d.Train.Len())
			for i, s := range scores { // isolated ones have the numbers of their rows, others more
				drop[i] = int(s) < len(drop)
			}
			if decisions != "" {
				if err := readDecisions(decisions, drop); err != nil {
					return err
				}
			}
			dropped := 0
			for _, gone := range drop {
				if gone {
					dropped++
				}
			}
			if list != "" {
				if err := writeKept(list, d.Train, drop); err != nil {
					return err
				}
			}
			if out != "" {
				if err := dataset.Filter(d, drop, out); err != nil {
					return err
				}
			}
			if a.json {
				return a.printJSON(map[string]any{"kept": len(drop) - dropped, "dropped": dropped, "out": out, "list": list})
			}
			fmt.Fprintf(a.out, "%d of %d training images kept, %d dropped\n", len(drop)-dropped, len(drop), dropped)
			return nil
		},
	}
	data.add(c)
	for _, f := range []string{"size", "limit"} { // indices and bytes are those of the whole data
		c.Flags().Lookup(f).Hidden = true
	}
	fl := c.Flags()
	fl.StringVar(&suspects, "suspects", "", "CSV `FILE` of an audit or a training")
	fl.StringVar(&decisions, "decisions", "", "CSV `FILE` with index and decision (keep, drop)")
	fl.StringVar(&out, "out", "", "`DIR` for the data that are kept")
	fl.StringVar(&list, "list", "", "CSV `FILE` for a list of them")
	return c
}

// readDecisions changes drop as a table says.
func readDecisions(path string, drop []bool) error {
	return runs.ReadIndexed(path, len(drop), []string{"decision"}, func(_, i int, cell func(string) (string, bool)) error {
		d, _ := cell("decision")
		if d != "keep" && d != "drop" {
			return fmt.Errorf("expected keep or drop, found %q", d)
		}
		drop[i] = d == "drop"
		return nil
	})
}

func writeKept(path string, set *dataset.Set, drop []bool) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		lines := [][]string{{"index", "source", "label"}}
		for i, gone := range drop {
			if !gone {
				lines = append(lines, []string{strconv.Itoa(i), set.Source(i), set.Classes[set.Labels[i]]})
			}
		}
		return csv.NewWriter(w).WriteAll(lines)
	})
}
