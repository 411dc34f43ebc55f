package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An audit that suspects nothing may still be reviewed: what was decided is left out, and nothing else.
func TestFilterByDecisionsAlone(t *testing.T) {
	data, dir := signFolder(t, 20, 10), t.TempDir()
	first := "train/" + firstClass(t, data) + "/000000.png"
	suspects, decisions, none := filepath.Join(dir, "suspects.csv"), filepath.Join(dir, "decisions.csv"), filepath.Join(dir, "none.csv")
	for path, text := range map[string]string{
		suspects: "source,isolated\n" + first + ",false\n", decisions: "source,decision\n" + first + ",drop\n", none: "source,decision\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{decisions: "19 of 20 training images kept", none: "20 of 20 training images kept"} {
		code, out, errs := call("data", "filter", "--data", data, "--suspects", suspects, "--decisions", path, "--list", filepath.Join(dir, "kept.csv"))
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("%d: %s%s", code, out, errs)
		}
	}
	if code, _, errs := call("data", "filter", "--data", data, "--suspects", suspects, "--list", filepath.Join(dir, "kept.csv")); code != exitFailed || !strings.Contains(errs, "no suspects in it: nothing would be left out") {
		t.Errorf("%d: %s", code, errs)
	}
}
