package printable

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNothingReachesTheTerminalRaw(t *testing.T) {
	for in, want := range map[string]string{
		"cat":                       "cat",
		"Katze mit ö, 猫, 🐈":         "Katze mit ö, 猫, 🐈",
		"a\x1b[2Jb\a":               `a\x1b[2Jb\a`,
		"two\nlines\r\tand":         `two\nlines\r\tand`,
		"\u202egnp.exe\u200b\u0085": `\u202egnp.exe\u200b\u0085`,
		"\xff\xfe\x9b31m":           `\xff\xfe\x9b31m`,
		"5\u00a0%\ufffd":            "5\u00a0%\ufffd",
	} {
		if got := Text(in); got != want {
			t.Errorf("%q becomes %s, expected %s", in, got, want)
		}
	}
	var b bytes.Buffer
	n, err := fmt.Fprintf(Writer(&b), "\rname %s\n\tnext", "x\x1b]0;title\a")
	if want := "\rname x\\x1b]0;title\\a\n\tnext"; err != nil || b.String() != want || n != len("\rname x\x1b]0;title\a\n\tnext") {
		t.Errorf("%q, %d, %v", b.String(), n, err)
	}
	if f, ok := File(Writer(os.Stderr)); !ok || f != os.Stderr {
		t.Error("the file behind the writer is not found")
	}
}

// Whatever a name holds, what is shown of it is printable and on one line.
func FuzzText(f *testing.F) {
	f.Add("a\x1b[2Jb\a\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		if got := Text(s); !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !strconv.IsPrint(r) && r != '\u00a0' }) || Text(got) != got {
			t.Errorf("%q becomes %q", s, got)
		}
	})
}

// JSON stays JSON with the same meaning, and prints.
func TestJSON(t *testing.T) {
	for _, want := range []string{"plain", "é 猫 🐈", "flag \U0001F3F4\U000E0067", "\x7f\u202e\u200b", "line\nbreak \"quoted\" \\", "\U0010FFFF"} {
		raw, err := json.Marshal(map[string]string{want: want})
		if err != nil {
			t.Fatal(err)
		}
		text := JSON(raw)
		var got map[string]string
		if err := json.Unmarshal(text, &got); err != nil || got[want] != want {
			t.Errorf("%q became %s: %v", want, text, err)
		}
		if string(text) != Text(string(text)) {
			t.Errorf("%s does not print", text)
		}
	}
}
