package checkpoint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What no header has room for is not written, since nobody could read it again.
func TestHeadersThatAreTooLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	err := WriteArrays(path, nil, map[string]string{"a": strings.Repeat("x", maxHeader)})
	if err == nil || !strings.Contains(err.Error(), "a safetensors header has up to") {
		t.Error(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("it is there: %v", err)
	}
}
