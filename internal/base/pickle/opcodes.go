package pickle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

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
		at := d.read.N - int64(d.r.Buffered())
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
	class, ok1 := classOf(first)
	args, ok2 := second.(Tuple)
	if !ok1 || !ok2 {
		return fmt.Errorf("a pickle calls %s with %s", Kind(first), Kind(second))
	}
	if class == (Global{"collections", "OrderedDict"}) {
		d.push(&Dict{})
		return nil
	}
	d.push(&Object{Class: class, Args: args})
	return nil
}

// classOf returns the class that a call names: itself or, as PyTorch did before 1.6 with modules, by a reference with the
// class's source.
func classOf(v any) (Global, bool) {
	if p, ok := v.(Persistent); ok {
		if id, ok := p.ID.(Tuple); ok && len(id) == 4 && id[0] == "module" {
			v = id[1]
		}
	}
	class, ok := v.(Global)
	return class, ok
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
	return fmt.Errorf("a pickle puts items into %s", Kind(to))
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
