package dataset

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
	"github.com/unpoison/unpoison/internal/base/limited"
)

// GTSRB as published: a folder of PPM images a class, each with a CSV that names them.

func isGTSRB(dir string, _ Options) bool {
	return exists(filepath.Join(dir, "Final_Training", "Images"))
}

func openGTSRB(_ context.Context, dir string, o Options) (*Contents, error) {
	s := newStore(dir, o)
	root := filepath.Join(dir, "Final_Training", "Images")
	names := s.subfolders(root)
	if len(names) < 2 {
		return nil, fmt.Errorf("%s: expected a folder a class, found %d", s.rel(root), len(names))
	}
	var train []gtsrbTable
	for i, f := range names {
		if n, err := strconv.Atoi(f); err != nil || n != i {
			return nil, fmt.Errorf("%s: expected the folder %05d, found %q", s.rel(root), i, f)
		}
		train = append(train, gtsrbTable{filepath.Join(root, f), filepath.Join(root, f, "GT-"+f+".csv")})
	}
	c := &Contents{Classes: names, Train: s.gtsrbPart(s.rel(root)+"/", train), Size: 32} // as networks for them are trained
	images := filepath.Join(dir, "Final_Test", "Images")
	labels := filepath.Join(dir, "Final_Test", "GT-final_test.csv")
	for _, table := range []string{
		labels, filepath.Join(images, "GT-final_test.csv"),
		filepath.Join(dir, "GT-final_test.csv"),         // as its archive is unpacked
		filepath.Join(images, "GT-final_test.test.csv"), // as published with the images: without classes
	} {
		if exists(table) {
			c.Test = s.gtsrbPart(s.rel(images)+"/", []gtsrbTable{{images, table}})
			if beside := filepath.Join(filepath.Dir(dir), "GT-final_test.csv"); strings.HasSuffix(table, ".test.csv") && exists(beside) {
				c.Notes = append(c.Notes, fmt.Sprintf("%s is not read, as it lies beside the data; to have its labels, move it to %s", beside, labels))
			}
			return c, nil
		}
	}
	if n := s.imagesNotIn(images, nil); n > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("the %d images of %s/ are not read: no table names them, %s", n, s.rel(images), s.rel(labels)))
	}
	return c, nil
}

type gtsrbTable struct{ images, file string }

func (s *store) gtsrbPart(name string, tables []gtsrbTable) *Part {
	more, first := 0, "" // images that no table names
	p := &Part{Name: name, Records: func(yield func(Record) error) error {
		more, first = 0, ""
		for _, t := range tables {
			seen := map[string]bool{}
			if err := s.readGTSRB(t, seen, yield); err != nil {
				return s.ofFile(t.file, err)
			}
			n := s.imagesNotIn(t.images, seen)
			if more += n; n > 0 {
				first = cmp.Or(first, s.rel(t.file))
			}
		}
		return nil
	}}
	p.notes = func() []string {
		if more == 0 {
			return nil
		}
		return []string{fmt.Sprintf("%d images of %s are in no table and are not read, the first beside those of %s; data filter copies them: remove them, or name them in it", more, name, first)}
	}
	return p
}

// imagesNotIn counts the images in a folder that are none of some names.
func (s *store) imagesNotIn(dir string, names map[string]bool) (n int) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		n += bit(!e.IsDir() && !passedOver(e.Name()) && !names[e.Name()] && IsImage(e.Name()))
	}
	return n
}

// readGTSRB reads Filename;…;ClassId, and notes the names of the files in seen.
func (s *store) readGTSRB(t gtsrbTable, seen map[string]bool, yield func(Record) error) error {
	f, _, err := s.open(t.file)
	if err != nil {
		return err
	}
	defer f.Close()
	c := csv.NewReader(limited.Text(f))
	c.Comma = ';'
	head, err := c.Read()
	if err != nil {
		return fmt.Errorf("expected a line of column names, found %w", err)
	}
	name, class := slices.Index(head, "Filename"), slices.Index(head, "ClassId")
	if name < 0 {
		return fmt.Errorf("expected the columns Filename and ClassId, found %v", head)
	}
	table := s.rel(t.file)
	for n := 1; ; n++ {
		line, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		r := Record{Source: table, Row: n}
		switch {
		case errors.Is(err, csv.ErrFieldCount):
			r.Err = &RecordError{table, n, fmt.Sprintf("%d cells", len(head)), strconv.Itoa(len(line))}
		case err != nil:
			return err
		case filepath.Base(line[name]) != line[name]:
			r.Err = &RecordError{table, n, "a file name without a path", line[name]}
		default:
			r = s.fileRecord(filepath.Join(t.images, line[name]))
			if class >= 0 {
				id, err := strconv.ParseInt(line[class], 10, 64)
				if err != nil {
					r.Err = &RecordError{table, n, "the number of a class", line[class]}
				}
				r.Label = Number(id)
			}
			if seen[line[name]] {
				r.Row = n
			}
			seen[line[name]] = true
		}
		r.Table, r.TableRow = table, n
		if err := yield(r); err != nil {
			return err
		}
	}
}

// encodePPM makes a PPM file of RGB bytes.
func encodePPM(pixels []uint8, h, w int) []byte {
	return append(fmt.Appendf(nil, "P6\n%d %d\n255\n", w, h), pixels...)
}

func writeGTSRB(dir string, d *Data) error {
	write := func(s *Set, images, table string, only int32) error {
		if err := os.MkdirAll(filepath.Join(dir, images), 0o777); err != nil {
			return err
		}
		return atomicfile.Write(filepath.Join(dir, table), func(w io.Writer) error {
			c := csv.NewWriter(w)
			c.Comma = ';'
			err := c.Write([]string{"Filename", "Width", "Height", "Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2", "ClassId"})
			if err != nil {
				return err
			}
			for i, l := range s.Labels {
				if only >= 0 && l != only {
					continue
				}
				if err := d.interrupted(); err != nil {
					return err
				}
				name := fmt.Sprintf("%05d.ppm", i)
				if err := os.WriteFile(filepath.Join(dir, images, name), encodePPM(s.Image(i), s.Height, s.Width), 0o666); err != nil {
					return err
				}
				side := strconv.Itoa
				if err := c.Write([]string{name, side(s.Width), side(s.Height), "0", "0", side(s.Width - 1), side(s.Height - 1), side(int(l))}); err != nil {
					return err
				}
			}
			c.Flush()
			return c.Error()
		})
	}
	for c := range d.Train.Classes {
		folder := fmt.Sprintf("%05d", c)
		images := filepath.Join("Final_Training", "Images", folder)
		if err := write(d.Train, images, filepath.Join(images, "GT-"+folder+".csv"), int32(c)); err != nil {
			return err
		}
	}
	if d.Test == nil {
		return nil
	}
	return write(d.Test, filepath.Join("Final_Test", "Images"), filepath.Join("Final_Test", "GT-final_test.csv"), -1)
}
