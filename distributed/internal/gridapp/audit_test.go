package gridapp

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/distributed/internal/work"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/settings"
	"github.com/unpoison/unpoison/internal/testkit/planted"
)

// Settings of an audit that trains a little, and of one that only looks at pixels.
const (
	trains = "content_epochs=3,inspect_epochs=0,batch=32"
	looks  = "content=false,inspect_epochs=0,batch=32"
)

// alone audits a folder on this machine alone, into another. readWith are flags that the result notes.
func alone(t *testing.T, data, to, list string, readWith ...string) *runs.Result {
	t.Helper()
	d, err := dataset.Load(context.Background(), data, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o, search := abl.Default(), audit.Default()
	o.Network = "small-cnn"
	if err := settings.Set(list, &o, &search); err != nil {
		t.Fatal(err)
	}
	given := map[string]bool{}
	for _, item := range strings.Split(list, ",") {
		given[settings.Key(item)] = true
	}
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	done, err := runs.Train(context.Background(), runs.Spec{
		Backend: b, Data: d, ReadWith: readWith, Defense: runs.AuditOnly, Audit: true, Options: o.FitTo(d.Train.Len(), func(k string) bool { return given[k] }), Auto: search, Folder: to,
	})
	if err != nil {
		t.Fatal(err)
	}
	return done.Result
}

// sameAudits compares two folders of audits, to the byte.
func sameAudits(t *testing.T, one, other string) {
	t.Helper()
	for _, name := range []string{runs.SuspectsFile, runs.LogFile} {
		a, errA := os.ReadFile(filepath.Join(one, name))
		b, errB := os.ReadFile(filepath.Join(other, name))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs from one machine's (%v, %v)", name, errA, errB)
		}
	}
	var text [2][]byte
	for i, dir := range []string{one, other} {
		res, err := runs.ReadResult(filepath.Join(dir, runs.ResultFile))
		if err != nil {
			t.Fatal(err)
		}
		if text[i], err = res.Content(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(text[0], text[1]) {
		t.Errorf("the results differ:\n%s\n%s", text[0], text[1])
	}
}

// An audit on two workers, of which the one that leads is killed once it has a checkpoint: the same verdict and suspects as on one
// machine; and the same audit again finds it done. One of poisoned signs sums their pixels in parts.
func TestAuditInParts(t *testing.T) {
	c := attack.Defaults("badnets")
	c.Target, c.Rate = 4, 0.1
	d := signs.Render(1, 600, 20)
	write := func(name string) string {
		data := filepath.Join(t.TempDir(), name)
		if err := dataset.Write("folder", data, d); err != nil {
			t.Fatal(err)
		}
		return data
	}
	clean := write("clean")
	_, set, _ := planted.Poison(t, c, d.Train)
	d.Train = set
	poisoned := write("poisoned")
	l := newLab(t, fewCells, 0)
	on := func(data, list string) *auditJob {
		k, err := work.NewAuditPlan(t.Context(), l.job.store, data, dataset.Options{SkipBad: list == looks}, work.AuditSettings{Network: "small-cnn", List: list})
		if err != nil {
			t.Fatal(err)
		}
		return &auditJob{job{l.client, l.job.store, k}}
	}
	run := func(j *auditJob) (to string) {
		to = filepath.Join(t.TempDir(), "audit")
		if err := j.run(context.Background(), 15*time.Second, to, io.Discard, t.Output()); err != nil {
			t.Fatal(err)
		}
		return to
	}
	l.audit = on(clean, trains)
	to := filepath.Join(t.TempDir(), "audit")
	l.killOne("the audit has a checkpoint", func() error { return l.audit.run(context.Background(), 15*time.Second, to, io.Discard, t.Output()) })
	one := filepath.Join(t.TempDir(), "one")
	alone(t, clean, one, trains)
	sameAudits(t, one, to)
	sameAudits(t, one, run(l.audit))
	two := filepath.Join(t.TempDir(), "two")
	if r := alone(t, poisoned, two, looks, "--skip-bad=true"); r.Verdict.Says != look.Shortcut { // nobody looks at labels
		t.Errorf("one machine says %s", r.Verdict.Says)
	}
	three := run(on(poisoned, looks))
	sameAudits(t, two, three)
	page, err := os.ReadFile(filepath.Join(three, runs.ReportFile))
	for _, want := range []string{"--skip-bad=true", filepath.Join(three, runs.SuspectsFile), "unpoison review " + three + "<"} {
		if err != nil || !bytes.Contains(page, []byte(want)) {
			t.Errorf("the report does not say %q (%v)", want, err)
		}
	}
}
