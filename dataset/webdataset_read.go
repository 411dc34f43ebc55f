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

func (s *store) readShard(file string, read func(t *tar.Reader) error) error {
	f, size, err := s.open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var in io.Reader = bufio.NewReaderSize(f, 1<<20)
	switch name := strings.ToLower(file); {
	case strings.HasSuffix(name, "gz"):
		z, err := gzip.NewReader(in)
		if err != nil {
			return s.ofFile(file, err)
		}
		defer z.Close()
		in = &bounded{z, 1<<20 + maxRatio*size}
	case strings.HasSuffix(name, ".zst"):
		z, err := zstd.NewReader(in, zstd.WithDecoderMaxMemory(128<<20), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return s.ofFile(file, err)
		}
		defer z.Close()
		in = &bounded{z, 1<<20 + maxRatio*size}
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
