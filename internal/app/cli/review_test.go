package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// Where a run's data are not found, review says whose path it is and how to name another.
func TestReviewSaysWhereItsDataAre(t *testing.T) {
	run := t.TempDir()
	for _, spec := range []string{`"path":"t6","layout":"folder"`, `"path":"t6.csv","layout":"table"`} {
		testfile.Write(t, filepath.Join(run, runs.ResultFile), `{"data":{`+spec+`}}`)
		code, _, errs := call("review", run)
		if want := filepath.Join(run, runs.ResultFile) + " names the data so"; code != exitFailed || !strings.Contains(errs, want) || !strings.Contains(errs, "--data") {
			t.Errorf("%s: %d, %s", spec, code, errs)
		}
		if code, _, errs := call("review", run, "--data", "nowhere"); code != exitFailed || strings.Contains(errs, "names the data so") {
			t.Errorf("%s: %d, %s", spec, code, errs)
		}
	}
}
