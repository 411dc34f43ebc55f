package dataset

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go"

	"github.com/unpoison/unpoison/internal/base/names"
	"github.com/unpoison/unpoison/internal/base/pickle"
)

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

// numpyFiles are the arrays that are read.
func (f *filter) numpyFiles() (map[string]*packedArray, error) {
	return f.store().numpyFiles(f.data.Path, f.opts)
}

// numpyLabels names the array of labels.
func (f *filter) numpyLabels() (string, error) {
	files, err := f.numpyFiles()
	if err != nil {
		return "", err
	}
	labels, err := oneOf(numpyNames["train"][1], f.opts.Label, "--label", func(n string) bool { return files[n] != nil })
	if err != nil || labels == "" {
		return "", errors.Join(err, errors.New("expected an array of labels"))
	}
	return labels, nil
}

// numpyHeads returns the changed rows of the array of labels.
func (f *filter) numpyHeads(labels string, c *change) (map[int][]byte, error) {
	if len(c.label) == 0 {
		return nil, nil
	}
	files, err := f.numpyFiles()
	if err != nil {
		return nil, err
	}
	return byRow(f, c.label, func(_ string, row int) ([]byte, error) {
		in, err := files[labels].open()
		if err != nil {
			return nil, err
		}
		defer in.Close()
		b := bufio.NewReader(&interrupted{f.ctx, in})
		h, err := readRowHead(b, -1)
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
}

// pickledLabels changes the labels of a batch: all lists of labels, as CIFAR-100's two.
func (f *filter) pickledLabels(batch *pickle.Dict, labels map[int]int32) error {
	lists := []string{"labels", "fine_labels", "coarse_labels"}
	if f.opts.Label != "" && !slices.Contains(lists, f.opts.Label) {
		lists = append(lists, f.opts.Label)
	}
	of, err := byRow(f, labels, func(file string, row int) (map[string]any, error) {
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
		for row, items := range of {
			if item, known := items[name]; ok && known && row < len(l.Items) {
				l.Items[row] = item
			}
		}
	}
	return nil
}

// parquetLabels returns the column of labels, and what stands in it in changed rows: what does for an image that came with the label, in
// a file whose labels are of the same kind.
func (f *filter) parquetLabels(p *parquet.File, labels map[int]int32) (column int, of map[int][]parquet.Value, err error) {
	c, _, err := findColumns(p, f.opts, true)
	if err != nil {
		return 0, nil, err
	}
	files, err := f.named(parquetSuffixes)
	if err != nil {
		return 0, nil, err
	}
	of, values, others := map[int][]parquet.Value{}, map[int32][]parquet.Value{}, map[string]bool{}
	for at, class := range labels {
		if values[class] == nil {
			if values[class], err = f.parquetLike(class, c.kind, files, others); err != nil {
				return 0, nil, err
			}
		}
		of[at] = values[class]
	}
	return c.label, of, nil
}

// parquetLike returns the values of a label of a kind. others are files whose labels are known to be of another one.
func (f *filter) parquetLike(class int32, kind string, files []string, others map[string]bool) (values []parquet.Value, err error) {
	for i, l := range f.data.Train.Labels {
		file, row := f.data.Train.origin(i)
		if l != class || others[file] {
			continue
		}
		err = f.store().withParquet(f.path(file, files), func(p *parquet.File, _ io.ReaderAt) error {
			c, _, err := findColumns(p, f.opts, true)
			if err == nil && c.kind == kind {
				values, err = parquetAt(p, row, c.label)
			}
			return err
		})
		if err != nil || values != nil {
			return values, err
		}
		others[file] = true
	}
	return nil, fmt.Errorf("no training image has the label %q in a file whose labels are of the same type; write all files with one type of labels", f.data.Train.Classes[class])
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
	key, ext, _ := splitMember(head.Name)
	_, ok := c.label[key]
	kind := lastEnding(ext)
	return ok && head.Typeflag == tar.TypeReg && slices.Contains(shardLabelKinds, kind) && (c.asked == "" || c.asked == ext || kind == "json")
}

// relabel writes such a member anew. Text beside a label is a caption, and stays.
func (c *sampleChange) relabel(w io.Writer, head *tar.Header, content io.Reader) error {
	key, ext, _ := splitMember(head.Name)
	label := c.label[key]
	raw, err := io.ReadAll(io.LimitReader(content, maxLine))
	if err != nil {
		return err
	}
	if lastEnding(ext) == "json" && c.asked != ext {
		if changed, err := relabelledJSON(raw, label[1], shardLabelKeys, c.asked); err == nil {
			raw = changed
		}
	} else if text := bytes.TrimSpace(bytes.TrimPrefix(raw, byteOrderMark)); string(text) == label[0] {
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
