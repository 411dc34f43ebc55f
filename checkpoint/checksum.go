package checkpoint

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
)

// checksumKey is the metadata's entry with the checksum. Files of other programs and of version 0.1 have none.
const checksumKey = "unpoison.sha256"

// ErrDamaged is the error of a file whose content is not the one that was written.
var ErrDamaged = errors.New("the file is damaged: its content does not have the checksum that it was written with")

var sum256 = regexp.MustCompile(`[0-9a-f]{60}`)

// checksum is the SHA-256 of arrays and metadata but itself, by name, each with its length.
func checksum(arrays map[string]Array, meta map[string]string) string {
	sum := sha256.New()
	w := bufio.NewWriterSize(sum, 1<<16)
	number := func(n int) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(n))
		_, _ = w.Write(b[:]) // a hash takes everything
	}
	text := func(s string) {
		number(len(s))
		_, _ = io.WriteString(w, s)
	}
	number(len(arrays))
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		text(name)
		a := arrays[name]
		number(len(a.Dims))
		for _, d := range a.Dims {
			number(d)
		}
		number(len(a.Data))
		var b [4]byte
		for _, v := range a.Data {
			binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
			_, _ = w.Write(b[:])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		if key != checksumKey {
			text(key)
			text(meta[key])
		}
	}
	_ = w.Flush()
	return hex.EncodeToString(sum.Sum(nil))
}

// HasChecksum reports whether a file's metadata have a checksum, which reading has compared.
func HasChecksum(meta map[string]string) bool { return meta[checksumKey] != "" }

// verify compares arrays and metadata with their checksum. Metadata with a checksum under another name are damaged too.
func verify(arrays map[string]Array, meta map[string]string) error {
	want, ok := meta[checksumKey]
	if !ok {
		for key, v := range meta {
			if len(v) == 2*sha256.Size && sum256.MatchString(v) && len(key) == len(checksumKey) {
				return fmt.Errorf("%w (its name is %q)", ErrDamaged, key)
			}
		}
		return nil
	}
	if checksum(arrays, meta) != want {
		return ErrDamaged
	}
	return nil
}
