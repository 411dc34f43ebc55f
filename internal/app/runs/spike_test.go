package runs

import (
	"strings"
	"testing"

	"github.com/unpoison/unpoison/spike"
)

// What would have been found, and what would not, is said in words and in the page's table.
func TestSpikesAreSaid(t *testing.T) {
	limits := []spike.Limit{{Attack: "badnets", Class: "stop", Rate: 0.0025, Images: 1250, Most: 0.08}, {Attack: "wanet", Class: "yield", Most: 0.08}, {Attack: "blend", NotTried: "few labels"}}
	for k, want := range []string{"badnets under stop would have been found in 0.25 % of the images (1,250) or more", "wanet under yield would not have been found, not even in 8 %", "blend was not tried: few labels"} {
		if got := strings.ReplaceAll(SpikeSentence(limits[k]), "\u00a0", " "); !strings.HasPrefix(got, want) {
			t.Errorf("%q, expected %q", got, want)
		}
	}
	rows := spikeTable(limits).Rows
	if len(rows) != 3 || rows[2][2] != "not tried: few labels" || !strings.Contains(rows[0][2], "0.25") || !strings.Contains(rows[1][2], "not in 8") {
		t.Errorf("%q", rows)
	}
	if note := spikeTable(limits[2:]).Note; note != "" {
		t.Errorf("nothing was planted: %q", note)
	}
}
