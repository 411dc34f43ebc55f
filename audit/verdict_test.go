package audit_test

import (
	"encoding/json"
	"testing"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/pixels"
	"github.com/unpoison/unpoison/train"
)

// A verdict that a checkpoint kept is the one that was made, also where a share lies at its limit: these were squeezed to
// float32 and judged again, and images were removed under a verdict that could not tell.
func TestVerdictsStayWhatTheyWere(t *testing.T) {
	f := pixels.Facts{Counts: look.Counts{Images: 400, Flagged: 200, Others: 1000}, Distance: 12, Spread: look.Limit("pixels", "variation")}
	made := audit.Verdict{Says: f.Says(), Targets: []audit.Target{{Class: "stop", Evidence: look.Evidence{Look: pixels.Name, Says: f.Says(), Facts: f}}}}
	var r train.Run
	var back audit.Verdict
	if err := r.Put("verdict", made); err != nil {
		t.Fatal(err)
	}
	if ok, err := r.Get("verdict", &back); !ok || err != nil {
		t.Fatal(ok, err)
	}
	again, _ := look.FactsOf[pixels.Facts](back.Targets[0].Evidence)
	if made.Says != look.Poisoned || back.Says != look.Poisoned || again.Says() != look.Poisoned || again != f {
		t.Errorf("%s came back as %s, and judged again is %s", made.Says, back.Says, again.Says())
	}
}

// Results of before typed facts can still be read, as far as they name labels and what is said of them.
func TestVerdictsAsText(t *testing.T) {
	const text = `{"says":"can't tell","targets":[{"class":"stop","index":3,"says":"can't tell","by":"pixels","flagged":7}],"removed":0,"rate":0,"remaining":null}`
	var v audit.Verdict
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	if got := v.Targets[0]; v.Says != look.CantTell || got.Says != look.CantTell || got.Label != 3 || got.Class != "stop" || got.Look != "pixels" {
		t.Errorf("%+v", v)
	}
	if err := json.Unmarshal([]byte(`{"says":"perhaps"}`), &v); err == nil {
		t.Error("an unknown verdict was read")
	}
}
