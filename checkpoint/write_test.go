package checkpoint

import (
	"bytes"
	"encoding/binary"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// Arrays are written as they lie, one after the other, and not copied for that.
func TestArraysAreWrittenThroughASmallBuffer(t *testing.T) {
	arrays := map[string]Array{"b": {Dims: []int{0}}, "c": {Dims: []int{3}, Data: []float32{1, -2, float32(math.Inf(1))}}}
	long := make([]float32, 4<<20)
	for i := range long {
		long[i] = float32(i) * 0.37
	}
	arrays["a"] = Array{Dims: []int{len(long)}, Data: long}
	arrays["d"] = Array{Dims: []int{writeBytes / 4}, Data: long[:writeBytes/4]}
	path := filepath.Join(t.TempDir(), "x.safetensors")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := WriteArrays(path, arrays, nil); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
		t.Errorf("%d bytes were taken to write %d", took, 4*len(long))
	}
	raw := testfile.Read(t, path)
	var want []byte
	for _, name := range []string{"a", "b", "c", "d"} {
		var err error
		want, err = binary.Append(want, binary.LittleEndian, arrays[name].Data)
		if err != nil {
			t.Fatal(err)
		}
	}
	if head := 8 + binary.LittleEndian.Uint64(raw); !bytes.Equal(raw[head:], want) {
		t.Error("the arrays are others than were written")
	}
	got, _, err := ReadArrays(path)
	if err != nil || !slices.Equal(got["a"].Data, long) || len(got) != len(arrays) {
		t.Errorf("%d arrays, %v", len(got), err)
	}
}
