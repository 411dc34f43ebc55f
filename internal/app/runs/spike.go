package runs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/unpoison/unpoison"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/report"
	"github.com/unpoison/unpoison/spike"
	"github.com/unpoison/unpoison/train"
)

// spike audits copies of the data with known attacks in them. Their checkpoints stay until the last one is finished, so that a run
// that is stopped goes on. What fails, but for an end of ctx, is said of the attacks: the audit itself is finished.
func (s *Spec) spike(ctx context.Context, out *Outcome, res *Result) error {
	suspected := make([]bool, out.Train.Len())
	for _, i := range out.Trained.Suspects {
		suspected[i.Index] = i.Isolated
	}
	folder := func(number int) string { return filepath.Join(s.Folder, fmt.Sprintf("spike-%d", number)) }
	start, before := time.Now(), 0.0 // before is what an earlier run spent on the copies
	search := *s
	search.Expect = false // the copies' time was said with the search's
	limits, err := spike.Run(ctx, s.searched(out.Train), s.Options.Seed, out.Verdict, suspected, func(ctx context.Context, d *dataset.Data, number int) (*audit.Verdict, error) {
		if err := os.MkdirAll(folder(number), 0o777); err != nil {
			return nil, err
		}
		begun, watch := time.Now(), Watcher(s.Watch)
		r, err := unpoison.Audit(ctx, d, search.search(train.Settings{Folder: folder(number), Resume: true, Init: s.Init, Backend: s.Backend, Watch: func(e train.Event) {
			if e.Stage = fmt.Sprintf("spike %d/%d", number, spike.Copies); e.Progress != nil {
				watch(e)
			}
		}}))
		if err != nil {
			return nil, err
		}
		before += earlier(r.Seconds, time.Since(begun))
		return r.Verdict, nil
	})
	if err != nil && ctx.Err() != nil {
		return err
	}
	if err != nil {
		limits = spike.NotTried(fmt.Sprintf("%v; --resume tries again", err))
	}
	for number := 1; number <= spike.Copies && err == nil; number++ {
		if err := os.RemoveAll(folder(number)); err != nil && s.Watch != nil {
			s.Watch(Event{Event: "note", Text: fmt.Sprintf("a checkpoint that nothing needs any more stays: %v", err)})
		}
	}
	out.Trained.Seconds["spike"] = before + time.Since(start).Seconds()
	res.Spikes = limits
	return nil
}

// earlier is how many of an audit's seconds an earlier run spent, where this one took so long.
func earlier(all map[string]float64, now time.Duration) float64 {
	sum := 0.0
	for _, v := range all {
		sum += v
	}
	return max(0, sum-now.Seconds())
}

// SpikeSentence says what would have been found.
func SpikeSentence(l spike.Limit) string {
	if l.NotTried != "" {
		return fmt.Sprintf("%s was not tried: %s", l.Attack, l.NotTried)
	}
	if !l.Found() {
		return fmt.Sprintf("%s under %s would not have been found, not even in %.3g\u00a0%% of the images", l.Attack, l.Class, 100*l.Most)
	}
	return fmt.Sprintf("%s under %s would have been found in %.3g\u00a0%% of the images (%s) or more", l.Attack, l.Class, 100*l.Rate, report.Count(l.Images))
}

// spikeTable lists the limits.
func spikeTable(limits []spike.Limit) report.Table {
	t := report.Table{
		Title: "What would have been found", Columns: []string{"attack", "planted under", "found from", "images"},
	}
	if slices.ContainsFunc(limits, func(l spike.Limit) bool { return l.NotTried == "" }) {
		t.Note = fmt.Sprintf("Known attacks were planted in %d copies of these data, and the copies audited. Other attacks, and other labels, may do better or worse.", spike.Copies)
	}
	for _, l := range limits {
		row := []string{l.Attack, l.Class, fmt.Sprintf("not in %.3g\u00a0%%", 100*l.Most), "–"}
		if l.NotTried != "" {
			row[1], row[2] = "–", "not tried: "+l.NotTried
		}
		if l.Found() {
			row[2], row[3] = fmt.Sprintf("%.3g\u00a0%%", 100*l.Rate), report.Count(l.Images)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
