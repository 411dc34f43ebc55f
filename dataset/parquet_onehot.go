package dataset

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// Parquet files whose labels are columns of zeros and ones, one a class, as tables have them; see oneHot.

// parquetOneHot returns the columns of a file that are the classes: all beside the image, where none says the label. Else nil; what
// can't be read is said later.
func (s *store) parquetOneHot(path string, o Options) (h *oneHot) {
	if o.Label != "" {
		return nil
	}
	_ = s.withParquet(path, func(f *parquet.File, in io.ReaderAt) error {
		head, leaves := parquetHead(f)
		image, err := column(head, parquetImages, o.Image, "--image")
		if err != nil {
			return err
		}
		if label, err := column(head, parquetLabels, "", "--label"); label != "" || err != nil {
			return err
		}
		found := &oneHot{index: map[string]int{}}
		for _, name := range head {
			if name == image || isBeside(name) {
				continue
			}
			parts, ones, err := lookAtLeaf(f, in, leaves[name])
			switch {
			case err != nil:
				return err
			case parts:
				found.beside = append(found.beside, name)
			case ones:
				class := strings.TrimSpace(name)
				found.index[class] = len(found.classes)
				found.classes = append(found.classes, class)
			default:
				return nil
			}
		}
		if len(found.classes) > 1 {
			h = found
		}
		return nil
	})
	return h
}

// lookAtLeaf tells whether the first rows of a column name parts, or are zeros and ones.
func lookAtLeaf(f *parquet.File, in io.ReaderAt, of []int) (parts, ones bool, err error) {
	if len(of) != 1 || len(f.Schema().Columns()[of[0]]) > 1 {
		return false, false, nil
	}
	if leaf, ok := f.Schema().Lookup(f.Schema().Columns()[of[0]]...); !ok || leaf.MaxRepetitionLevel > 0 || leaf.Node.Type().Kind() == parquet.FixedLenByteArray {
		return false, false, nil
	}
	rows, named, known, others := 0, 0, 0, 0
	for i, g := range f.RowGroups() {
		if err := checkColumn(in, f.Size(), &f.Metadata().RowGroups[i], of[0], false); err != nil {
			return false, false, err
		}
		err := eachValue(g.ColumnChunks()[of[0]], func(v parquet.Value) error {
			if rows == lookedRows {
				return errEnough
			}
			rows++
			text := strings.TrimSpace(parquetText(v))
			if _, ok := zeroOrOne(text); ok {
				known++
			} else if splitOf(text) != "" {
				named++
			} else if text != "" {
				others++
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			break
		}
		if err != nil {
			return false, false, err
		}
	}
	return rows > 0 && named == rows, others+named == 0 && known > 0, nil
}

// hotLeaves are the leaves of a file's columns that are the classes; nil if it has none of them.
func (h *oneHot) hotLeaves(f *parquet.File, o Options) ([]int, error) {
	head, leaves := parquetHead(f)
	image, err := column(head, parquetImages, o.Image, "--image")
	if err != nil {
		return nil, err
	}
	at, err := h.find(head, image)
	if err != nil {
		return nil, fmt.Errorf("expected %s, found %w", sameColumns, err)
	}
	for k, i := range at {
		of := leaves[head[i]]
		if len(of) != 1 {
			return nil, fmt.Errorf("expected %s, found %q with %d fields", sameColumns, head[i], len(of))
		}
		if leaf, ok := f.Schema().Lookup(f.Schema().Columns()[of[0]]...); !ok || leaf.MaxRepetitionLevel > 0 {
			return nil, fmt.Errorf("expected %s, found a list in %q", sameColumns, head[i])
		}
		at[k] = of[0]
	}
	return at, nil
}

// hotLabels reads the labels of a row group.
func hotLabels(g parquet.RowGroup, c parquetColumns) (labels []Label, bad map[int]oddLabel, err error) {
	texts := make([][]string, len(c.leaves))
	for k, leaf := range c.leaves {
		err := eachValue(g.ColumnChunks()[leaf], func(v parquet.Value) error {
			texts[k] = append(texts[k], parquetText(v))
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
		if len(texts[k]) != len(texts[0]) {
			return nil, nil, fmt.Errorf("%d values of %q and %d of %q", len(texts[k]), c.hot.classes[k], len(texts[0]), c.hot.classes[0])
		}
	}
	bad = map[int]oddLabel{}
	for row := range texts[0] {
		l, want, found := c.hot.label(func(k int) string { return texts[k][row] })
		if want != "" {
			bad[row] = oddLabel{want, found}
		}
		labels = append(labels, l)
	}
	return labels, bad, nil
}

// oddLabel is what was expected of a row's label, and what was found.
type oddLabel struct{ want, found string }

// hotEdit readies a change of rows' classes: in each the one and the zero of the two columns change places.
func (f *filter) hotEdit(h *oneHot, p *parquet.File, labels map[int]int32, edit *parquetEdit) (err error) {
	if edit.leaves, err = h.hotLeaves(p, f.opts); err != nil {
		return err
	}
	kinds := map[string]bool{}
	for _, leaf := range edit.leaves {
		if of, ok := p.Schema().Lookup(p.Schema().Columns()[leaf]...); ok {
			kinds[of.Node.Type().String()] = true
		}
	}
	if len(kinds) > 1 {
		return errors.New("columns of classes of several types: their values can't change places; write all with one type")
	}
	edit.to = map[int]int{}
	for row, class := range labels {
		k, known := h.index[f.data.Train.Classes[class]]
		if !known || edit.leaves == nil {
			return fmt.Errorf("no columns of classes to change to %q", f.data.Train.Classes[class])
		}
		edit.to[row] = edit.leaves[k]
	}
	return nil
}

// exchanged is a row whose one stands in another column.
func exchanged(r parquet.Row, leaves []int, to int) parquet.Row {
	out := slices.Clone(r)
	from, zero := -1, -1
	for i, v := range r {
		if !slices.Contains(leaves, v.Column()) {
			continue
		}
		if one, _ := zeroOrOne(parquetText(v)); one {
			from = i
		}
		if v.Column() == to {
			zero = i
		}
	}
	if from >= 0 && zero >= 0 {
		a, b := r[from], r[zero]
		out[from] = b.Level(a.RepetitionLevel(), a.DefinitionLevel(), a.Column())
		out[zero] = a.Level(b.RepetitionLevel(), b.DefinitionLevel(), b.Column())
	}
	return out
}
