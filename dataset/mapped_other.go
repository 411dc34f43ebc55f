//go:build !(linux || darwin || freebsd)

package dataset

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
)

// canMap tells whether files of decoded images are mapped here.
const canMap = false

type mapping struct {
	file   *os.File
	random atomic.Int32
}

// mapFile reads the first size bytes of a file into memory.
func mapFile(f *os.File, size int) (*mapping, []byte, error) {
	data := make([]byte, size)
	_, err := io.ReadFull(io.NewSectionReader(f, 0, int64(size)), data)
	return nil, data, errors.Join(err, f.Close())
}

func (*mapping) again() ([]byte, error) { return nil, errors.ErrUnsupported }

func (*mapping) release([]byte) {}

// diskFree returns how many bytes there is room for in a folder; −1 if nothing says so.
func diskFree(string) int64 { return -1 }

func advise([]byte, bool) {}

func fetch([]byte) {}

func discard([]byte) {}
