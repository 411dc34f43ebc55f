// Package pickle reads Python pickles without running anything of them: classes and functions that a
// pickle names become values that say so, never calls.
package pickle

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// What Decode returns, beside nil, bool, int64, float64, string (also Python 2's bytes) and []byte.
type (
	// List is a list, a set or a frozen set.
	List struct{ Items []any }
	// Tuple is a tuple.
	Tuple []any
	// Dict is a dictionary, in its order.
	Dict struct{ Keys, Values []any }
	// Global is a class or function by its name.
	Global struct{ Module, Name string }
	// Object is what a Global would have made of Args, with the state that it would have been given
	// and the items that it would have held.
	Object struct {
		Class Global
		Args  Tuple
		State any
		Dict  Dict
	}
	// Persistent is a reference to something outside the pickle.
	Persistent struct{ ID any }
	// Located is where bytes lie that DecodeLocated left in the file.
	Located struct{ Offset, Size int64 }
)

// Get returns a dictionary's value for a key that is a string or bytes.
func (d *Dict) Get(key string) any {
	for i, k := range d.Keys {
		if b, ok := Bytes(k); ok && string(b) == key {
			return d.Values[i]
		}
	}
	return nil
}

// Bytes returns a value's bytes, whether Python 2 or 3 wrote them.
func Bytes(v any) ([]byte, bool) {
	switch b := v.(type) {
	case []byte:
		return b, true
	case string:
		return []byte(b), true
	case *Object: // how Python 3 writes bytes in old protocols: as Latin-1 text to be encoded
		if b.Class == (Global{"_codecs", "encode"}) && len(b.Args) == 2 && b.Args[1] == "latin1" {
			text, ok := b.Args[0].(string)
			raw := make([]byte, 0, len(text))
			for _, r := range text {
				ok = ok && r < 256
				raw = append(raw, byte(r))
			}
			return raw, ok
		}
	}
	return nil, false
}

type mark struct{}

type decoder struct {
	r     *bufio.Reader
	stack []any
	memo  map[int]any

	read *counter // what r reads from, where long bytes stay there
}

// counter counts what is read from a file.
type counter struct {
	in io.Reader
	n  int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err
}

// longBytes is from what size on DecodeLocated leaves bytes where they are.
const longBytes = 1 << 10

var errShort = errors.New("the pickle is cut off")

// Decode reads one pickle and leaves r behind it.
func Decode(r *bufio.Reader) (any, error) { return (&decoder{r: r, memo: map[int]any{}}).decode() }

// DecodeLocated reads the pickle that a file begins with, and says of longer bytes where they lie instead of reading them.
func DecodeLocated(file io.Reader) (any, error) {
	c := &counter{in: file}
	return (&decoder{r: bufio.NewReader(c), memo: map[int]any{}, read: c}).decode()
}

func (d *decoder) decode() (any, error) {
	for {
		op, err := d.r.ReadByte()
		if err != nil {
			return nil, errShort
		}
		if op == '.' {
			return d.pop()
		}
		if err := d.do(op); err != nil {
			return nil, err
		}
	}
}

func (d *decoder) push(v any) { d.stack = append(d.stack, v) }

func (d *decoder) pop() (any, error) {
	n := len(d.stack)
	if n == 0 {
		return nil, errors.New("a pickle takes from an empty stack")
	}
	v := d.stack[n-1]
	d.stack = d.stack[:n-1]
	if _, ok := v.(mark); ok {
		return nil, errors.New("a pickle takes a mark for a value")
	}
	return v, nil
}

// top returns the value below which the next ones go.
func (d *decoder) top() (any, error) {
	if len(d.stack) == 0 {
		return nil, errors.New("a pickle looks into an empty stack")
	}
	return d.stack[len(d.stack)-1], nil
}

// popMark returns the values above the last mark.
func (d *decoder) popMark() ([]any, error) {
	for i := len(d.stack) - 1; i >= 0; i-- {
		if _, ok := d.stack[i].(mark); ok {
			items := append([]any(nil), d.stack[i+1:]...)
			d.stack = d.stack[:i]
			return items, nil
		}
	}
	return nil, errors.New("a pickle lacks a mark")
}

func (d *decoder) bytes(n uint64) ([]byte, error) {
	if n > 1<<40 {
		return nil, fmt.Errorf("a pickle with a string of %d bytes", n)
	}
	var b bytes.Buffer // grows with what is there, not with what is said
	if got, err := io.Copy(&b, io.LimitReader(d.r, int64(n))); err != nil || uint64(got) < n {
		return nil, errShort
	}
	return b.Bytes(), nil
}

