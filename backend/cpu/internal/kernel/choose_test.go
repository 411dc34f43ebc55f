package kernel

import (
	"strings"
	"testing"
)

// UNPOISON_CPU takes the names of this processor's sets; others are an error that lists them.
func TestChoose(t *testing.T) {
	for _, want := range Sets() {
		if got, err := choose(want.Name); err != nil || got.Name != want.Name {
			t.Errorf("%s: %v, %v", want.Name, got.Name, err)
		}
	}
	if got, err := choose(""); err != nil || got.Name != Sets()[0].Name {
		t.Errorf("none named: %v, %v", got.Name, err)
	}
	for _, name := range []string{"avx9", "AVX2", "neon ", "0"} {
		if _, err := choose(name); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "generic") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
