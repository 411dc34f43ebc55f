package dataset

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/unpoison/unpoison/internal/base/atomicfile"
)

// GTSRB as published: a folder of PPM images a class, each with a CSV that names them.

func isGTSRB(dir string) bool { return exists(filepath.Join(dir, "Final_Training", "Images")) }

func loadGTSRB(ctx context.Context, dir string, r *reader) (*Data, error) {
	root := filepath.Join("Final_Training", "Images")
	folders := subfolders(filepath.Join(dir, root))
	if len(folders) < 2 {
		return nil, fmt.Errorf("%s: expected a folder a class, found %d", filepath.Join(dir, root), len(folders))
	}
	classes := make([]string, len(folders))
	for i, f := range folders {
		if n, err := strconv.Atoi(f); err != nil || n != i {
			return nil, fmt.Errorf("%s: expected the folder %05d, found %q", filepath.Join(dir, root), i, f)
		}
		classes[i] = f
	}
	read := func(tables [][2]string) (*Set, error) {
		s := &Set{Classes: classes}
		if r.Size == 0 {
			s.Height, s.Width = 32, 32 // the originals differ in size
		}
		for _, t := range tables {
			files, err := readGTSRBTable(dir, t[0], t[1], len(classes), r)
			if err != nil {
				return nil, err
			}
			for _, f := range files {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				if err := readInto(s, dir, f, r); err != nil {
					return nil, err
				}
			}
		}
		return s, nil
	}
	var train [][2]string
	for _, f := range folders {
		train = append(train, [2]string{filepath.Join(root, f), filepath.Join(root, f, "GT-"+f+".csv")})
	}
	d := &Data{}
	var err error
	if d.Train, err = read(train); err != nil {
		return nil, err
	}
	images := filepath.Join("Final_Test", "Images")
	for _, table := range []string{filepath.Join("Final_Test", "GT-final_test.csv"), filepath.Join("Final_Test", "Images", "GT-final_test.csv")} {
		if exists(filepath.Join(dir, table)) {
			if d.Test, err = read([][2]string{{images, table}}); err != nil {
				return nil, err
			}
			break
		}
	}
	return d, nil
}

// readGTSRBTable reads Filename;…;ClassId.
func readGTSRBTable(dir, images, table string, classes int, r *reader) ([]labelled, error) {
	f, err := os.Open(filepath.Join(dir, table))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c := csv.NewReader(f)
	c.Comma = ';'
	head, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: expected a line of column names, found %w", table, err)
	}
	name, class := slices.Index(head, "Filename"), slices.Index(head, "ClassId")
	if name < 0 || class < 0 {
		return nil, fmt.Errorf("%s: expected the columns Filename and ClassId, found %v", table, head)
	}
	var all []labelled
	for row := 1; ; row++ {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", table, err)
		}
		label, err := strconv.Atoi(rec[class])
		if err != nil || label < 0 || label >= classes {
			if err := r.bad(&RecordError{table, row, fmt.Sprintf("a ClassId from 0 to %d", classes-1), rec[class]}); err != nil {
				return nil, err
			}
			continue
		}
		if filepath.Base(rec[name]) != rec[name] {
			return nil, &RecordError{table, row, "a file name without a path", rec[name]}
		}
		path := filepath.Join(images, rec[name])
		if !exists(filepath.Join(dir, path)) {
			if err := r.bad(&RecordError{table, row, "the image " + path, "no such file"}); err != nil {
				return nil, err
			}
			continue
		}
		all = append(all, labelled{filepath.ToSlash(path), int32(label)})
	}
}

func writeGTSRB(dir string, d *Data) error {
	write := func(s *Set, images, table string, only int32) error {
		if err := os.MkdirAll(filepath.Join(dir, images), 0o755); err != nil {
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
				name := fmt.Sprintf("%05d.ppm", i)
				head := fmt.Sprintf("P6\n%d %d\n255\n", s.Width, s.Height)
				if err := atomicfile.WriteBytes(filepath.Join(dir, images, name), append([]byte(head), s.Image(i)...)); err != nil {
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
