package printable

import (
	"strings"
	"testing"
)

func TestStrangersThatLookKnown(t *testing.T) {
	for _, c := range []struct {
		list, known []string
		want        string
	}{
		{[]string{"tea", "cafe\u0301"}, []string{"caf\u00e9", "tea"}, `; "cafe\u0301" and "caf\u00e9" differ only in the Unicode form of their letters (NFC, NFD)`},
		{[]string{"a", "Cat"}, []string{"cat", "b"}, `"a", "Cat"; "Cat" and "cat" differ only in upper and lower case`},
		{[]string{"a", "7"}, []string{"007"}, "how a number is written"},
		{[]string{"a", "b"}, []string{"b", "c"}, `"a"`},
		{[]string{"\u200b"}, []string{"b", "c"}, `"\u200b"`},
	} {
		if got := Strangers(c.list, c.known); !strings.HasSuffix(got, c.want) {
			t.Errorf("%+q of %+q: %s", c.list, c.known, got)
		}
	}
}
