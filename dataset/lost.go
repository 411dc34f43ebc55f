package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
)

// LostError says that a file which is mapped into memory was cut off, or can't be read any more.
type LostError struct{ File string }

func (e *LostError) Error() string {
	return fmt.Sprintf("%s was cut off, or can't be read any more, while it was in use", e.File)
}

// Lost is to be deferred. It turns a panic with a LostError into the error, and lets others pass.
func Lost(err *error) {
	switch p := recover().(type) {
	case nil:
	case *LostError:
		*err = errors.Join(*err, p)
	default:
		panic(p)
	}
}

// look reads a byte of each page, so that a file that is not there any more is noticed here.
func (m *mapping) look(b []byte) { m.guard(func() { touch(b) }) }

// touch is a function of its own, or nothing would be read.
//
//go:noinline
func touch(b []byte) (all byte) {
	for k, page := 0, os.Getpagesize(); k < len(b); k += page {
		all |= b[k]
	}
	if len(b) > 0 {
		all |= b[len(b)-1]
	}
	return all
}

// guard runs what reads from the mapping. A fault that the system reports becomes a panic with a LostError.
func (m *mapping) guard(do func()) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		var fault interface{ Addr() uintptr }
		if err, ok := p.(error); ok && errors.As(err, &fault) {
			panic(&LostError{m.file.Name()})
		}
		panic(p)
	}()
	do()
}

// Mapped tells whether the pixels are those of a file, and take no memory of the program's own.
func (s *Set) Mapped() bool { return s.mapped != nil }

// AtRandom says that images will be read in any order until back is called, so that of a mapped file only their own pages are read,
// and no more memory than theirs is needed.
func (s *Set) AtRandom() (back func()) {
	if s.mapped == nil {
		return func() {}
	}
	pixels := s.Pixels
	if s.place != nil {
		pixels = s.whole
	}
	s.mapped.random.Add(1)
	advise(pixels, true)
	return func() {
		if s.mapped.random.Add(-1) == 0 {
			advise(pixels, false)
		}
	}
}

// Discard gives the memory of what was written to a copy of a mapped set back: it is lost. Who is done with such a copy calls it, since
// nothing else does. A set in memory stays as it is.
func (s *Set) Discard() {
	switch {
	case s.mapped == nil:
	case s.place != nil || s.Pixels == nil:
		discard(s.whole)
	default:
		discard(s.Pixels)
	}
}

// share makes a set one of images of another one that is mapped: of these, or of all. It maps the file once more, so that
// changes are this set's own; that costs addresses, and memory for what is changed. Changes of the other set are made again. It reports
// whether it could.
func (s *Set) share(from *Set, indices []int) bool {
	if from.mapped == nil || from.copies != nil {
		return false
	}
	pixels, err := from.mapped.again()
	if err != nil {
		return false
	}
	s.mapped, s.edits = from.mapped, true
	at := func(i int) int32 {
		if from.place != nil {
			return from.place[i]
		}
		return int32(i)
	}
	switch {
	case indices == nil && from.place == nil:
		s.Pixels = pixels[:len(from.Pixels):len(from.Pixels)]
	case indices == nil:
		s.whole = pixels
	default:
		s.whole, s.place = pixels, make([]int32, len(indices))
		for k, i := range indices {
			s.place[k] = at(i)
		}
	}
	for k := 0; from.edits && k < s.Len(); k++ {
		i := k
		if indices != nil {
			i = indices[k]
		}
		if now := from.own(i); !bytes.Equal(s.own(k), now) {
			copy(s.own(k), now)
		}
	}
	return true
}
