package cli

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// Images that no network takes are refused with their width before their height, and with what makes larger ones of them.
func TestTooSmallImagesSayWhatToDo(t *testing.T) {
	data := t.TempDir()
	for i := range 66 {
		deepImage(t, filepath.Join(data, []string{"a", "b"}[i%2], fmt.Sprint(i, ".png")), uint16(60000+i))
	}
	for _, command := range []string{"audit", "train"} {
		code, _, errs := call(command, "--data", data, "--size", "7", "--out", filepath.Join(t.TempDir(), "out"))
		if code != exitFailed || !strings.Contains(errs, "images of 7×7 pixels are too small") || !strings.Contains(errs, "at least 8×8; --size N") {
			t.Errorf("%s: %d, %s", command, code, errs)
		}
	}
}
