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

	read *Counter // what r reads from, where long bytes stay there
}

// Counter counts what is read.
type Counter struct {
	In io.Reader
	N  int64
}

func (c *Counter) Read(p []byte) (int, error) {
	n, err := c.In.Read(p)
	c.N += int64(n)
	return n, err
}

// longBytes is from what size on DecodeLocated leaves bytes where they are.
const longBytes = 1 << 10

var errShort = errors.New("the pickle is cut off")

// Decode reads one pickle and leaves r behind it.
func Decode(r *bufio.Reader) (any, error) { return (&decoder{r: r, memo: map[int]any{}}).decode() }

// DecodeLocated reads the pickle that a file begins with, and says of longer bytes where they lie instead of reading them.
func DecodeLocated(file io.Reader) (any, error) {
	c := &Counter{In: file}
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
