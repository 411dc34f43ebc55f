package pickle

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/corpus"
)

func decode(s string) (any, error) { return Decode(bufio.NewReader(strings.NewReader(s))) }

func TestDecode(t *testing.T) {
	for text, want := range map[string]any{
		"\x80\x02K\x05.":                  int64(5),
		"J\xff\xff\xff\xff.":              int64(-1),
		"\x8a\x02\x00\xff.":               int64(-256),
		"I01\n.":                          true,
		"F1.5\n.":                         1.5,
		"G?\xf8\x00\x00\x00\x00\x00\x00.": 1.5,
		"\x8c\x02hi.":                     "hi",
		"C\x02\x00\x01.":                  []byte{0, 1},
		"(K\x01K\x02t.":                   Tuple{int64(1), int64(2)},
		"]q\x00(K\x01h\x00e.":             nil, // holds itself: only that it ends
		"K\x07\x85q\x01h\x01\x86.":        nil, // too few values
		"}(\x8c\x01aK\x01u.":              &Dict{[]any{"a"}, []any{int64(1)}},
		"ccollections\nOrderedDict\n)R.":  &Dict{},
		"cos\nsystem\n\x8c\x02ls\x85R.":   &Object{Class: Global{"os", "system"}, Args: Tuple{"ls"}},
		"(\x8c\x07storageK\x03tQ.":        Persistent{Tuple{"storage", int64(3)}},
		"\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00N.": nil,
	} {
		got, err := decode(text)
		if want == nil {
			continue
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %#v, %v, expected %#v", text, got, err, want)
		}
	}
}

func TestBytesOfPython3InOldProtocols(t *testing.T) {
	v, err := decode("c_codecs\nencode\n\x8c\x02\xc3\xbf\x8c\x06latin1\x86R.")
	if err != nil {
		t.Fatal(err)
	}
	if b, ok := Bytes(v); !ok || !bytes.Equal(b, []byte{0xff}) {
		t.Errorf("%v, %v", b, ok)
	}
}

func TestDamageIsSaid(t *testing.T) {
	for _, text := range []string{
		"", "K", "X\xff\xff\xff\x7fabc", "h\x07.", "t.", "a.", "(a.", "\x80\x09.", "~.", "0", "}K\x01a.", "\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.", "K\x01K\x02R.",
	} {
		if v, err := decode(text); err == nil {
			t.Errorf("%q: no error, but %#v", text, v)
		}
	}
}

func FuzzDecode(f *testing.F) {
	corpus.Add(f)
	files, err := filepath.Glob("../../../dataset/testdata/cifar*-python/*")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds")
	}
	for _, p := range files {
		raw, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(_ *testing.T, raw []byte) {
		if v, err := Decode(bufio.NewReader(bytes.NewReader(raw))); err == nil {
			Bytes(v)
		}
	})
}
