package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// NumPy's array format, versions 1 to 3: a header that is a Python dictionary, then the numbers.

// npyArray is what a header says of an array in row-major order.
type npyArray struct {
	kind  string // "u1", "i8", "f4", "U5", …
	order binary.ByteOrder
	dims  []int
	width int   // bytes of an element
	size  int64 // bytes of the header
}

var (
	npyDescr = regexp.MustCompile(`'descr':\s*'([<>|=]?)([a-zA-Z][0-9]+)'`)
	npyOrder = regexp.MustCompile(`'fortran_order':\s*(True|False)`)
	npyShape = regexp.MustCompile(`'shape':\s*\(([0-9, ]*)\)`)
)

// npyText reads a header as it is written, and returns how many bytes it takes with what is before it.
func npyText(in io.Reader) (version byte, text string, size int64, err error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:]); err != nil || string(head[:6]) != "\x93NUMPY" {
		return 0, "", 0, fmt.Errorf("expected a NumPy header, found %q", head[:])
	}
	length := make([]byte, 4)
	width := 2 + 2*bit(head[6] > 1)
	if _, err := io.ReadFull(in, length[:width]); err != nil {
		return 0, "", 0, errors.New("the NumPy header is cut off")
	}
	n := int(binary.LittleEndian.Uint32(length))
	if n > 1<<20 {
		return 0, "", 0, fmt.Errorf("a NumPy header of %d bytes", n)
	}
	raw, err := readExactly(in, n)
	if err != nil {
		return 0, "", 0, errors.New("the NumPy header is cut off")
	}
	return head[6], string(raw), int64(len(head) + width + n), nil
}

func npyHead(in io.Reader) (*npyArray, error) {
	_, text, size, err := npyText(in)
	if err != nil {
		return nil, err
	}
	descr, order, shape := npyDescr.FindStringSubmatch(text), npyOrder.FindStringSubmatch(text), npyShape.FindStringSubmatch(text)
	if npyObjects.MatchString(text) {
		return nil, errors.New(`an array of Python objects; astype("int64") makes it one of numbers, astype("str") one of names`)
	}
	if descr == nil || order == nil || shape == nil {
		return nil, fmt.Errorf("expected a NumPy header of plain numbers, found %.200q", strings.TrimSpace(text))
	}
	a := &npyArray{kind: descr[2], order: binary.LittleEndian, size: size}
	if descr[1] == ">" {
		a.order = binary.BigEndian
	}
	if a.width, err = strconv.Atoi(a.kind[1:]); err == nil && a.kind[0] == 'U' {
		a.width *= 4
	}
	if err != nil || a.width < 1 || a.width > 1<<16 {
		return nil, fmt.Errorf("an array of %s", a.kind)
	}
	total := a.width
	for _, s := range strings.Split(shape[1], ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		d, err := strconv.Atoi(s)
		if err != nil || d <= 0 || d > maxArray/total {
			return nil, fmt.Errorf("dimension %s of the array", s)
		}
		a.dims, total = append(a.dims, d), total*d
	}
	long := 0 // the order matters to more than one of these
	for _, d := range a.dims {
		if d > 1 {
			long++
		}
	}
	if order[1] == "True" && long > 1 {
		return nil, fmt.Errorf("expected an array in C's order; numpy.ascontiguousarray makes it so")
	}
	if len(a.dims) == 0 {
		return nil, fmt.Errorf("a single number, expected an array")
	}
	return a, nil
}

func numpyLabels(p *packedArray) (*labelList, error) {
	in, err := p.open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	a, err := npyHead(in)
	if err != nil {
		return nil, err
	}
	if need := product(a.dims) * int64(a.width); need > p.most-a.size {
		return nil, fmt.Errorf("%d bytes by its head, at most %d are there: the file is cut off", need, p.most-a.size)
	}
	return a.labels(in)
}

// labels reads labels: N or N×1 of them, or N×K with a one in each row (one-hot).
func (a *npyArray) labels(in io.Reader) (*labelList, error) {
	k := 1
	if len(a.dims) == 2 {
		k = a.dims[1]
	}
	if len(a.dims) > 2 {
		return nil, fmt.Errorf("expected a list of labels or one-hot rows, found the shape %v", a.dims)
	}
	l := &labelList{bad: map[int]string{}}
	if a.kind[0] == 'U' || a.kind[0] == 'S' {
		if k > 1 {
			return nil, fmt.Errorf("expected one name a row, found the shape %v", a.dims)
		}
		return l, a.readNames(in, l)
	}
	if !slices.Contains([]string{"u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8", "b1"}, a.kind) {
		return nil, fmt.Errorf("expected whole numbers or names, found %s", a.kind)
	}
	row := make([]byte, k*a.width)
	for i := range a.dims[0] {
		if _, err := io.ReadFull(in, row); err != nil {
			return nil, fmt.Errorf("row %d: the file is cut off", i)
		}
		v, bad := a.label(row, k)
		if bad != "" {
			l.bad[i] = bad
		}
		l.numbers = append(l.numbers, v)
	}
	return l, nil
}

// label reads a number, or k of which one is 1 and all others are 0.
func (a *npyArray) label(row []byte, k int) (label int64, bad string) {
	if k == 1 {
		v, whole := a.number(row)
		if !whole {
			return 0, "no whole number"
		}
		return v, ""
	}
	ones := 0
	for c := range k {
		v, whole := a.number(row[c*a.width:])
		switch {
		case !whole || v != 0 && v != 1:
			return 0, fmt.Sprintf("%d numbers that are not one-hot", k)
		case v == 1:
			ones++
			label = int64(c)
		}
	}
	if ones != 1 {
		return 0, fmt.Sprintf("%d classes of %d", ones, k)
	}
	return label, ""
}

// number reads an element and reports whether it is a whole number.
func (a *npyArray) number(b []byte) (int64, bool) {
	switch a.kind {
	case "u1", "b1":
		return int64(b[0]), true
	case "i1":
		return int64(int8(b[0])), true
	case "u2":
		return int64(a.order.Uint16(b)), true
	case "i2":
		return int64(int16(a.order.Uint16(b))), true
	case "u4":
		return int64(a.order.Uint32(b)), true
	case "i4":
		return int64(int32(a.order.Uint32(b))), true
	case "u8":
		v := a.order.Uint64(b)
		return int64(v), v <= math.MaxInt64
	case "i8":
		return int64(a.order.Uint64(b)), true
	}
	f := float64(math.Float32frombits(a.order.Uint32(b)))
	if a.kind == "f8" {
		f = math.Float64frombits(a.order.Uint64(b))
	}
	return int64(f), f == math.Trunc(f) && math.Abs(f) < 1<<53
}

// readNames reads strings of a fixed length, padded with zeros: of four bytes a character, or of one.
func (a *npyArray) readNames(in io.Reader, l *labelList) error {
	row := make([]byte, a.width)
	l.names = []string{}
	for i := range a.dims[0] {
		if _, err := io.ReadFull(in, row); err != nil {
			return fmt.Errorf("row %d: the file is cut off", i)
		}
		if a.kind[0] == 'S' {
			l.names = append(l.names, string(bytes.TrimRight(row, "\x00")))
			continue
		}
		var name []rune
		for c := 0; c < len(row); c += 4 {
			if r := a.order.Uint32(row[c:]); r != 0 {
				name = append(name, rune(r))
			}
		}
		l.names = append(l.names, string(name))
	}
	return nil
}
