// Package printable makes names of files and classes harmless where people read them: escapes, bells, line breaks and
// other characters that have no shape are written as \x1b or \u202e are in Go.
package printable

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Text returns s with everything escaped that does not print on one line.
func Text(s string) string { return escape(s, "") }

func escape(s, but string) string {
	clean := func(r rune, size int) bool {
		return strconv.IsPrint(r) && (r != utf8.RuneError || size > 1) || r == '\u00a0' || strings.ContainsRune(but, r)
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if clean(r, size) {
			out.WriteString(s[i : i+size])
		} else {
			quoted := strconv.Quote(s[i : i+size])
			out.WriteString(quoted[1 : len(quoted)-1])
		}
		i += size
	}
	return out.String()
}

// JSON returns JSON text with what can't be printed in it written as JSON escapes it.
func JSON(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range string(text) {
		switch {
		case strconv.IsPrint(r) || r == '\n' || r == '\t' || r == '\r':
			out = utf8.AppendRune(out, r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, "\\u%04x\\u%04x", high, low)
		default:
			out = fmt.Appendf(out, "\\u%04x", r)
		}
	}
	return out
}

// Writer escapes what goes through it but for line breaks, tabs and returns to the start of the line. A character has to
// come in one piece.
func Writer(w io.Writer) io.Writer { return writer{w} }

type writer struct{ to io.Writer }

func (w writer) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.to, escape(string(p), "\n\t\r")); err != nil {
		return 0, err
	}
	return len(p), nil
}

// File returns the file that a Writer writes to, if it is one.
func File(w io.Writer) (*os.File, bool) {
	if p, ok := w.(writer); ok {
		w = p.to
	}
	f, ok := w.(*os.File)
	return f, ok
}
