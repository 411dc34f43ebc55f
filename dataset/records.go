package dataset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
)

// record is an image file with a label, wherever it lies: in a folder, an archive, a table.
type record struct {
	source string // what errors and lists of suspects call it
	row    int    // its row in source; -1 for a file of its own
	label  string // a class's name or number; empty if there is none
	// read returns the image file's bytes; nil if there is none.
	read func() ([]byte, error)
}

// records calls yield for each record of a part in order. Errors of yield end it.
type records func(yield func(record) error) error

// fromFiles reads parts that hold encoded images, whose files read goes through.
func (r *reader) fromFiles(ctx context.Context, classes, train, test []string, read func(file string, yield func(record) error) error) (*Data, error) {
	part := func(files []string) records {
		return func(yield func(record) error) error {
			for _, f := range files {
				if err := read(f, yield); err != nil {
					return err
				}
			}
			return nil
		}
	}
	if len(test) == 0 {
		return r.fromRecords(ctx, classes, part(train), nil)
	}
	return r.fromRecords(ctx, classes, part(train), part(test))
}

// fromRecords reads parts that hold encoded images. classes are the classes' names in order, if the
// format has them; else they are what the training part's labels say, sorted. It goes through each part
// twice, first for the labels and sizes, so that only the images as they are kept lie in memory.
func (r *reader) fromRecords(ctx context.Context, classes []string, train, test records) (*Data, error) {
	labels := map[string]bool{}
	h, w, mixed := 0, 0, false
	count := 0
	err := train(func(c record) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		count++
		if c.label != "" {
			labels[c.label] = true
		}
		if r.Size > 0 || mixed || c.read == nil {
			return nil
		}
		raw, err := c.read()
		if err != nil {
			return nil // said when it is read in earnest
		}
		conf, err := decodeConfig(raw)
		if err != nil {
			return nil
		}
		if h == 0 {
			h, w = conf.Height, conf.Width
		}
		mixed = conf.Height != h || conf.Width != w
		return nil
	})
	if err != nil {
		return nil, err
	}
	switch {
	case r.Size > 0:
		h, w = r.Size, r.Size
	case mixed || h == 0:
		h, w = 32, 32
	}
	number := map[string]int32{} // by name and, where classes are given, by number
	if classes == nil {
		classes = sortedLabels(labels)
	} else {
		for i := range classes {
			number[strconv.Itoa(i)] = int32(i)
		}
	}
	for i, c := range classes {
		number[c] = int32(i)
	}
	if len(classes) < 2 {
		return nil, fmt.Errorf("expected labels of at least two classes, found %d", len(classes))
	}
	read := func(part records, count int) (*Set, error) {
		s := &Set{Height: h, Width: w, Classes: classes}
		s.reserve(count)
		err := part(func(c record) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			label, ok := number[c.label]
			if !ok {
				got := strconv.Quote(c.label)
				if c.label == "" {
					got = "none"
				}
				return r.bad(&RecordError{c.source, c.row, "a label of " + some(classes), got})
			}
			if c.read == nil {
				return r.bad(&RecordError{c.source, c.row, "an image", "none"})
			}
			raw, err := c.read()
			if err != nil {
				var bad *RecordError
				if errors.As(err, &bad) {
					return r.bad(err)
				}
				return r.bad(&RecordError{c.source, c.row, "a readable image", err.Error()})
			}
			pixels, ih, iw, err := decode(raw)
			if err != nil {
				return r.bad(&RecordError{c.source, c.row, "a readable image", err.Error()})
			}
			s.add(Resize(pixels, ih, iw, h, w), label, c.source, c.row)
			return nil
		})
		return s, err
	}
	d := &Data{}
	if d.Train, err = read(train, count); err != nil {
		return nil, err
	}
	if test != nil {
		if d.Test, err = read(test, 0); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// some names up to six classes.
func some(classes []string) string {
	if len(classes) > 6 {
		return fmt.Sprintf("%q and %d more", classes[:6], len(classes)-6)
	}
	return fmt.Sprintf("%q", classes)
}

// sortedLabels sorts by number if all are numbers, else by name.
func sortedLabels(labels map[string]bool) []string {
	var all []string
	numbers := true
	for l := range labels {
		all = append(all, l)
		if _, err := strconv.Atoi(l); err != nil {
			numbers = false
		}
	}
	sort.Strings(all)
	if numbers {
		slices.SortStableFunc(all, func(a, b string) int {
			x, _ := strconv.Atoi(a)
			y, _ := strconv.Atoi(b)
			return x - y
		})
	}
	return all
}

// raw is images as plain bytes with numbers as labels, as the array formats hold them.
type raw struct {
	file       string
	n, h, w, c int
	pixels     []byte // N × H × W × C, or N × C × H × W if planar
	planar     bool
	labels     []int64
	labelsFile string
}

// fromRaw makes sets of arrays. Grey becomes RGB, a fourth channel is dropped.
func (r *reader) fromRaw(ctx context.Context, classes []string, train []raw, test []raw) (*Data, error) {
	most := int64(-1)
	for _, p := range train {
		for _, l := range p.labels {
			most = max(most, l)
		}
	}
	if classes == nil {
		if most < 1 || most > 1<<20 {
			return nil, fmt.Errorf("%s: expected labels from 0 to the number of classes less one, the largest is %d", train[0].labelsFile, most)
		}
		for i := range most + 1 {
			classes = append(classes, strconv.FormatInt(i, 10))
		}
	}
	read := func(parts []raw) (*Set, error) {
		s := &Set{Classes: classes}
		for _, p := range parts {
			if p.c != 1 && p.c != 3 && p.c != 4 {
				return nil, fmt.Errorf("%s: expected 1, 3 or 4 channels, found %d", p.file, p.c)
			}
			if len(p.labels) != p.n {
				return nil, fmt.Errorf("%s holds %d images, %s %d labels", p.file, p.n, p.labelsFile, len(p.labels))
			}
			if s.Height == 0 {
				s.Height, s.Width = p.h, p.w
				if r.Size > 0 {
					s.Height, s.Width = r.Size, r.Size
				}
			}
			img := make([]uint8, p.h*p.w*3)
			for i := range p.n {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				if l := p.labels[i]; l < 0 || l >= int64(len(classes)) {
					if err := r.bad(&RecordError{p.labelsFile, i, fmt.Sprintf("a label from 0 to %d", len(classes)-1), strconv.FormatInt(l, 10)}); err != nil {
						return nil, err
					}
					continue
				}
				p.image(img, i)
				s.add(Resize(img, p.h, p.w, s.Height, s.Width), int32(p.labels[i]), p.file, i)
			}
		}
		return s, nil
	}
	d := &Data{}
	var err error
	if d.Train, err = read(train); err != nil {
		return nil, err
	}
	if len(test) > 0 {
		d.Test, err = read(test)
	}
	return d, err
}

// image writes image i as RGB.
func (p *raw) image(dst []uint8, i int) {
	area := p.h * p.w
	src := p.pixels[i*area*p.c:][:area*p.c]
	for k := range area {
		for c := range 3 {
			from := min(c, p.c-1)
			if p.planar {
				dst[3*k+c] = src[from*area+k]
			} else {
				dst[3*k+c] = src[k*p.c+from]
			}
		}
	}
}
