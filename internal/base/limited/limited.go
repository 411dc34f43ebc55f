// Package limited reads files that users name up to a bound, so that what never ends, such as a device, ends in an error
// and not in all of the memory.
package limited

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// ReadFile reads a file of up to most bytes.
func ReadFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > most {
		return nil, fmt.Errorf("%s: expected a file of up to %d MB, found more", path, most>>20)
	}
	return raw, nil
}

// MaxLine bounds a line, which is read whole.
const MaxLine = 16 << 20

// Text reads lines of UTF-8 and UTF-16, with a byte-order mark or without. It refuses lines longer than MaxLine.
func Text(from io.Reader) io.Reader {
	in := bufio.NewReader(from)
	head, _ := in.Peek(2)
	var otherwise transform.Transformer = transform.Nop
	if len(head) == 2 && head[0] != 0 && head[1] == 0 {
		otherwise = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder()
	} else if len(head) == 2 && head[0] == 0 && head[1] != 0 {
		otherwise = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder()
	}
	return Lines(transform.NewReader(in, unicode.BOMOverride(otherwise)))
}

// Ended refuses the beginning of a table whose lines end in a carriage return alone, as old Macintosh programs write them.
func Ended(head []byte) error {
	if bytes.Contains(head, []byte("\r")) && !bytes.Contains(head, []byte("\n")) {
		return errors.New(`its lines end in a carriage return (\r) alone; save it with line feeds`)
	}
	return nil
}

// Lines refuses lines longer than MaxLine.
func Lines(in io.Reader) io.Reader { return &lines{in: in} }

type lines struct {
	in  io.Reader
	run int
}

func (l *lines) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	if at := bytes.LastIndexByte(p[:n], '\n'); at >= 0 {
		l.run = n - at
	} else if l.run += n; l.run > MaxLine {
		return 0, fmt.Errorf("a line of more than %d MB", MaxLine>>20)
	}
	return n, err
}
