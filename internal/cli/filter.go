package cli

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/atomicfile"
	"github.com/unpoison/unpoison/internal/runs"
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
			var at []int
			for i := range drop {
				if drop[i] {
					at = append(at, i)
				}
			}
			if list != "" {
				if err := writeKept(list, d.Train, drop); err != nil {
					return err
				}
			}
			if out != "" {
				if err := dataset.Filter(d, at, out); err != nil {
					return err
				}
			}
			if a.json {
				return a.printJSON(map[string]any{"kept": len(drop) - len(at), "dropped": len(at), "out": out, "list": list})
			}
			fmt.Fprintf(a.out, "%d of %d training images kept, %d dropped\n", len(drop)-len(at), len(drop), len(at))
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
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := csv.NewReader(f)
	head, err := r.Read()
	if err != nil {
		return fmt.Errorf("%s: expected a line of column names: %w", path, err)
	}
	index, decision := slices.Index(head, "index"), slices.Index(head, "decision")
	if index < 0 || decision < 0 {
		return fmt.Errorf("%s: expected the columns index and decision, found %v", path, head)
	}
	for row := 1; ; row++ {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		i, err := strconv.Atoi(rec[index])
		if err != nil || i < 0 || i >= len(drop) {
			return fmt.Errorf("%s, row %d: expected an index from 0 to %d, found %q", path, row, len(drop)-1, rec[index])
		}
		switch rec[decision] {
		case "keep":
			drop[i] = false
		case "drop":
			drop[i] = true
		default:
			return fmt.Errorf("%s, row %d: expected keep or drop, found %q", path, row, rec[decision])
		}
	}
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
