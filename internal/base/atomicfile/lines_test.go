package atomicfile

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What a killed program left of a line, or an editor without an end, is no part of the next line.
func TestALineBeginsOneOfItsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("a\nb"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"c", "d"} {
		if err := AppendLine(path, []byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != "a\nb\nc\nd\n" {
		t.Errorf("%q, %v", raw, err)
	}
}

// The end of a line that another program is writing is waited for; one that nobody writes on is returned as it is.
func TestReadLinesWaitsForTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "x")
	if err := AppendLine(path, []byte("a")); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("b"); err != nil {
		t.Fatal(err)
	}
	if raw, err := ReadLines(path); err != nil || string(raw) != "a\nb" {
		t.Errorf("%q, %v", raw, err)
	}
	written := make(chan error)
	go func() {
		time.Sleep(lineWait / 10)
		_, err := f.WriteString("c\n")
		written <- err
	}()
	if raw, err := ReadLines(path); err != nil || string(raw) != "a\nbc\n" {
		t.Errorf("%q, %v", raw, err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}
