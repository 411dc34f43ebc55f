// Package names writes names that come from data, such as labels and paths, so that they do no harm where they are
// written, and reads them back: as names of files, and as cells of a CSV file that a spreadsheet opens.
package names

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Cell returns a text for a CSV cell. Spreadsheets take a cell that begins with = + - @, a tab or a carriage return for a
// formula, and in some countries begin one at a semicolon; CSV readers take a line break of two characters for one of one. A ' before
// each such character, and before a ' or " or line feed in its place, prevents both.
func Cell(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if dangerous(text, i, i) {
			b.WriteByte('\'')
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// FromCell returns the text that Cell made a cell of. Other cells stay as they are.
func FromCell(cell string) string {
	var b strings.Builder
	for i := 0; i < len(cell); i++ {
		if cell[i] == '\'' && dangerous(cell, i, i+1) {
			i++
		}
		b.WriteByte(cell[i])
	}
	return b.String()
}

// dangerous tells whether a cell may begin at a place in a text, and the character at the other does harm as its first.
func dangerous(text string, begin, at int) bool {
	return at < len(text) && strings.IndexByte("=+-@\t\r\n'\"", text[at]) >= 0 && (begin == 0 || strings.IndexByte(";\t\r\n", text[begin-1]) >= 0)
}

// File returns a name for a file or folder in which no part of the text is an element of its own, hidden, or reserved by
// an operating system: letters, digits and most signs stay, others become %XX, as in addresses. Texts that differ give
// names that differ. An empty text becomes "%".
func File(text string) string {
	if text == "" {
		return "%"
	}
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		edge := (i == 0 || i == len(text)-1) && (c == '.' || c == ' ') || i == 0 && c == '~'
		if c < ' ' || c == 0x7f || edge || strings.IndexByte(`/\:*?"<>|%`, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	name := b.String()
	base, _, _ := strings.Cut(strings.ToUpper(name), ".")
	switch base {
	case "CON", "PRN", "AUX", "NUL", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8", "COM9",
		"LPT1", "LPT2", "LPT3", "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9", "__MACOSX", "@EADIR":
		name = fmt.Sprintf("%%%02X%s", name[0], name[1:])
	}
	return name
}

// Numbers tells whether classes have numbers for names, as programs write them: 7, but not 007.
func Numbers(classes []string) bool {
	return !slices.ContainsFunc(classes, func(c string) bool {
		n, err := strconv.Atoi(c)
		return err != nil || strconv.Itoa(n) != c
	})
}

// ByIndex matches classes of which only one list has numbers for names: these are indices into the other list, in whatever order they
// stand. It returns own in the order of known; nil if the two don't match so.
func ByIndex(own, known []string) []string {
	numbers, indices := own, Numbers(known)
	if len(own) != len(known) || indices == Numbers(own) {
		return nil
	}
	if indices {
		numbers = known
	}
	ordered, seen := make([]string, len(own)), make([]bool, len(own))
	for k, name := range numbers {
		n, err := strconv.Atoi(name)
		if err != nil || n < 0 || n >= len(own) || seen[n] {
			return nil
		}
		if seen[n] = true; indices {
			ordered[k] = own[n]
		} else {
			ordered[n] = name
		}
	}
	return ordered
}

// FromFile returns the text that File made a name of. A name that has no such text stays as it is.
func FromFile(name string) string {
	if name == "%" {
		return ""
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '%' {
			if i+2 >= len(name) {
				return name
			}
			v, err := strconv.ParseUint(name[i+1:i+3], 16, 8)
			if err != nil {
				return name
			}
			b.WriteByte(byte(v))
			i += 2
			continue
		}
		b.WriteByte(name[i])
	}
	if File(b.String()) != name {
		return name
	}
	return b.String()
}
