package dataset

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/parquet-go/parquet-go"

	"github.com/unpoison/unpoison/internal/base/names"
	"github.com/unpoison/unpoison/internal/base/pickle"
)

// headsOf returns what changed rows begin with, by the head of a row of each class.
func (f *filter) headsOf(c *change, head func(file string, row int) ([]byte, error)) (map[int][]byte, error) {
	of, err := byClass(f, c.label, head)
	heads := map[int][]byte{}
	for row, class := range c.label {
		heads[row] = of[class]
	}
	return heads, err
}

// readAt reads a few bytes of a file.
func readAt(file string, at, n int64) ([]byte, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	b := make([]byte, n)
	_, err = in.ReadAt(b, at)
	return b, err
}

// unpacked reads a whole file of labels.
func (f *filter) unpacked(file string) ([]byte, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var r io.Reader = &interrupted{f.ctx, in}
	if strings.HasSuffix(strings.ToLower(file), "gz") {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		defer z.Close()
		r = z
	}
	return io.ReadAll(io.LimitReader(r, 1<<28))
}

// arrayHeads are the heads of changed rows of one array.
type arrayHeads struct {
	array string
	heads map[int][]byte
}

func (a arrayHeads) of(file string) map[int][]byte {
	if arrayName(file) == a.array {
		return a.heads
	}
	return nil
}

// numpyHeads returns the changed rows of the array of labels.
func (f *filter) numpyHeads(c *change) (arrayHeads, error) {
	if len(c.label) == 0 {
		return arrayHeads{}, nil
	}
	files := newStore(f.data.Path, f.opts).numpyFiles(f.data.Path)
	labels, err := oneOf(numpyNames["train"][1], f.opts.Label, "--label", func(n string) bool { return files[n] != nil })
	if err != nil || labels == "" {
		return arrayHeads{}, errors.Join(err, errors.New("expected an array of labels"))
	}
	heads, err := f.headsOf(c, func(_ string, row int) ([]byte, error) {
		in, err := files[labels].open()
		if err != nil {
			return nil, err
		}
		defer in.Close()
		b := bufio.NewReader(&interrupted{f.ctx, in})
		h, err := readRowHead(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", labels, err)
		}
		if _, err := io.CopyN(io.Discard, b, int64(row)*h.size); err != nil {
			return nil, err
		}
		head := make([]byte, h.size)
		_, err = io.ReadFull(b, head)
		return head, err
	})
	return arrayHeads{labels, heads}, err
}

// pickledLabels changes the labels of a batch: all lists of labels, as CIFAR-100's two.
func (f *filter) pickledLabels(batch *pickle.Dict, labels map[int]int32) error {
	lists := []string{"labels", "fine_labels", "coarse_labels"}
	if f.opts.Label != "" && !slices.Contains(lists, f.opts.Label) {
		lists = append(lists, f.opts.Label)
	}
	of, err := byClass(f, labels, func(file string, row int) (map[string]any, error) {
		_, from, err := unpickled(f.path(file, names.Matching(f.base, "*")))
		if err != nil {
			return nil, err
		}
		items := map[string]any{}
		for _, name := range lists {
			if l, ok := from.Get(name).(*pickle.List); ok && row < len(l.Items) {
				items[name] = l.Items[row]
			}
		}
		return items, nil
	})
	if err != nil {
		return err
	}
	for _, name := range lists {
		l, ok := batch.Get(name).(*pickle.List)
		for row, class := range labels {
			if item, known := of[class][name]; ok && known && row < len(l.Items) {
				l.Items[row] = item
			}
		}
	}
	return nil
}

// parquetLabels fills in what stands in changed rows' column of labels, and returns the column.
func (f *filter) parquetLabels(p *parquet.File, labels map[int]int32, into map[int][]parquet.Value) (int, error) {
	c, _, err := findColumns(p, f.opts)
	if err != nil {
		return 0, err
	}
	files, err := f.named(parquetSuffixes)
	if err != nil {
		return 0, err
	}
	of, err := byClass(f, labels, func(file string, row int) ([]parquet.Value, error) {
		in, p, err := openParquetFile(f.path(file, files))
		if err != nil {
			return nil, err
		}
		defer in.Close()
		return parquetAt(p, row, c.label)
	})
	for row, class := range labels {
		into[row] = of[class]
	}
	return c.label, err
}

// parquetAt returns the values of one column of a row.
func parquetAt(p *parquet.File, row, column int) (values []parquet.Value, err error) {
	for _, g := range p.RowGroups() {
		if int64(row) >= g.NumRows() {
			row -= int(g.NumRows())
			continue
		}
		rows := g.Rows()
		defer rows.Close()
		if err := rows.SeekToRow(int64(row)); err != nil {
			return nil, err
		}
		buf := make([]parquet.Row, 1)
		if n, err := rows.ReadRows(buf); n != 1 {
			return nil, errors.Join(err, errors.New("a row that does not come"))
		}
		for _, v := range buf[0] {
			if v.Column() == column {
				values = append(values, v.Clone())
			}
		}
		return values, nil
	}
	return nil, fmt.Errorf("row %d is not there", row)
}

// sampleChange is what becomes of a shard's samples, by their keys.
type sampleChange struct {
	gone  map[string]bool
	label map[string][2]string // the old one and the new one
	asked string               // the ending or key of the label, or empty
}

// relabels tells whether a member may say the label of a sample that gets another one.
func (c *sampleChange) relabels(head *tar.Header) bool {
	_, ok := c.label[sampleKey(head.Name)]
	ext, kind := memberEnding(head.Name)
	return ok && head.Typeflag == tar.TypeReg && slices.Contains([]string{"cls", "txt", "json"}, kind) && (c.asked == "" || c.asked == ext || kind == "json")
}

// memberEnding returns what follows the first dot of a member's name and the last.
func memberEnding(name string) (ext, kind string) {
	_, ext, _ = strings.Cut(strings.ToLower(path.Base(path.Clean(name))), ".")
	return ext, ext[strings.LastIndex(ext, ".")+1:]
}

// relabel writes such a member anew. Text beside a label is a caption, and stays.
func (c *sampleChange) relabel(w io.Writer, head *tar.Header, content io.Reader) error {
	label := c.label[sampleKey(head.Name)]
	ext, kind := memberEnding(head.Name)
	raw, err := io.ReadAll(io.LimitReader(content, maxLine))
	if err != nil {
		return err
	}
	if kind == "json" && c.asked != ext {
		if changed, err := relabelledJSON(raw, label[1], append([]string{"cls"}, labelColumns...), c.asked); err == nil {
			raw = changed
		}
	} else if text := bytes.TrimSpace(raw); string(text) == label[0] {
		raw = bytes.Replace(raw, text, []byte(label[1]), 1)
	}
	head.Size = int64(len(raw))
	t := tar.NewWriter(w)
	if err := t.WriteHeader(head); err != nil {
		return err
	}
	_, err = t.Write(raw)
	return errors.Join(err, t.Flush())
}
