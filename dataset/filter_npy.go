package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// rowHead is the head of a NumPy file whose first dimension counts rows.
type rowHead struct {
	version byte
	text    string
	at      [2]int // where the first dimension stands in text
	rows    int
	cells   int64  // elements of a row
	item    int64  // bytes of an element
	size    int64  // bytes of a row
	columns bool   // Fortran's order: the elements of a column lie together
	why     string // rows can't be dropped; empty: they can
}

var (
	npyRows    = regexp.MustCompile(`'shape':\s*\(\s*([0-9]+)L?\s*,([0-9L, ]*)\)`)
	npyWidth   = regexp.MustCompile(`'descr':\s*'[<>|=]?([a-zA-Z])([0-9]*)(\[[^]']*\])?'`) // also <M8[ns]
	npyObjects = regexp.MustCompile(`'[<>|=]?O[0-9]*'`)
	npyColumns = regexp.MustCompile(`'fortran_order':\s*True`)
)

// readRowHead reads the head of an array that takes size bytes with it; negative: nobody knows.
func readRowHead(in io.Reader, size int64) (*rowHead, error) {
	version, text, headSize, err := npyText(in)
	if err != nil {
		return nil, err
	}
	h := &rowHead{version: version, text: text, cells: 1, columns: npyColumns.MatchString(text)}
	shape := npyRows.FindStringSubmatchIndex(text)
	if shape == nil {
		return nil, errors.New("an array without rows")
	}
	h.at = [2]int{shape[2], shape[3]}
	if h.rows, err = strconv.Atoi(text[shape[2]:shape[3]]); err != nil {
		return nil, err
	}
	for _, d := range strings.Split(text[shape[4]:shape[5]], ",") {
		if d = strings.TrimSuffix(strings.TrimSpace(d), "L"); d == "" {
			continue
		}
		v, err := strconv.ParseInt(d, 10, 32)
		if err != nil || v > 0 && h.cells > (1<<31)/v {
			return nil, fmt.Errorf("dimension %s of the array", d)
		}
		h.cells *= v
	}
	if size >= 0 {
		size -= headSize
	}
	h.measure(size)
	return h, nil
}

// measure finds how many bytes an element takes of so many that there are: by its type or, of a structure, by their number.
func (h *rowHead) measure(there int64) {
	type_ := npyWidth.FindStringSubmatch(h.text)
	all := int64(h.rows) * h.cells
	switch {
	case type_ == nil && npyObjects.MatchString(h.text) || type_ != nil && type_[1] == "O":
		h.why = "it holds Python objects"
		return
	case type_ != nil:
		h.item, _ = strconv.ParseInt(type_[2], 10, 32)
		if type_[1] == "U" {
			h.item *= 4 // NumPy's text has four bytes a character
		}
	case all > 0 && there > 0 && there%all == 0:
		h.item = there / all
	case all > 0:
		h.why = "its type is not known"
		return
	}
	if h.item > 0 && h.cells > (1<<31)/h.item {
		h.why = "its rows are too long"
		return
	}
	h.size = h.item * h.cells
	if there >= 0 && there != int64(h.rows)*h.size {
		h.why = fmt.Sprintf("it holds %d bytes, by its head %d", there, int64(h.rows)*h.size)
	}
}

// copyNPY copies an array, which takes so many bytes, without the rows in drop, each of which is there; see copyRows.
func copyNPY(w io.Writer, in io.Reader, bytes int64, drop map[int]bool, heads map[int][]byte) error {
	h, err := readRowHead(in, bytes)
	if err != nil {
		return err
	}
	if h.rows < len(drop) {
		return fmt.Errorf("%d rows, %d are to be dropped", h.rows, len(drop))
	}
	n := strconv.Itoa(h.rows - len(drop))
	text := h.text[:h.at[0]] + n + h.text[h.at[1]:]
	text = strings.TrimRight(text, " \n") // the header keeps its length, which aligns the data
	if len(text) >= len(h.text) {
		return errors.New("a NumPy header without room")
	}
	text += strings.Repeat(" ", len(h.text)-1-len(text)) + "\n"
	head := append([]byte("\x93NUMPY"), h.version, 0)
	if h.version > 1 {
		head = binary.LittleEndian.AppendUint32(head, uint32(len(text)))
	} else {
		head = binary.LittleEndian.AppendUint16(head, uint16(len(text)))
	}
	if _, err := w.Write(append(head, text...)); err != nil || h.size == 0 {
		return err
	}
	if !h.columns {
		return copyRows(w, in, h.size, drop, heads)
	}
	for range h.cells {
		if err := copyRows(w, io.LimitReader(in, int64(h.rows)*h.item), h.item, drop, heads); err != nil {
			return err
		}
	}
	return nil
}
