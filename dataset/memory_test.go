package dataset

import (
	"bytes"
	"context"
	"encoding/binary"
	"path/filepath"
	"runtime"
	"testing"
)

// Reading the pickles of CIFAR takes little more memory than the images have bytes.
func TestReadingPicklesTakesTheImagesBytes(t *testing.T) {
	const n = 4000
	s := &tiny{side: 32, classes: []string{"bird", "cat"}}
	pix := make([]byte, 3*cifarPixels)
	for i := range pix {
		pix[i] = byte(i * 7)
	}
	for i := range n {
		s.train = append(s.train, tinyImage{pix: pix, side: 32, label: i % 2})
	}
	dir := t.TempDir()
	writeTinyPickle(t, dir, s)
	live := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := live(), uint64(0)
	d, err := Load(context.Background(), dir, Options{Watch: func(_ string, read, of int) {
		if read%(n/4) == 0 || read == 1 || read == of {
			most = max(most, live())
		}
	}})
	if err != nil || d.Train.Len() != n || !bytes.Equal(d.Train.Image(n-1), pix) {
		t.Fatal(d, err)
	}
	if took, limit := most-before, n*uint64(len(pix))*13/10; took > limit || most == 0 {
		t.Errorf("%d bytes were in use, %d are the limit", took, limit)
	}
}

// Reading arrays takes little more memory than the images have bytes, of grey ones a byte a pixel.
func TestReadingTakesTheImagesBytes(t *testing.T) {
	const n, side = 4000, 64
	pixels, labels := make([]byte, n*side*side), make([]byte, n)
	for i := range pixels {
		pixels[i] = byte(i * 7)
	}
	for i := range labels {
		labels[i] = byte(i % 10)
	}
	idx, arrays := t.TempDir(), t.TempDir()
	head := binary.BigEndian.AppendUint32([]byte{0, 0, 8, 3}, n)
	head = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(head, side), side)
	put(t, filepath.Join(idx, "train-images-idx3-ubyte"), append(head, pixels...))
	put(t, filepath.Join(idx, "train-labels-idx1-ubyte"), append(binary.BigEndian.AppendUint32([]byte{0, 0, 8, 1}, n), labels...))
	put(t, filepath.Join(arrays, "x_train.npy"), npy("|u1", []int{n, side, side}, pixels))
	put(t, filepath.Join(arrays, "y_train.npy"), npy("|u1", []int{n}, labels))
	for name, dir := range map[string]string{"IDX": idx, "NumPy": arrays} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d, err := Load(context.Background(), dir, Options{})
		runtime.ReadMemStats(&after)
		if err != nil || !d.Train.Grey || !bytes.Equal(d.Train.Pixels, pixels) {
			t.Fatalf("%s: %v, %v", name, d, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(len(pixels))*13/10 {
			t.Errorf("%s: %d bytes were taken for %d", name, took, len(pixels))
		}
	}
}
