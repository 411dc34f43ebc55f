package limited

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

func TestBounds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	testfile.Write(t, path, "12345")
	for most, ok := range map[int64]bool{6: true, 5: true, 4: false} {
		if raw, err := ReadFile(path, most); (err == nil) != ok || ok && string(raw) != "12345" {
			t.Errorf("up to %d bytes: %q, %v", most, raw, err)
		}
	}
	if _, err := os.Stat("/dev/zero"); err == nil {
		if _, err := ReadFile("/dev/zero", 1<<20); err == nil || !strings.Contains(err.Error(), "/dev/zero: expected a file of up to 1 MB") {
			t.Error(err)
		}
	}
	short := strings.Repeat(strings.Repeat("a", MaxLine/4)+"\n", 6)
	if n, err := io.Copy(io.Discard, Lines(strings.NewReader(short))); err != nil || int(n) != len(short) {
		t.Errorf("%d of %d bytes: %v", n, len(short), err)
	}
	if _, err := io.Copy(io.Discard, Lines(strings.NewReader(strings.Repeat("a", MaxLine+2)))); err == nil {
		t.Error("a long line was read")
	}
}
