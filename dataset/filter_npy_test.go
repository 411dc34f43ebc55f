package dataset

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// npyOf is an array of any kind.
func npyOf(descr, order, shape, data string) []byte {
	head := fmt.Sprintf("{'descr': %s, 'fortran_order': %s, 'shape': (%s), }", descr, order, shape)
	head += strings.Repeat(" ", 127-(10+len(head))%64) + "\n"
	out := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(head)))
	return append(append(out, head...), data...)
}

// An archive beside arrays hides none of them, and is not filtered in their place.
func TestArchivesBesideArrays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	put(t, filepath.Join(dir, "x_train.npy"), npy("|u1", []int{3, 1, 1, 1}, []byte{1, 2, 3}))
	put(t, filepath.Join(dir, "y_train.npy"), npy("|u1", []int{3}, []byte{0, 1, 0}))
	put(t, filepath.Join(dir, "feats.npz"), zipOf("y.npy"))
	if _, left, _ := filtered(t, dir, 2); shown(left.Train) != "0:1 1:2" {
		t.Error(shown(left.Train))
	}
	put(t, filepath.Join(dir, "feats.npz"), zipOf("x.npy", "y.npy"))
	if _, err := Load(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "feats.npz and the .npy files beside it both hold images") {
		t.Error(err)
	}
}

// oddArrays are arrays of four rows, of which the third is dropped: what they hold before and after, and what the notes say.
var oddArrays = map[string]struct{ descr, order, shape, data, left, note string }{
	"x_train":        {"'|u1'", "False", "4, 1, 1, 3", "aaabbbcccddd", "aaabbbddd", ""},
	"y_train":        {"'|u1'", "False", "4,", "\x00\x01\x00\x01", "\x00\x01\x01", ""},
	"emb":            {"'<f4'", "True", "4, 2", "a000b000c000d000A000B000C000D000", "a000b000d000A000B000D000", "lost the same rows"},
	"cube":           {"'|u1'", "True", "4, 2, 2", "abcdefghijklmnop", "abdefhijlmnp", "lost the same rows"},
	"when":           {"'<M8[ns]'", "False", "4,", "aaaaaaaabbbbbbbbccccccccdddddddd", "aaaaaaaabbbbbbbbdddddddd", "lost the same rows"},
	"both":           {"[('a', '<i2'), ('b', '|S1', (2,))]", "False", "4,", "aaaabbbbccccdddd", "aaaabbbbdddd", "lost the same rows"},
	"text":           {"'<U1'", "False", "4L,", "aaaabbbbccccdddd", "aaaabbbbdddd", "lost the same rows"},
	"none":           {"'<f4'", "False", "4, 0", "", "", "lost the same rows"},
	"x_holdout":      {"'|u1'", "False", "4,", "abcd", "abd", "lost the same rows"},
	"names":          {"'|O'", "False", "4,", "pickle", "pickle", "it holds Python objects"},
	"mixed":          {"[('a', '<i2'), ('b', '|O')]", "False", "4,", "pickle", "pickle", "it holds Python objects"},
	"short":          {"'<f8'", "False", "4,", "abcd", "abcd", "it holds 4 bytes, by its head 32"},
	"odd":            {"[('a', '<i2')]", "False", "4,", "abcde", "abcde", "its type is not known"},
	"y_test":         {"'|u1'", "False", "4,", "\x00\x01\x00\x01", "\x00\x01\x00\x01", ""},
	"three":          {"'|O'", "False", "3,", "pickle", "pickle", ""},
	"number":         {"'|u1'", "False", "", "a", "a", ""},
	"elsewhere/ids":  {"'|u1'", "False", "4,", "abcd", "abcd", "it lies in another folder"},
	"elsewhere/less": {"'|u1'", "False", "2,", "ab", "ab", ""},
}

