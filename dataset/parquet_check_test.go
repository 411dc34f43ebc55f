package dataset

import (
	"bytes"
	"encoding/binary"
	"testing"

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
