package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// arrays are images as rows of one array and their labels as another, as IDX, NumPy and pickles hold them.
type arrays struct {
	name, labelsName string // the files, or the arrays in them
	claimed, n       int    // rows by the head, and at most there
	packed           bool
	image            Raw // without Pixels
	labels           *labelList
	split            *splitArray // may be nil
	// open returns the images' bytes, row after row.
	open func() (io.ReadCloser, error)
}

func (a *arrays) rowBytes() int64 {
	return int64(a.image.Height) * int64(a.image.Width) * int64(a.image.Channels)
}

// bound notes how many images the head claims, and keeps to what can come out of most bytes.
func (a *arrays) bound(claimed int, most int64) error {
	size := a.rowBytes()
	if size <= 0 || size > maxPixels*4 {
		return fmt.Errorf("images of %d×%d pixels and %d channels", a.image.Width, a.image.Height, a.image.Channels)
	}
	a.claimed, a.n = claimed, int(min(int64(claimed), most/size))
	if a.packed && a.n < claimed {
		return fmt.Errorf("%d images by its head, which is more than %d times its size", claimed, maxRatio)
	}
	return nil
}

// labelList is a label a row. A nil one is of images without labels.
type labelList struct {
	numbers []int64
	names   []string       // instead of numbers
	bad     map[int]string // rows that are no label: what was found
}

func (l *labelList) len() int { return max(len(l.numbers), len(l.names)) }

func (l *labelList) at(i int) Label {
	switch {
	case l == nil:
		return Label{}
	case l.names != nil:
		return Name(l.names[i])
	}
	return Number(l.numbers[i])
}

// arrayPart is a part that consists of arrays.
func arrayPart(all []arrays) (*Part, error) {
	p := &Part{Name: all[0].name}
	if len(all) > 1 {
		p.Name += " … " + all[len(all)-1].name
	}
	for _, a := range all {
		if c := a.image.Channels; c != 1 && c != 3 && c != 4 {
			return nil, fmt.Errorf("%s: expected 1, 3 or 4 channels, found %d", a.name, c)
		}
		if a.labels != nil && a.labels.len() != a.claimed {
			return nil, fmt.Errorf("%s holds %d images, %s %d labels", a.name, a.claimed, a.labelsName, a.labels.len())
		}
		p.Claim += int64(a.n) * a.rowBytes()
	}
	p.Records = func(yield func(Record) error) error {
		for i := range all {
			if err := all[i].records(yield); err != nil {
				return err
			}
		}
		return nil
	}
	return p, nil
}

func (a *arrays) records(yield func(Record) error) error {
	in, err := a.open()
	if err != nil {
		return err
	}
	defer in.Close()
	rows := &rows{in: bufio.NewReaderSize(in, 256<<10), buf: make([]byte, a.rowBytes())}
	for i := range a.n {
		r := Record{Source: a.name, Row: i, LabelSource: a.labelsName, Label: a.labels.at(i), split: a.split.at(i)}
		if a.labels != nil && a.labels.bad[i] != "" {
			r.Err = &RecordError{a.labelsName, i, "one label", a.labels.bad[i]}
		}
		image := a.image
		image.Pixels = func() ([]byte, error) { return rows.at(i) }
		r.Raw = &image
		if err := yield(r); err != nil {
			return err
		}
		if rows.err != nil { // of a file that is cut off, the first missing row counts
			return nil
		}
	}
	if a.n < a.claimed {
		return yield(Record{Source: a.name, Row: a.n, Err: &RecordError{a.name, a.n, fmt.Sprintf("%d images", a.claimed), fmt.Sprintf("%d: the file is cut off", a.n)}})
	}
	return rows.end(a.name, a.n)
}

// rows reads an array row by row, forward.
type rows struct {
	in   io.Reader
	next int
	buf  []byte
	err  error
}

// at returns row i, until the next call.
func (r *rows) at(i int) ([]byte, error) {
	if r.err == nil && i > r.next {
		_, r.err = io.CopyN(io.Discard, r.in, int64(i-r.next)*int64(len(r.buf)))
	}
	if r.err == nil {
		_, r.err = io.ReadFull(r.in, r.buf)
		r.next = i + 1
	}
	if errors.Is(r.err, io.EOF) || errors.Is(r.err, io.ErrUnexpectedEOF) {
		r.err = errors.New("the file is cut off")
	}
	return r.buf, r.err
}

// end reads what follows the last of n rows: nothing. Compressed files say only there whether their checksum is right.
func (r *rows) end(name string, n int) error {
	if r.next == 0 { // only looked at
		return nil
	}
	more, err := io.Copy(io.Discard, r.in)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	more -= int64(n-r.next) * int64(len(r.buf)) // rows at the end whose labels are wrong
	if more >= int64(len(r.buf)) {
		return fmt.Errorf("%s: %d more bytes than its head says", name, more)
	}
	return nil
}