// Arrays of every type and order that have a row an image lose the same rows; it is said of which, and which could not.
func TestFilterOfArraysOfEveryKind(t *testing.T) {
	for _, archive := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "data")
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for name, a := range oddArrays {
			raw := npyOf(a.descr, a.order, a.shape, a.data)
			if !archive {
				put(t, filepath.Join(dir, name+".npy"), raw)
			} else if !strings.Contains(name, "/") {
				w, _ := z.Create(name + ".npy")
				_, _ = w.Write(raw)
			}
		}
		if _ = z.Close(); archive {
			put(t, filepath.Join(dir, "all.npz"), b.Bytes())
			put(t, filepath.Join(dir, "beside.npy"), npyOf("'|u1'", "False", "4,", "abcd"))
		}
		d := load(t, dir)
		out := filepath.Join(t.TempDir(), "out")
		notes, err := Correct(t.Context(), d, Options{}, []bool{false, false, true, false}, nil, out)
		if err != nil {
			t.Fatal(err)
		}
		for name, a := range oddArrays {
			if archive && strings.Contains(name, "/") {
				continue
			}
			want := npyOf(a.descr, a.order, a.shape, a.left)
			if a.left != a.data || name == "none" {
				want = npyOf(a.descr, a.order, strings.Replace(a.shape, "4", "3", 1), a.left)
			}
			if got := arrayIn(t, out, name, archive); !bytes.Equal(got, want) {
				t.Errorf("%s is %q, expected %q", name, got, want)
			}
			said := ""
			for _, n := range notes {
				if strings.Contains(n+",", name+".npy ") || strings.Contains(n+",", name+".npy,") || strings.Contains(n+",", "npz/"+name+" ") || strings.Contains(n+",", "npz/"+name+",") {
					said += n
				}
			}
			if (said == "") != (a.note == "") || !strings.Contains(said, a.note) {
				t.Errorf("of %s the notes %q say %q", name, notes, said)
			}
		}
		if archive && !strings.HasSuffix(string(arrayIn(t, out, "beside", false)), "\nabd") {
			t.Errorf("the array beside the archive is %q", arrayIn(t, out, "beside", false))
		}
	}
}

// arrayIn returns the bytes of an array.
func arrayIn(t *testing.T, dir, name string, archive bool) []byte {
	t.Helper()
	if !archive {
		raw := testfile.Read(t, filepath.Join(dir, name+".npy"))
		return raw
	}
	z, err := zip.OpenReader(filepath.Join(dir, "all.npz"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	in, err := z.Open(name + ".npy")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// So do lists and arrays in a pickled batch.
func TestFilterOfPickledArraysBeside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	writeTinyPickle(t, dir, tinySet(32, false, 1, 0))
	file := filepath.Join(dir, "data_batch_1")
	raw := testfile.Read(t, file)
	text := func(v string) string { return "U" + string(byte(len(v))) + v }
	array := func(shape, order, data string) string {
		return "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85" + text("b") + "tR(K\x01" + shape + "cnumpy\ndtype\n(" + text("u1") + "K\x00K\x01tR" + order + data + "tb"
	}
	more := text("ids") + array("K\x03\x85", "\x89", text("abc")) + text("pairs") + array("K\x03K\x02\x86", "\x88", text("abcdef")) +
		text("objects") + array("K\x03\x85", "\x89", "](K\x01K\x02K\x03e") + text("tuple") + "K\x04K\x05K\x06\x87" + text("two") + "](K\x01K\x02e"
	put(t, file, []byte(strings.TrimSuffix(string(raw), "u.")+more+"u."))
	d := load(t, dir)
	out := filepath.Join(t.TempDir(), "out")
	notes, err := Correct(t.Context(), d, Options{}, []bool{false, true, false}, nil, out)
	if err != nil {
		t.Fatal(err)
	}
	_, batch, err := unpickled(filepath.Join(out, "data_batch_1"))
	if err != nil {
		t.Fatal(err)
	}
	rows := fmt.Sprint(pickledRows(batch.Get("ids")), pickledRows(batch.Get("pairs")), pickledRows(batch.Get("objects")), batch.Get("tuple"))
	said := strings.Join(notes, "\n")
	if rows != "2 3 3 [4 6]" || !strings.Contains(said, "as they had as many: ids, tuple") || !strings.Contains(said, "pairs was copied whole") || !strings.Contains(said, "objects was copied whole") {
		t.Errorf("%s, and the notes are %q", rows, notes)
	}
}
