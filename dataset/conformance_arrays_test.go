package dataset

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// npy is an array of bytes or, of labels, of 64-bit numbers.
func npy(kind string, dims []int, data []byte) []byte {
	var shape strings.Builder
	for _, d := range dims {
		fmt.Fprintf(&shape, "%d, ", d)
	}
	head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", kind, shape.String())
	head += strings.Repeat(" ", 63-(10+len(head))%64) + "\n"
	out := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(head)))
	return append(append(out, head...), data...)
}

func (s *tiny) pixels(images []tinyImage) (all []byte) {
	for _, i := range images {
		all = append(all, i.pix...)
	}
	return all
}

func writeTinyNumPy(t testing.TB, dir string, s *tiny) {
	for k, images := range [][]tinyImage{s.train, s.test} {
		if images == nil {
			continue
		}
		dims := []int{len(images), s.side, s.side}
		if !s.grey {
			dims = append(dims, 3)
		}
		var labels []byte
		width := 1
		for _, i := range images {
			v := s.value(i, false)
			list, ok := v.([]int)
			if !ok {
				list = []int{-1}
				if n, ok := v.(int); ok {
					list[0] = n
				}
			}
			width = len(list)
			for _, n := range list {
				labels = binary.LittleEndian.AppendUint64(labels, uint64(int64(n)))
			}
		}
		part := []string{"train", "test"}[k]
		put(t, filepath.Join(dir, "x_"+part+".npy"), npy("|u1", dims, s.pixels(images)))
		put(t, filepath.Join(dir, "y_"+part+".npy"), npy("<i8", []int{len(images), width}, labels))
	}
}

// writeTinyNPZ packs the arrays in one archive.
func writeTinyNPZ(t testing.TB, dir string, s *tiny) {
	loose := t.TempDir()
	writeTinyNumPy(t, loose, s)
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	if err := w.AddFS(os.DirFS(loose)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "data.npz"), b.Bytes())
}

func writeTinyIDX(t testing.TB, dir string, s *tiny) {
	for k, images := range [][]tinyImage{s.train, s.test} {
		if images == nil {
			continue
		}
		head := []byte{0, 0, 8, 3}
		for _, d := range []int{len(images), s.side, s.side} {
			head = binary.BigEndian.AppendUint32(head, uint32(d))
		}
		labels := binary.BigEndian.AppendUint32([]byte{0, 0, 8, 1}, uint32(len(images)))
		for _, i := range images {
			labels = append(labels, byte(i.label))
		}
		part := []string{"train", "t10k"}[k]
		put(t, filepath.Join(dir, part+"-images-idx3-ubyte"), append(head, s.pixels(images)...))
		if images[0].label >= 0 {
			put(t, filepath.Join(dir, part+"-labels-idx1-ubyte"), labels)
		}
	}
}

// planar has channel after channel.
func planar(pix []byte) []byte {
	out := make([]byte, 0, len(pix))
	for c := range 3 {
		for k := c; k < len(pix); k += 3 {
			out = append(out, pix[k])
		}
	}
	return out
}

// writeTinyCIFAR writes the binary version with so many bytes of labels.
func writeTinyCIFAR(train, test, meta string, labels int) func(t testing.TB, dir string, s *tiny) {
	return func(t testing.TB, dir string, s *tiny) {
		for k, images := range [][]tinyImage{s.train, s.test} {
			var b []byte
			for _, i := range images {
				label := i.label
				if n, ok := i.odd.(int); ok {
					label = n
				}
				b = append(b, make([]byte, labels-1)...)
				b = append(append(b, byte(label)), planar(i.pix)...)
			}
			if images != nil {
				put(t, filepath.Join(dir, []string{train, test}[k]), b)
			}
		}
		put(t, filepath.Join(dir, meta), []byte(strings.Join(s.classes, "\n")+"\n"))
	}
}

// writeTinyPickle writes what Python 2's pickle did for the Python version.
func writeTinyPickle(t testing.TB, dir string, s *tiny) {
	text := func(v string) string { return "U" + string(byte(len(v))) + v }
	number := func(n int) string { return "J" + string(binary.LittleEndian.AppendUint32(nil, uint32(int32(n)))) }
	for k, images := range [][]tinyImage{s.train, s.test} {
		if images == nil {
			continue
		}
		var raw []byte
		list := "]("
		for _, i := range images {
			raw = append(raw, planar(i.pix)...)
			if v, ok := s.value(i, false).(int); ok {
				list += number(v)
			} else {
				list += number(-1)
			}
		}
		array := "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85" + text("b") + "tR(K\x01" +
			number(len(images)) + number(3*cifarPixels) + "\x86cnumpy\ndtype\n(" + text("u1") + "K\x00K\x01tR\x89T" +
			string(binary.LittleEndian.AppendUint32(nil, uint32(len(raw)))) + string(raw) + "tb"
		put(t, filepath.Join(dir, []string{"data_batch_1", "test_batch"}[k]), []byte("\x80\x02}("+text("data")+array+text("labels")+list+"eu."))
	}
	names := "]("
	for _, c := range s.classes {
		names += text(c)
	}
	put(t, filepath.Join(dir, "batches.meta"), []byte("\x80\x02}("+text("label_names")+names+"eu."))
}
