package pickle

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Encode writes a value of the kinds that Decode returns as a pickle of protocol 2 or, where it holds bytes, 3. With
// python2, strings become Python 2's, whose bytes are kept; else they are text.
func Encode(w io.Writer, v any, python2 bool) error {
	e := &encoder{w: w, python2: python2}
	if python2 {
		e.write(0x80, 2)
	} else {
		e.write(0x80, 3)
	}
	if err := e.value(v, 0); err != nil {
		return err
	}
	e.write('.')
	return e.flush()
}

type encoder struct {
	w       io.Writer
	raw     []byte
	err     error
	python2 bool
	values  int
}

func (e *encoder) write(b ...byte) { e.raw = append(e.raw, b...) }

func (e *encoder) flush() error {
	if e.err == nil {
		_, e.err = e.w.Write(e.raw)
	}
	e.raw = e.raw[:0]
	return e.err
}

// text writes an instruction, a length of four bytes and as many bytes.
func (e *encoder) text(op byte, s []byte) error {
	if len(s) > math.MaxInt32 {
		return fmt.Errorf("%d bytes in one value of a pickle", len(s))
	}
	e.write(op)
	e.raw = binary.LittleEndian.AppendUint32(e.raw, uint32(len(s)))
	e.raw = append(e.raw, s...)
	return e.flush()
}

func (e *encoder) value(v any, depth int) error {
	if e.values++; depth > maxDepth || e.values > maxValues {
		return fmt.Errorf("more than %d values, or than %d in each other", maxValues, maxDepth)
	}
	switch x := v.(type) {
	case nil:
		e.write('N')
	case bool:
		op := byte(0x89)
		if x {
			op = 0x88
		}
		e.write(op)
	case int64:
		if x == int64(int32(x)) {
			e.write('J')
			e.raw = binary.LittleEndian.AppendUint32(e.raw, uint32(x))
		} else {
			e.write(0x8a, 8)
			e.raw = binary.LittleEndian.AppendUint64(e.raw, uint64(x))
		}
	case float64:
		e.write('G')
		e.raw = binary.BigEndian.AppendUint64(e.raw, math.Float64bits(x))
	case string:
		if e.python2 {
			return e.text('T', []byte(x))
		}
		return e.text('X', []byte(x))
	case []byte:
		return e.text('B', x)
	case Tuple:
		return e.items('(', x, 't', depth)
	case *List:
		e.write(']')
		return e.items('(', x.Items, 'e', depth)
	case *Dict:
		e.write('}')
		return e.pairs(x, depth)
	case Global:
		e.write('c')
		e.raw = append(e.raw, x.Module+"\n"+x.Name+"\n"...)
	case *Object:
		return e.object(x, depth)
	case Persistent:
		if err := e.value(x.ID, depth+1); err != nil {
			return err
		}
		e.write('Q')
	default:
		return fmt.Errorf("a %T can't be pickled", v)
	}
	return nil
}

// maxDepth bounds how deep values lie in others, maxValues how many there are: what is there once in a pickle may be in
// many places.
const (
	maxDepth  = 100
	maxValues = 100_000_000
)

func (e *encoder) items(open byte, items []any, end byte, depth int) error {
	e.write(open)
	for _, v := range items {
		if err := e.value(v, depth+1); err != nil {
			return err
		}
	}
	e.write(end)
	return nil
}

func (e *encoder) pairs(d *Dict, depth int) error {
	var items []any
	for i, k := range d.Keys {
		items = append(items, k, d.Values[i])
	}
	return e.items('(', items, 'u', depth)
}

func (e *encoder) object(o *Object, depth int) error {
	if err := e.value(o.Class, depth+1); err != nil {
		return err
	}
	if err := e.value(o.Args, depth+1); err != nil {
		return err
	}
	e.write('R')
	if len(o.Dict.Keys) > 0 {
		if err := e.pairs(&o.Dict, depth); err != nil {
			return err
		}
	}
	if o.State == nil {
		return nil
	}
	if err := e.value(o.State, depth+1); err != nil {
		return err
	}
	e.write('b')
	return nil
}
