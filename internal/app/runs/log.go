package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// logFile appends events to log.jsonl and can go back to where a checkpoint was taken.
type logFile struct {
	*os.File
	path   string
	err    error
	epochs []Event
}

func openLog(path string, resume bool) (*logFile, error) {
	flags := os.O_CREATE | os.O_RDWR
	if !resume {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o666)
	if err != nil {
		return nil, err
	}
	return &logFile{File: f, path: path}, nil
}

// fail keeps the first error, which names the file.
func (l *logFile) fail(err error) {
	if err != nil && l.err == nil {
		l.err = fmt.Errorf("%s: %w", l.path, err)
	}
}

// finish closes the log and returns the first error of all that was done with it.
func (l *logFile) finish() error {
	if err := l.Sync(); !errors.Is(err, syscall.EINVAL) { // which a device says
		l.fail(err)
	}
	l.fail(l.Close())
	return l.err
}

func (l *logFile) size() int64 {
	n, err := l.Seek(0, io.SeekCurrent)
	l.fail(err)
	return n
}

// rewind cuts what was logged after a checkpoint and reads what stands before.
func (l *logFile) rewind(size int64) error {
	st, err := l.Stat()
	if err != nil {
		return err
	}
	size = min(size, st.Size()) // of a log that was cut the rest goes on
	if err := l.Truncate(size); err != nil {
		return err
	}
	if _, err := l.Seek(0, io.SeekStart); err != nil {
		return err
	}
	d := json.NewDecoder(l.File)
	for {
		var e Event
		if err := d.Decode(&e); err != nil {
			break
		}
		if e.Event == "epoch" {
			l.epochs = append(l.epochs, e)
		}
	}
	_, err = l.Seek(size, io.SeekStart)
	return err
}

func (l *logFile) write(e Event) {
	if e.Event == "epoch" {
		l.epochs = append(l.epochs, e)
	}
	raw, err := json.Marshal(e)
	if err == nil {
		_, err = l.Write(append(raw, '\n'))
	}
	l.fail(err)
}
