package runs

import (
	"encoding/json"
	"testing"

	"github.com/unpoison/unpoison/repair"
)

// Defences are spelt in results as on the command line, and repairs are told from trainings with settings and without.
func TestDefenses(t *testing.T) {
	if raw, err := json.Marshal(Result{Defense: Unlearning(UnlearnABL)}.Defense); err != nil || string(raw) != `"unlearn:abl"` {
		t.Errorf("%s, %v", raw, err)
	}
	repairs := map[Defense]bool{NoDefense: false, ABL: false, Auto: false, AuditOnly: false, "abl:gamma=1": false, "nad:beta=500": true, "odd": false, "": false}
	for _, name := range repair.Names() {
		repairs[Defense(name)] = true
	}
	for _, name := range UnlearnNames() {
		repairs[Unlearning(name)] = true
		if method, ok := Unlearning(name).Unlearns(); !ok || method != name {
			t.Errorf("%s unlearns by %q", name, method)
		}
	}
	for d, want := range repairs {
		if d.Repairs() != want {
			t.Errorf("%q repairs: %v", d, !want)
		}
	}
	for spelling, want := range map[string]Defense{"none": NoDefense, "abl:gamma=1,isolation=0.05": ABL, "nad:beta=500": "nad", "unlearn:retrain": "unlearn"} {
		if got := Kind(spelling); got != want {
			t.Errorf("%s is a %s, expected %s", spelling, got, want)
		}
	}
}
