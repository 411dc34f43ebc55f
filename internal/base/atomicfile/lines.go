package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// lineWait is how long a line may take to be written, and lineTries how often that is looked after.
const (
	lineWait  = 500 * time.Millisecond
	lineTries = 25
)

// ReadLines reads a file of lines that other programs may be adding to: the end of the last line is waited for. It is missing in what is
// returned where a program was stopped while it wrote.
func ReadLines(path string) ([]byte, error) {
	for try := 1; ; try++ {
		raw, err := os.ReadFile(path)
		if err != nil || len(raw) == 0 || raw[len(raw)-1] == '\n' || try == lineTries {
			return raw, err
		}
		time.Sleep(lineWait / lineTries)
	}
}

// AppendLine adds a line to a file, which it makes if there is none; at once, so that lines of several programs don't mix. A last line
// that a stopped program left without an end stays one of its own. What is written of a line that fails, as on a full disk, is
// taken back, unless another program has added to it.
func AppendLine(path string, line []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o644)
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
	text := append(slices.Clone(line), '\n')
	if !ends {
		text = append([]byte{'\n'}, text...)
	}
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
	for try := 1; ; try++ {
		st, err := f.Stat()
		if err != nil || st.Size() == 0 {
			return true, err
		}
		var last [1]byte
		if _, err := f.ReadAt(last[:], st.Size()-1); err != nil && !errors.Is(err, io.EOF) { // cut meanwhile
			return false, err
		}
		if last[0] == '\n' || try == lineTries {
			return last[0] == '\n', nil
		}
		time.Sleep(lineWait / lineTries)
	}
}
