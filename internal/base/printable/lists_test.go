package printable

import (
	"strings"
	"testing"
)

func TestFew(t *testing.T) {
	if got := Few(Apart([]string{"a", "b", "c"}, []string{"b", "d"})); got != `"a", "c"` {
		t.Error(got)
	}
	if got := Few([]string{"1", "2", "3", "4", "5", strings.Repeat("x", 1000), "7"}); got != `"1", "2", "3", "4", "5" and 2 more` {
		t.Error(got)
	}
}
