package atomicfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// lineWait is how long a line may take to be written, and lineTries how often that is looked after.
const (
	lineWait  = 500 * time.Millisecond
	lineTries = 25
)

// ReadLines reads a file of lines that other programs may be adding to: the end of the last line is waited for. It is missing in what is
// returned where a program was stopped while it wrote.
func ReadLines(path string) (raw []byte, err error) {
	_, err = awaitEnd(func() (bool, error) {
		raw, err = os.ReadFile(path)
		return len(raw) == 0 || raw[len(raw)-1] == '\n', err
	})
	return raw, err
}

// awaitEnd asks whether a file's last line has an end until it has one, but no longer than a line may take to be written.
func awaitEnd(ask func() (bool, error)) (ends bool, err error) {
	for try := 1; ; try++ {
		if ends, err = ask(); ends || err != nil || try == lineTries {
			return ends, err
		}
		time.Sleep(lineWait / lineTries)
	}
}

var errNotWhole = errors.New("the line is not whole: a program was stopped while it wrote it, or the disk was full; delete the line")

// EachJSON visits the lines of a file that ReadLines returned, but for empty ones. Errors name the line.
func EachJSON(path string, raw []byte, visit func(line []byte) error) error {
	n := 0
	for line := range bytes.Lines(raw) {
		if n++; len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		err := errNotWhole
		if json.Valid(line) { // a last line that lacks its end alone is whole
			err = visit(line)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	return nil
}

// AppendLine adds a line to a file, which it makes if there is none; at once, so that lines of several programs don't mix. A last line
// that a stopped program left without an end stays one of its own. What is written of a line that fails, as on a full disk, is
// taken back, unless another program has added to it.
func AppendLine(path string, line []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return err
	}
	return errors.Join(appendTo(f, line), f.Close())
}

func appendTo(f *os.File, line []byte) error {
	ends, err := lastEnds(f)
	if err != nil {
		return err
	}
	var text []byte
	if !ends {
		text = append(text, '\n')
	}
	text = append(append(text, line...), '\n')
	n, err := f.Write(text)
	if err == nil || n == 0 {
		return err
	}
	end, sought := f.Seek(0, io.SeekCurrent)
	st, stated := f.Stat()
	if sought == nil && stated == nil && st.Size() == end {
		return errors.Join(err, os.Truncate(f.Name(), end-int64(n)))
	}
	return err
}

// lastEnds tells whether the last line of a file has an end, which is waited for.
func lastEnds(f *os.File) (bool, error) {
	return awaitEnd(func() (bool, error) {
		st, err := f.Stat()
		if err != nil || st.Size() == 0 {
			return true, err
		}
		var last [1]byte
		if _, err := f.ReadAt(last[:], st.Size()-1); err != nil && !errors.Is(err, io.EOF) { // cut meanwhile
			return false, err
		}
		return last[0] == '\n', nil
	})
}
