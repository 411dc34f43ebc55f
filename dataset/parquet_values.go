package dataset

import (
	"errors"
	"io"

	"github.com/parquet-go/parquet-go"
)

// valueReader reads the values of a column in one row group, one after the other.
type valueReader struct {
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader // of the page; nil: the next page comes
	buf    [16]parquet.Value
	at, n  int
	ended  bool // no value of the page is left but those in buf
}

func newValueReader(c parquet.ColumnChunk) *valueReader { return &valueReader{pages: c.Pages()} }

// next returns the next value, which holds until the one after it is asked for; io.EOF after the last.
func (r *valueReader) next() (parquet.Value, error) {
	for r.at == r.n {
		if err := r.fill(); err != nil {
			return parquet.Value{}, err
		}
	}
	r.at++
	return r.buf[r.at-1], nil
}

// fill reads some more values, or opens the next page.
func (r *valueReader) fill() (err error) {
	if r.values != nil && !r.ended {
		r.at = 0
		r.n, err = r.values.ReadValues(r.buf[:])
		r.ended = errors.Is(err, io.EOF)
		switch {
		case err != nil && !r.ended:
			return err
		case r.n == 0 && err == nil:
			return errors.New("a page whose values do not come")
		}
		return nil
	}
	r.release()
	if r.page, err = r.pages.ReadPage(); err != nil {
		return err
	}
	r.values, r.ended = r.page.Values(), false
	return nil
}

func (r *valueReader) release() {
	if r.values != nil {
		parquet.Release(r.page)
	}
	r.values = nil
}

func (r *valueReader) close() {
	r.release()
	_ = r.pages.Close()
}
