package dataset

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/format"
)

// Pages of the second version, as Arrow's writers make them: levels before the compressed bytes, and bytes that do not
// compress left plain.
func TestPagesAreChecked(t *testing.T) {
	header := func(compressed, plain bool, uncompressed int) []byte {
		flag := byte(0x12) // field 7 after 6: false
		if compressed {
			flag = 0x11
		}
		zig := func(n int) []byte { return binary.AppendUvarint(nil, uint64(2*n)) }
		b := append([]byte{0x15}, zig(3)...)              // 1: the second version
		b = append(append(b, 0x15), zig(uncompressed)...) // 2
		b = append(append(b, 0x15), zig(8)...)            // 3: eight bytes
		b = append(b, 0x5c)                               // 8: a struct
		b = append(append(b, 0x15), zig(1)...)            // 1: one value
		b = append(b, 0x15, 0, 0x15, 2, 0x15, 0, 0x15, 0, 0x15, 0, flag, 0, 0)
		if plain {
			return append(b, 1, 2, 3, 4, 5, 6, 7, 8)
		}
		return append(b, 8, 7<<2, 1, 2, 3, 4, 5, 6) // snappy's length, then what it is
	}
	for _, c := range []struct {
		compressed, plain bool
		uncompressed      int
		ok                bool
	}{{true, false, 8, true}, {true, false, 7, false}, {false, true, 8, true}, {true, true, 0, false}} {
		raw := header(c.compressed, c.plain, c.uncompressed)
		p, err := pageHeader(bytes.NewReader(raw), 0, int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.check(bytes.NewReader(raw), format.Snappy, int64(len(raw)), 1); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// Files of other codecs are refused with those that are read, and how to write them again.
func TestOtherCodecsAreRefusedWithAdvice(t *testing.T) {
	type row struct {
		Image []byte `parquet:"image"`
		Label int32  `parquet:"label"`
	}
	for codec, by := range map[string]compress.Codec{"BROTLI": &parquet.Brotli, "LZ4_RAW": &parquet.Lz4Raw} {
		path := filepath.Join(t.TempDir(), "train.parquet")
		if err := parquet.WriteFile(path, []row{{dot(1), 0}, {dot(2), 1}}, parquet.Compression(by)); err != nil {
			t.Fatal(err)
		}
		_, err := Load(t.Context(), filepath.Dir(path), Options{})
		if err == nil || !strings.Contains(err.Error(), codec+" compression, expected none, snappy, gzip or zstd; write it again") || !strings.Contains(err.Error(), `compression="zstd")`) {
			t.Errorf("%s: %v", codec, err)
		}
	}
}
