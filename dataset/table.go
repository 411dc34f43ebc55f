package dataset

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// Tables: CSV, TSV or JSON Lines with a column that names image files, relative to the table, and one
// with their labels. A folder may hold train.csv and test.csv (or val.csv), or one table.

var tableSuffixes = []string{".csv", ".tsv", ".jsonl"}

var (
	pathColumns  = []string{"path", "file", "filename", "file_name", "image", "image_path", "filepath"}
	labelColumns = []string{"label", "class", "target", "category", "y", "classid"}
)

func isTable(dir string) bool {
	train, _ := partFiles(dir, tableSuffixes)
	if len(train) == 0 {
		return false
	}
	stop := errors.New("one row is enough")
	return errors.Is(readTable(train[0], func(record) error { return stop }), stop)
}

// partFiles finds a layout's files in a folder, in its data folder, or in those of its parts (train/, test/
// and so on), those of training and those of testing by their names; or takes dir itself, where it is a file.
func partFiles(dir string, suffixes []string) (train, test []string) {
	fits := func(name string) bool {
		return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(strings.ToLower(name), s) })
	}
	if st, err := os.Stat(dir); err == nil && !st.IsDir() {
		if fits(dir) {
			return []string{dir}, nil
		}
		return nil, nil
	}
	files := map[string][]string{} // by what partOf says
	for _, sub := range []string{"", "data", "train", "test", "val", "valid", "validation"} {
		entries, _ := os.ReadDir(filepath.Join(dir, sub))
		for _, e := range entries {
			if e.IsDir() || !fits(e.Name()) || strings.HasPrefix(e.Name(), ".") {
				continue
			}
			part := partOf(sub)
			if part == "" {
				part = partOf(e.Name())
			}
			files[part] = append(files[part], filepath.Join(dir, sub, e.Name()))
		}
		if partOf(sub) == "" && len(files["train"])+len(files[""]) > 0 {
			break
		}
	}
	// What lies beside training data is none, and validation data beside test data is neither.
	train, test = files["train"], files["test"]
	if len(train) == 0 {
		train = files[""]
	}
	if len(test) == 0 {
		test = files["val"]
	}
	return train, test
}

// partOf returns the part of the data set that a word of the name names, or its first word begins with: train, test,
// val or "".
func partOf(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) })
	for i, w := range words {
		for _, part := range []string{"train", "test", "val"} {
			if w == part || i == 0 && strings.HasPrefix(w, part) {
				return part
			}
		}
		switch w {
		case "training":
			return "train"
		case "testing":
			return "test"
		case "valid", "validation":
			return "val"
		}
	}
	return ""
}

func loadTable(ctx context.Context, dir string, r *reader) (*Data, error) {
	train, test := partFiles(dir, tableSuffixes)
	if len(train) == 0 {
		return nil, fmt.Errorf("%s: expected a table, *.csv, *.tsv or *.jsonl", dir)
	}
	return r.fromFiles(ctx, nil, train, test, readTable)
}

func readTable(path string, yield func(record) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if strings.HasSuffix(strings.ToLower(path), ".jsonl") {
		return readJSONLines(f, path, yield)
	}
	c := csv.NewReader(bufio.NewReader(f))
	if strings.HasSuffix(strings.ToLower(path), ".tsv") {
		c.Comma = '\t'
	}
	head, err := c.Read()
	if err != nil {
		return fmt.Errorf("%s: expected a line of column names: %w", path, err)
	}
	column := func(names []string) int {
		return slices.IndexFunc(head, func(h string) bool { return slices.Contains(names, strings.ToLower(strings.TrimSpace(h))) })
	}
	at, label := column(pathColumns), column(labelColumns)
	if at < 0 || label < 0 {
		return fmt.Errorf("%s: expected a column of files (%s) and one of labels (%s), found %q",
			path, strings.Join(pathColumns, ", "), strings.Join(labelColumns, ", "), head)
	}
	for row := 1; ; row++ {
		line, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := yield(tableRecord(path, row, line[at], strings.TrimSpace(line[label]))); err != nil {
			return err
		}
	}
}

func readJSONLines(f io.Reader, path string, yield func(record) error) error {
	s := bufio.NewScanner(f)
	s.Buffer(nil, 16<<20)
	for row := 1; s.Scan(); row++ {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		var fields map[string]any
		d := json.NewDecoder(bytes.NewReader(s.Bytes()))
		d.UseNumber()
		if err := d.Decode(&fields); err != nil {
			return fmt.Errorf("%s, row %d: expected a JSON object: %w", path, row, err)
		}
		value := func(names []string) string {
			for k, v := range fields {
				if slices.Contains(names, strings.ToLower(k)) && v != nil {
					return fmt.Sprint(v)
				}
			}
			return ""
		}
		if err := yield(tableRecord(path, row, value(pathColumns), value(labelColumns))); err != nil {
			return err
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// tableRecord is the image that a row names, which has to lie beside or below the table.
func tableRecord(table string, row int, file, label string) record {
	c := record{source: table, row: row, label: label}
	if file == "" {
		return c
	}
	local := filepath.FromSlash(file)
	c.source, c.row = file, -1
	c.read = func() ([]byte, error) {
		if !filepath.IsLocal(local) {
			return nil, &RecordError{table, row, "a path below the table's folder", file}
		}
		raw, err := os.ReadFile(filepath.Join(filepath.Dir(table), local))
		if err != nil {
			return nil, &RecordError{table, row, "a readable file", err.Error()}
		}
		return raw, nil
	}
	return c
}
