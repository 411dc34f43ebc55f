package names

import (
	"encoding/csv"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func FuzzNames(f *testing.F) {
	for _, s := range []string{"", ".", "..", "../../../x", ".hid", "a/b", `a\b`, "nul", "con.txt", "%", "%2E", "~", "a ", "é", "'", "''=", "=1+1", "-x", "\t", "a\x00b", "cat", "@x", "x;=1+1", "x;'=1", "x;\"=1\"", "x\t@y", "x\r\ny", "\r\n=1", "x\n\n+1", "\n=1", "\"=1", "x,=1", "\t\t=", ";';'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := File(s)
		if strings.ContainsAny(name, "/\\\x00\n:") || name == "" || name[0] == '.' || !filepath.IsLocal(name) || filepath.Base(name) != name {
			t.Errorf("%q becomes the name %q", s, name)
		}
		if got := FromFile(name); got != s {
			t.Errorf("%q becomes %q and that %q", s, name, got)
		}
		cell := Cell(s)
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			t.Errorf("%q becomes the cell %q", s, cell)
		}
		var b strings.Builder
		if err := csv.NewWriter(&b).WriteAll([][]string{{"0", cell, "1"}}); err != nil {
			t.Fatal(err)
		}
		row, err := csv.NewReader(strings.NewReader(b.String())).Read()
		if err != nil || FromCell(row[1]) != s {
			t.Errorf("%q becomes the cell %q, in a list %q: %v", s, cell, row, err)
		}
		for _, c := range split(t, b.String()) {
			if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
				t.Errorf("%q becomes %q, which has the cell %q in some countries", s, b.String(), c)
			}
		}
	})
}

// split are the cells of a list where semicolons part them.
func split(t *testing.T, list string) (cells []string) {
	t.Helper()
	r := csv.NewReader(strings.NewReader(list))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = ';', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(rows...)
}

// Names in lists of earlier versions, which had a ' before the first character alone, are read as before.
func TestOlderCells(t *testing.T) {
	for cell, want := range map[string]string{"'=1": "=1", "''x": "'x", "x;=1": "x;=1", "\"x": "\"x", "a\n\nb": "a\n\nb", "x;'y": "x;'y"} {
		if got := FromCell(cell); got != want {
			t.Errorf("%q is read as %q", cell, got)
		}
	}
}

func TestPlainNamesStay(t *testing.T) {
	for _, s := range []string{"cat", "n01440764", "00013", "stop sign", "été", "a.b", "x-y_z", "C++", "Don't"} {
		if File(s) != s || FromFile(s) != s || Cell(s) != s {
			t.Errorf("%q becomes %q and %q", s, File(s), Cell(s))
		}
	}
	for _, s := range []string{"50%", "%zz", "100%25x.", "a%2"} { // of folders that others named
		if got := FromFile(s); got != s {
			t.Errorf("%q is read as %q", s, got)
		}
	}
}

// Numbers are indices also where they are sorted as text.
func TestByIndex(t *testing.T) {
	letters := strings.Split("abcdefghijk", "")
	text := []string{"0", "1", "10", "2", "3", "4", "5", "6", "7", "8", "9"}
	for _, c := range []struct{ own, known, want []string }{
		{text, letters, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}},
		{letters, text, strings.Split("abkcdefghij", "")},
		{[]string{"1", "2"}, []string{"a", "b"}, nil},
		{[]string{"a", "b"}, []string{"1", "2"}, nil},
		{[]string{"1", "0"}, []string{"0", "1"}, nil},
		{[]string{"0", "1"}, letters, nil},
	} {
		if got := ByIndex(c.own, c.known); !slices.Equal(got, c.want) {
			t.Errorf("%q as %q: %q", c.own, c.known, got)
		}
	}
}

func TestNumbers(t *testing.T) {
	for want, all := range map[bool][][]string{true: {{"0", "1", "10"}, {"-1", "7"}}, false: {{"007", "1"}, {"+7"}, {"cat", "1"}, {"1.0"}, {""}}} {
		for _, classes := range all {
			if Numbers(classes) != want {
				t.Errorf("%q: expected %t", classes, want)
			}
		}
	}
}
