package runs

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/audit"
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

// Where the copies of a finished audit fail, the attacks are said not to be tried, and the audit stands. What is cancelled ends.
func TestFailedSpikesLeaveTheAudit(t *testing.T) {
	s := tiny(t, t.TempDir())
	if err := os.WriteFile(filepath.Join(s.Folder, "spike-1"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	out := &Outcome{Train: s.Data.Train, Verdict: &audit.Verdict{}, Trained: &abl.Result{Seconds: map[string]float64{}}}
	res := &Result{}
	if err := s.spike(context.Background(), out, res); err != nil {
		t.Fatal("the audit is lost:", err)
	}
	if len(res.Spikes) == 0 || slices.ContainsFunc(res.Spikes, func(l spike.Limit) bool { return !strings.Contains(l.NotTried, "spike-1") }) {
		t.Errorf("%+v", res.Spikes)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if s.spike(ctx, out, res) == nil {
		t.Error("a cancelled run goes on")
	}
}

// The time of copies that an earlier run audited counts, once.
func TestSecondsOfSpikesGoOn(t *testing.T) {
	all := map[string]float64{"search": 90, "looks": 10}
	for now, want := range map[time.Duration]float64{time.Second: 99, 30 * time.Second: 70, 101 * time.Second: 0} {
		if got := earlier(all, now); got != want {
			t.Errorf("%v: %v, expected %v", now, got, want)
		}
	}
}
