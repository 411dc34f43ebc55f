//go:build linux || darwin || freebsd

package dataset

import (
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// canMap tells whether files of decoded images are mapped here.
const canMap = true

// mapping is a file in memory. What is written there stays there: the file is not changed. It is never taken out of memory,
// since nobody knows who still has a part of it; that costs addresses, and memory only for what is written: see Set.Discard.
type mapping struct {
	file   *os.File
	size   int
	random atomic.Int32 // how often Set.AtRandom was called and is not over
}

// mapFile maps the first size bytes of a file, which it keeps open.
func mapFile(f *os.File, size int) (*mapping, []byte, error) {
	m := &mapping{file: f, size: size}
	data, err := m.again()
	return m, data, err
}

// again maps the file once more, as it is on the disk.
func (m *mapping) again() ([]byte, error) {
	if m.size == 0 {
		return nil, nil
	}
	return unix.Mmap(int(m.file.Fd()), 0, m.size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|mapNoReserve)
}

// release takes a file that has no name any more off the disk. Where it was mapped there are zeros: what still reads them does not fail.
func (m *mapping) release(pixels []byte) {
	if len(pixels) > 0 {
		_, err := unix.MmapPtr(-1, 0, unsafe.Pointer(&pixels[0]), uintptr(len(pixels)), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED)
		if err != nil {
			return // it stays until the process ends
		}
	}
	m.file.Close()
}

// advise tells the system whether images are read in any order, or one after the other and so ahead of their use.
func advise(pixels []byte, random bool) {
	how := unix.MADV_NORMAL
	if random {
		how = unix.MADV_RANDOM
	}
	if len(pixels) > 0 {
		_ = unix.Madvise(pixels, how) // advice; without it all is as it was
	}
}

// fetchPages is from how many pages on an image is worth a call that reads them all at once.
const fetchPages = 4

// fetch has the system read an image in one go: else each page is waited for, or much around it is read too.
func fetch(image []byte) {
	page := os.Getpagesize()
	if len(image) < fetchPages*page {
		return
	}
	before := int(uintptr(unsafe.Pointer(&image[0])) % uintptr(page)) // the mapping starts with a page
	from := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(&image[0]), -before)), before+len(image))
	_ = unix.Madvise(from, unix.MADV_WILLNEED) // advice; without it all is as it was
}

// discard gives the memory of what was written to a mapping back.
func discard(pixels []byte) {
	if len(pixels) > 0 {
		_ = unix.Madvise(pixels, unix.MADV_DONTNEED) // advice; without it the memory stays taken
	}
}

// diskFree returns how many bytes there is room for in a folder; −1 if nothing says so.
func diskFree(dir string) int64 {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return -1
	}
	return int64(st.Bavail) * int64(st.Bsize) //nolint:unconvert // of other widths on other systems
}
