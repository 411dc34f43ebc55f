package dataset

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

func (t *table) readJSONLines(in *bufio.Reader, yield func(int, row) error) error {
	s := bufio.NewScanner(in)
	s.Buffer(nil, maxLine)
	for n := 1; s.Scan(); n++ {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		cells, err := t.jsonRow(s.Bytes())
		if err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
		if err := yield(n, cells); err != nil {
			return err
		}
	}
	return s.Err()
}

// jsonRow reads a line. An error is of the columns; what is wrong with the row alone stands in it.
func (t *table) jsonRow(line []byte) (cells row, err error) {
	fields, head, err := jsonObject(line)
	if err != nil {
		return row{want: "a JSON object", bad: err.Error()}, nil
	}
	head = slices.DeleteFunc(head, func(name string) bool { return fields[name] == nil })
	t.head = head
	image, err := column(head, pathColumns, t.Image, "--image")
	if errors.Is(err, errTwoColumns) {
		return cells, err
	}
	label, err := column(head, labelColumns, t.Label, "--label")
	if errors.Is(err, errTwoColumns) {
		return cells, err
	}
	t.image, t.label = cmp.Or(t.image, image), cmp.Or(t.label, label)
	t.boxes = t.boxes || named(head, boxColumns) != ""
	cells.split = partSaid(asksPart(t.split), jsonText(fields[t.split]))
	for _, name := range head {
		if t.each != nil {
			t.each(name, jsonText(fields[name]))
		}
	}
	cells.want = "one label"
	if cells.label, cells.bad = jsonLabel(fields[label]); label == "" && t.hot != nil {
		at, err := t.hot.find(head, image)
		switch {
		case err != nil:
			cells.want, cells.bad = sameColumns, err.Error()
		case at != nil:
			cells.label, cells.want, cells.bad = t.hot.label(func(k int) string { return jsonText(fields[head[at[k]]]) })
		}
	}
	switch name := fields[image].(type) {
	case string:
		cells.image = name
	case nil:
	default:
		cells.want, cells.bad = "the name of a file", kindOfJSON(name)
	}
	return cells, nil
}

// jsonText is a JSON value as a table with separators has it.
func jsonText(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	return fmt.Sprint(v)
}

// jsonObject reads one object, with its keys in order, and keeps its numbers as they are written. A key that is there twice is an error.
func jsonObject(raw []byte) (fields map[string]any, keys []string, err error) {
	fields = map[string]any{}
	err = eachField(raw, func(name string, d *json.Decoder) error {
		if _, twice := fields[name]; twice {
			return fmt.Errorf("the key %q twice", name)
		}
		var v any
		if err := d.Decode(&v); err != nil {
			return err
		}
		fields[name], keys = v, append(keys, name)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return fields, keys, nil
}

// eachField goes through the fields of one JSON object; field decodes the value that comes next.
func eachField(raw []byte, field func(name string, d *json.Decoder) error) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	begin, err := d.Token()
	if err != nil {
		return err
	}
	if begin != json.Delim('{') {
		return fmt.Errorf("%v", begin)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		if err := field(name, d); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one on a line")
	}
	return nil
}

// jsonLabel is the label that a JSON value says: a number, a name, or a list of one, or of zeros and a one (one-hot).
func jsonLabel(v any) (l Label, bad string) {
	switch v := v.(type) {
	case nil:
		return Label{}, ""
	case string:
		return Name(v), ""
	case bool:
		return Name(fmt.Sprint(v)), ""
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return Number(n), ""
		}
		if f, err := v.Float64(); err == nil && f == float64(int64(f)) && f < 1<<53 && f > -1<<53 {
			return Number(int64(f)), ""
		}
		return Label{}, "the number " + v.String()
	case []any:
		return listLabel(v, jsonLabel)
	}
	return Label{}, kindOfJSON(v)
}

// kindOfJSON is what errors call a JSON value of a kind that is not expected.
func kindOfJSON(v any) string {
	switch v := v.(type) {
	case json.Number:
		return "the number " + v.String()
	case bool:
		return fmt.Sprint(v)
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "no value"
}

// listLabel is the label of a list of values: of one, or of zeros and a one.
func listLabel[T any](list []T, of func(T) (Label, string)) (Label, string) {
	if len(list) == 1 {
		return of(list[0])
	}
	one := -1
	for i, v := range list {
		l, bad := of(v)
		n, number := l.asNumber()
		if bad != "" || l.kind != numberLabel || !number || n != 0 && n != 1 || n == 1 && one >= 0 {
			return Label{}, fmt.Sprintf("a list of %d labels", len(list))
		}
		if n == 1 {
			one = i
		}
	}
	if one < 0 {
		return Label{}, fmt.Sprintf("a list of %d labels, none of them 1", len(list))
	}
	return Number(int64(one)), ""
}