func (d *decoder) uint(n int) (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(d.r, b[:n]); err != nil {
		return 0, errShort
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

func (d *decoder) line() (string, error) {
	s, err := d.r.ReadString('\n')
	if err != nil {
		return "", errShort
	}
	return strings.TrimSuffix(s, "\n"), nil
}

// counted reads a length of n bytes and as many bytes.
func (d *decoder) counted(n int) ([]byte, error) {
	size, err := d.uint(n)
	if err != nil {
		return nil, err
	}
	return d.bytes(size)
}

func (d *decoder) do(op byte) error {
	switch op {
	case 0x80: // PROTO
		v, err := d.uint(1)
		if err == nil && v > 5 {
			err = fmt.Errorf("a pickle of protocol %d, expected up to 5", v)
		}
		return err
	case 0x95: // FRAME
		_, err := d.uint(8)
		return err
	case '(':
		d.push(mark{})
	case '0':
		_, err := d.pop()
		return err
	case '1':
		_, err := d.popMark()
		return err
	case '2':
		v, err := d.top()
		d.push(v)
		return err
	case 'N':
		d.push(nil)
	case 0x88:
		d.push(true)
	case 0x89:
		d.push(false)
	case 'I', 'L', 'F', 'S', 'V', 'J', 'K', 'M', 'G', 0x8a, 0x8b:
		return d.scalar(op)
	case 'T', 'B', 0x8e, 0x96:
		return d.long(op)
	case 'U', 'X', 0x8c, 0x8d: // strings
		b, err := d.counted(map[byte]int{'U': 1, 'X': 4, 0x8c: 1, 0x8d: 8}[op])
		d.push(string(b))
		return err
	case 'C':
		b, err := d.counted(1)
		d.push(b)
		return err
	case 'p', 'q', 'r', 'g', 'h', 'j', 0x94:
		return d.remember(op)
	case 'c', 0x93, 'R', 'b', 0x81, 0x92, 'P', 'Q':
		return d.object(op)
	default:
		return d.container(op)
	}
	return nil
}

// long reads bytes, or Python 2's string, whose length may be any.
func (d *decoder) long(op byte) error {
	size, err := d.uint(map[byte]int{'T': 4, 'B': 4, 0x8e: 8, 0x96: 8}[op])
	if err != nil {
		return err
	}
	if d.read != nil && size >= longBytes && size <= 1<<40 {
		at := d.read.n - int64(d.r.Buffered())
		if n, err := io.CopyN(io.Discard, d.r, int64(size)); err != nil || n < int64(size) {
			return errShort
		}
		d.push(Located{at, int64(size)})
		return nil
	}
	b, err := d.bytes(size)
	if op == 'T' {
		d.push(string(b))
	} else {
		d.push(b)
	}
	return err
}

func (d *decoder) scalar(op byte) error {
	switch op {
	case 'J':
		v, err := d.uint(4)
		d.push(int64(int32(v)))
		return err
	case 'K':
		v, err := d.uint(1)
		d.push(int64(v))
		return err
	case 'M':
		v, err := d.uint(2)
		d.push(int64(v))
		return err
	case 'G':
		v, err := d.bytes(8)
		if err == nil {
			d.push(math.Float64frombits(binary.BigEndian.Uint64(v)))
		}
		return err
	case 0x8a, 0x8b:
		b, err := d.counted(map[byte]int{0x8a: 1, 0x8b: 4}[op])
		if err != nil {
			return err
		}
		if len(b) > 8 { // PyTorch's magic number has ten bytes: only its being there matters
			d.push(b)
			return nil
		}
		var v uint64
		for i, c := range b {
			v |= uint64(c) << (8 * i)
		}
		if n := len(b); n > 0 && n < 8 && b[n-1]&0x80 != 0 {
			v |= ^uint64(0) << (8 * n)
		}
		d.push(int64(v))
		return nil
	}
	s, err := d.line()
	if err != nil {
		return err
	}
	switch op {
	case 'I':
		if s == "00" || s == "01" {
			d.push(s == "01")
			return nil
		}
		v, err := strconv.ParseInt(s, 10, 64)
		d.push(v)
		return err
	case 'L':
		v, err := strconv.ParseInt(strings.TrimSuffix(s, "L"), 10, 64)
		d.push(v)
		return err
	case 'F':
		v, err := strconv.ParseFloat(s, 64)
		d.push(v)
		return err
	case 'S':
		if len(s) < 2 {
			return errors.New("a pickle with a string without quotes")
		}
		d.push(s[1 : len(s)-1])
	case 'V':
		d.push(s)
	}
	return nil
}

func (d *decoder) remember(op byte) error {
	key, put := 0, false
	switch op {
	case 'p', 'g':
		s, err := d.line()
		if err != nil {
			return err
		}
		if key, err = strconv.Atoi(s); err != nil {
			return err
		}
		put = op == 'p'
	case 0x94:
		key, put = len(d.memo), true
	default:
		v, err := d.uint(map[byte]int{'q': 1, 'h': 1, 'r': 4, 'j': 4}[op])
		if err != nil {
			return err
		}
		key, put = int(v), op == 'q' || op == 'r'
	}
	if put {
		v, err := d.top()
		d.memo[key] = v
		return err
	}
	v, ok := d.memo[key]
	if !ok {
		return fmt.Errorf("a pickle refers to value %d, which is not there", key)
	}
	d.push(v)
	return nil
}

func (d *decoder) object(op byte) error {
	switch op {
	case 'c':
		module, err := d.line()
		if err != nil {
			return err
		}
		name, err := d.line()
		d.push(Global{module, name})
		return err
	case 'P':
		s, err := d.line()
		d.push(Persistent{s})
		return err
	case 'Q':
		v, err := d.pop()
		d.push(Persistent{v})
		return err
	}
	if op == 0x92 { // NEWOBJ_EX: the keyword arguments are dropped
		if _, err := d.pop(); err != nil {
			return err
		}
	}
	second, err := d.pop()
	if err != nil {
		return err
	}
	if op == 'b' {
		v, err := d.top()
		if o, ok := v.(*Object); ok {
			o.State = second
		}
		return err
	}
	first, err := d.pop()
	if err != nil {
		return err
	}
	if op == 0x93 {
		module, ok1 := first.(string)
		name, ok2 := second.(string)
		if !ok1 || !ok2 {
			return errors.New("a pickle names a class by something else than strings")
		}
		d.push(Global{module, name})
		return nil
	}
	class, ok1 := first.(Global)
	args, ok2 := second.(Tuple)
	if !ok1 || !ok2 {
		return fmt.Errorf("a pickle calls %T with %T", first, second)
	}
	if class == (Global{"collections", "OrderedDict"}) {
		d.push(&Dict{})
		return nil
	}
	d.push(&Object{Class: class, Args: args})
	return nil
}

func (d *decoder) container(op byte) error {
	switch op {
	case ']', 0x8f:
		d.push(&List{})
	case '}':
		d.push(&Dict{})
	case ')':
		d.push(Tuple{})
	case 0x85, 0x86, 0x87:
		n := int(op - 0x84)
		t := make(Tuple, n)
		for i := n - 1; i >= 0; i-- {
			v, err := d.pop()
			if err != nil {
				return err
			}
			t[i] = v
		}
		d.push(t)
	case 't', 'l', 0x91, 'd':
		items, err := d.popMark()
		if err != nil {
			return err
		}
		switch op {
		case 't':
			d.push(Tuple(items))
		case 'd':
			dict := &Dict{}
			d.push(dict)
			return dict.add(items)
		default:
			d.push(&List{items})
		}
	case 'a', 'e', 0x90, 's', 'u':
		return d.fill(op)
	default:
		return fmt.Errorf("a pickle with the instruction %#02x, which is not for data", op)
	}
	return nil
}

// fill puts values into the list or dictionary below them.
func (d *decoder) fill(op byte) error {
	var items []any
	var err error
	if op == 'e' || op == 'u' || op == 0x90 {
		items, err = d.popMark()
	} else {
		n := map[byte]int{'a': 1, 's': 2}[op]
		items = make([]any, n)
		for i := n - 1; i >= 0 && err == nil; i-- {
			items[i], err = d.pop()
		}
	}
	if err != nil {
		return err
	}
	to, err := d.top()
	if err != nil {
		return err
	}
	pairs := op == 's' || op == 'u'
	switch c := to.(type) {
	case *List:
		if !pairs {
			c.Items = append(c.Items, items...)
			return nil
		}
	case *Dict:
		if pairs {
			return c.add(items)
		}
	case *Object:
		if pairs {
			return c.Dict.add(items)
		}
		return nil
	}
	return fmt.Errorf("a pickle puts items into %T", to)
}

func (d *Dict) add(items []any) error {
	if len(items)%2 != 0 {
		return errors.New("a pickle with a key without a value")
	}
	for i := 0; i < len(items); i += 2 {
		d.Keys, d.Values = append(d.Keys, items[i]), append(d.Values, items[i+1])
	}
	return nil
}
