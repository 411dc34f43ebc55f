package atomicfile

import (
	"errors"
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
func ReadLines(path string) ([]byte, error) {
	for try := 1; ; try++ {
		raw, err := os.ReadFile(path)
		if err != nil || len(raw) == 0 || raw[len(raw)-1] == '\n' || try == lineTries {
			return raw, err
		}
		time.Sleep(lineWait / lineTries)
	}
}

// AppendLine adds a line to a file, which it makes if there is none; at once, so that lines of several programs don't mix.
func AppendLine(path string, line []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}
