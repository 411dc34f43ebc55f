package dataset

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/unpoison/unpoison/internal/base/printable"
)

// A Label is what a layout says of an image's class: nothing (the zero value), a number, a name, or text that may be either.
type Label struct {
	kind   labelKind
	number int64
	name   string
}

type labelKind uint8

const (
	noLabel labelKind = iota
	numberLabel
	nameLabel
	textLabel
)

// minusOne is no label, but may be meant as one, of two classes −1 and 1.
var minusOne = Label{number: -1}

// Number is an integer label: an index into the names of the classes where the layout has them. -1 is no label, as the
// Hugging Face hub marks hidden ones.
func Number(n int64) Label {
	if n == -1 {
		return minusOne
	}
	return Label{kind: numberLabel, number: n}
}

// Name is the name of a class; an empty one is no label.
func Name(name string) Label {
	if name == "" {
		return Label{}
	}
	return Label{kind: nameLabel, name: name}
}

// Text is a label of a format that does not tell numbers from names, such as CSV: a number if all training labels look
// like numbers.
func Text(text string) Label {
	text = strings.TrimSpace(text)
	if v, err := strconv.ParseFloat(text, 64); err == nil && v == -1 {
		return minusOne // also -1.0, as pandas writes it
	}
	if text == "" {
		return Label{}
	}
	return Label{kind: textLabel, name: text}
}

// integer reads a number as programs write it: 7, but neither 007 nor +7.
func integer(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == text
}

// asNumber returns the number that a label is or may be, also one with zeros behind its point, as pandas writes it.
func (l Label) asNumber() (int64, bool) {
	if l.kind == textLabel {
		whole, zeros, _ := strings.Cut(l.name, ".")
		n, ok := integer(whole)
		return n, ok && strings.Trim(zeros, "0") == ""
	}
	return l.number, l.kind == numberLabel
}

func (l Label) String() string {
	switch l.kind {
	case noLabel:
		return ""
	case numberLabel:
		return strconv.FormatInt(l.number, 10)
	}
	return l.name
}

// describe is what errors say that they found.
func (l Label) describe() string {
	switch l.kind {
	case noLabel:
		if l == minusOne {
			return "−1, which means none"
		}
		return "none"
	case numberLabel:
		return l.String()
	}
	return strconv.Quote(l.name)
}

// classes numbers labels.
type classes struct {
	names   []string
	index   map[string]int32
	indices bool            // numbers are indices into names
	looks   printable.Looks // of the names, once that was asked for
}

// namedClasses are those of a layout that has names.
func namedClasses(names []string) (*classes, error) {
	c := &classes{names: names, index: map[string]int32{}, indices: true}
	for i, n := range names {
		if k, twice := c.index[n]; twice {
			return nil, fmt.Errorf("classes %d and %d have the same name, %q", k, i, n)
		}
		c.index[n] = int32(i)
	}
	return c, nil
}

// classesOf makes classes of the labels that occur: sorted by value if all are numbers, else by name. A number that does
// not occur is no class.
func classesOf(labels map[Label]bool) *classes {
	type class struct {
		name   string
		number int64
	}
	var all []class
	numbers := true
	for l := range labels {
		_, ok := l.asNumber()
		numbers = numbers && (ok || l.kind == noLabel)
	}
	seen := map[string]bool{}
	for l := range labels {
		n, _ := l.asNumber()
		name := l.String()
		if numbers {
			name = strconv.FormatInt(n, 10)
		}
		if l.kind == noLabel || seen[name] {
			continue
		}
		seen[name] = true
		all = append(all, class{name, n})
	}
	slices.SortFunc(all, func(a, b class) int {
		if numbers && a.number != b.number {
			return cmp.Compare(a.number, b.number)
		}
		return strings.Compare(a.name, b.name)
	})
	c := &classes{index: map[string]int32{}}
	for i, x := range all {
		c.names = append(c.names, x.name)
		c.index[x.name] = int32(i)
	}
	return c
}

// of returns a label's class.
func (c *classes) of(l Label) (int32, bool) {
	switch {
	case l.kind == noLabel:
		return 0, false
	case l.kind == numberLabel && c.indices:
		return int32(l.number), l.number >= 0 && l.number < int64(len(c.names))
	}
	i, ok := c.index[l.String()]
	n, number := l.asNumber()
	switch {
	case ok || !number:
	case c.indices:
		return int32(n), n >= 0 && n < int64(len(c.names))
	default:
		i, ok = c.index[strconv.FormatInt(n, 10)]
	}
	return i, ok
}

// Several refuses images that are all of one class: what learns from them knows no other one any more. None are no fault.
func (s *Set) Several(what string, at []int) error {
	for _, i := range at {
		if s.Labels[i] != s.Labels[at[0]] {
			return nil
		}
	}
	if len(at) == 0 {
		return nil
	}
	return fmt.Errorf("expected %s of at least two classes, found those of %q alone", what, s.Classes[s.Labels[at[0]]])
}

// labelError is about a record whose label is no class, but may look like one.
type labelError struct {
	*RecordError
	alike bool
}

func (e labelError) Unwrap() error { return e.RecordError }

// lookAlike says which class a label that is none looks like; nothing where it looks like none.
func (c *classes) lookAlike(l Label) string {
	if l.kind == noLabel {
		return ""
	}
	if c.looks == nil {
		c.looks = printable.LooksOf(c.names)
	}
	return c.looks.Like(l.String())
}

// want is what an error says that it expected.
func (c *classes) want(l Label) string {
	if c.indices && l.kind == numberLabel {
		return fmt.Sprintf("a label from 0 to %d", len(c.names)-1)
	}
	if len(c.names) > 6 {
		return fmt.Sprintf("a label of %q and %d more", c.names[:6], len(c.names)-6)
	}
	return fmt.Sprintf("a label of %q", c.names)
}

// check refuses names that no model's file and no list keeps as they are.
func (c *classes) check() error {
	for _, n := range c.names {
		if !utf8.ValidString(n) {
			return fmt.Errorf("the class %+q is no UTF-8 text; convert the table with iconv, or rename the folder", n)
		}
	}
	return nil
}

// missing are what programs write where there is no value.
var missing = []string{"nan", "none", "null", "n/a", "na", "<na>", "undefined"}

// alike returns a warning for each pair of names that people take for one: they differ only in case, in the Unicode form
// of their letters, in spaces and characters that do not show, or in how a number is written;
// and for names that programs write for nothing.
func (c *classes) alike() []string {
	var notes []string
	first := map[string]string{}
	for _, n := range c.names {
		if slices.Contains(missing, strings.ToLower(n)) {
			notes = append(notes, fmt.Sprintf("the class %+q may be images without a label; leave those out if it is", n))
		}
		key := printable.Look(n)
		other, ok := first[key]
		if !ok {
			first[key] = n
			continue
		}
		notes = append(notes, fmt.Sprintf("the classes %+q and %+q differ only %s; are they one?", other, n, printable.Alike(n, other)))
	}
	return notes
}
