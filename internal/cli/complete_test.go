package cli

import (
	"strings"
	"testing"

	"github.com/unpoison/unpoison/model"
)

// What the shell completes is what the commands take.
func TestCompletion(t *testing.T) {
	for _, c := range []struct {
		line, want string // the values, or the directive's number alone
	}{
		{"train --defense", "auto abl none :4"},
		{"train --model", strings.Join(model.Names(), " ") + " :4"},
		{"train --engine", "cpu xla :4"},
		{"train --seed", ":4"},
		{"train --data", ":16"}, // folders
		{"eval --model", ":0"},  // files
		{"repair --method", "fp mcr nad :4"},
		{"experiment auto photos --cell", "badnets.auto.0 blend.auto.0 none.auto.0 :4"},
		{"experiment auto --cell", ":4"},
		{"experiment run missing.yaml --cell", ":4"},
	} {
		code, out, errs := call(append([]string{"__complete"}, append(strings.Fields(c.line), "")...)...)
		if got := strings.Join(strings.Fields(out), " "); code != exitDone || got != c.want {
			t.Errorf("%s: %q, expected %q; %d, %s", c.line, got, c.want, code, errs)
		}
	}
}
