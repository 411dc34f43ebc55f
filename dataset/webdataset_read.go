package dataset

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Limits of an archive: nothing is unpacked to the disk, so these bound memory and time.
const (
	maxEntry   = 64 << 20
	maxEntries = 20_000_000
	maxRatio   = 200 // of what comes out of a compressed file to the file itself, beyond a megabyte
	maxHeld    = 256 << 20
)

func isWebDataset(dir string, o Options) bool {
	s := newStore(dir, o)
	train := s.partFiles(dir, shardSuffixes).train
	looked := 0
	for _, file := range train {
		found := false
		err := s.readShard(file, func(t *tar.Reader) (err error) {
			looked, found, err = lookIn(t, looked)
			return err
		})
		if err != nil {
			return found || !errors.Is(err, errEnough) // what is wrong, open says
		}
	}
	return len(train) > 0 && looked == 0
}

// lookedMembers of shards are looked at for an image, and maxEntry bytes: other archives lie beside data too, such as the one that
// CIFAR is downloaded as.
const lookedMembers = 1000

// lookIn looks for an image that can be a sample's, and counts members on. The error is errEnough where it need look no further.
func lookIn(t *tar.Reader, looked int) (_ int, found bool, _ error) {
	size := int64(0)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return looked, false, nil
		}
		if err != nil {
			return looked, false, err
		}
		_, ext, ok := splitMember(h.Name)
		found = ok && slices.Contains(imageSuffixes, "."+lastEnding(ext)) && !passedOverPath(h.Name)
		looked += bit(h.Typeflag != tar.TypeDir)
		if size += h.Size; found || looked >= lookedMembers || size > maxEntry {
			return looked, found, errEnough
		}
	}
}

// bounded counts what comes out of a decompressor and stops a bomb.
type bounded struct {
	in   io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("it grows to more than %d times its size", maxRatio)
	}
	return n, err
}

// unpacked undoes what the end of a file's name says, gz or .zst. end is to be called after the last use.
func unpacked(name string, in io.Reader) (_ io.Reader, end func(), err error) {
	switch name = strings.ToLower(name); {
	case strings.HasSuffix(name, "gz"):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, nil, err
		}
		return z, func() { z.Close() }, nil
	case strings.HasSuffix(name, ".zst"):
		z, err := zstd.NewReader(in, zstd.WithDecoderMaxMemory(128<<20), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return in, func() {}, nil
}

// notPacked refuses an archive that is packed, which its name does not say.
func notPacked(in *bufio.Reader) error {
	head, _ := in.Peek(4) // what can't be read is said later
	for _, by := range [][3]string{{"\x1f\x8b", "gzip", ".tar.gz"}, {"\x28\xb5\x2f\xfd", "zstd", ".tar.zst"}} {
		if bytes.HasPrefix(head, []byte(by[0])) {
			return fmt.Errorf("expected tar, found what %s packed; let its name end in %s", by[1], by[2])
		}
	}
	return nil
}

func (s *store) readShard(file string, read func(t *tar.Reader) error) error {
	f, size, err := s.open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	stored := bufio.NewReaderSize(f, 1<<20)
	in, end, err := unpacked(file, stored)
	if err != nil {
		return s.ofFile(file, err)
	}
	defer end()
	if in == io.Reader(stored) {
		if err := notPacked(stored); err != nil {
			return s.ofFile(file, err)
		}
	} else {
		in = &bounded{in, 1<<20 + maxRatio*size}
	}
	t := tar.NewReader(in)
	if err := read(t); err != nil {
		return s.ofFile(file, err)
	}
	if _, err := t.Next(); !errors.Is(err, io.EOF) {
		return nil // damaged, which the records say
	}
	return s.ofFile(file, onlyZeros(in))
}

// onlyZeros reads what follows an archive's end, which is zeros; of compressed archives only this tells their checksum.
func onlyZeros(in io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := in.Read(buf)
		if len(bytes.Trim(buf[:n], "\x00")) > 0 {
			return errors.New("more follows the end of the archive, as where archives are joined; make them shards of their own")
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
