package runs

import (
	"context"
	"errors"
	"math"
	"runtime/debug"
	"slices"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/model"
)

// measure evaluates what was trained and scores the ranking.
func (s *Spec) measure(ctx context.Context, out *Outcome, res *Result) error {
	t := out.Trained
	res.Data.Untaught = t.Untaught
	if t.Unlearn != nil {
		res.Unlearning = t.Unlearn
		res.Epochs.Unlearn = float64(t.Unlearn.Images) / float64(out.Train.Len())
	}
	if res.Verdict = out.Verdict; res.Verdict != nil {
		res.Revision = audit.Revision
	}
	if len(t.Suspects) > 0 {
		res.Isolation = scoreIsolation(t.Suspects, out)
		if s.Audit || s.Auto.Correct {
			res.Correction = scoreCorrection(t.Suspects, out)
		}
	}
	if s.Audit {
		return nil
	}
	return s.measureModel(ctx, t.Network, t.Model, out, res)
}

// measureModel evaluates a model on the test images, clean and triggered.
func (s *Spec) measureModel(ctx context.Context, n *model.Network, state model.State, out *Outcome, res *Result) error {
	if s.Data.Test == nil || s.Data.Test.Len() == 0 {
		return nil
	}
	debug.FreeOSMemory() // training's memory goes before the triggered images come
	e, err := evaluate.Of(s.Backend, n, state)
	if err != nil {
		return err
	}
	percent := func(set *dataset.Set) (*float64, error) { // of a copy that was changed, and that nobody needs any more
		defer set.Discard()
		r, err := e.Measure(ctx, set)
		if err != nil {
			return nil, err
		}
		v := 100 * r.Accuracy
		return &v, nil
	}
	clean, err := e.Measure(ctx, s.Data.Test)
	if err != nil {
		return err
	}
	ca := 100 * clean.Accuracy
	res.CA = &ca
	res.CAOf = clean.Percent()
	for k, a := range out.Attacks {
		triggered, err := a.Triggered(ctx, s.Data.Test)
		if err != nil {
			return err
		}
		if triggered.Len() == 0 {
			continue
		}
		asr, err := percent(triggered)
		if err != nil {
			return err
		}
		*asr = a.Config.Success(*asr)
		res.Attacks[k].ASR = asr
		if res.ASR == nil || *asr > *res.ASR {
			res.ASR = asr
		}
		if p := res.Attacks[k]; len(p.Settings.Common.Aimed(len(s.Data.Test.Classes))) == 1 && s.Data.Test.Counts()[p.Target] > 0 {
			v := 100 * clean.PerClass[p.Target]
			p.CATarget = &v
		}
		if err := res.Attacks[k].measureMarked(ctx, e, a, s.Data.Test); err != nil {
			return err
		}
		covered, err := a.Covered(ctx, s.Data.Test)
		if err != nil {
			return err
		}
		if covered != nil {
			if res.Attacks[k].Covered, err = percent(covered); err != nil {
				return err
			}
		}
	}
	return nil
}

// measureMarked finds what the network makes of triggered images under their own labels.
func (p *Attack) measureMarked(ctx context.Context, e *evaluate.Evaluator, a *attack.Attack, test *dataset.Set) error {
	marked, err := a.Marked(ctx, test)
	if errors.Is(err, attack.ErrSeveralClasses) {
		return nil
	}
	if err != nil {
		return err
	}
	defer marked.Discard()
	r, err := e.Measure(ctx, marked)
	if err != nil {
		return err
	}
	n, right := 0, 0.0
	for class, images := range marked.Counts() {
		if a.Aims(class) && images > 0 {
			n += images
			right += r.PerClass[class] * float64(images)
		}
	}
	if n > 0 {
		v := 100 * math.Round(right) / float64(n)
		p.RA = &v
	}
	one := len(p.Settings.Common.Aimed(len(marked.Classes))) == 1 // else no class is the target's own
	if one && marked.Counts()[p.Target] > 0 {
		v := 100 * r.PerClass[p.Target]
		p.RATarget = &v
	}
	return nil
}

// isolatedByLabel counts the isolated images under each label.
func isolatedByLabel(suspects []isolate.Suspect, set *dataset.Set) []int {
	counts := make([]int, len(set.Classes))
	for _, s := range suspects {
		if s.Isolated {
			counts[set.Labels[s.Index]]++
		}
	}
	return counts
}

func scoreIsolation(suspects []isolate.Suspect, out *Outcome) *Isolation {
	order := make([]int, len(suspects))
	n := 0
	for k, s := range suspects {
		order[k] = s.Index
		if s.Isolated {
			n++
		}
	}
	if n == 0 { // nothing was removed
		return nil
	}
	iso := &Isolation{Rate: float64(n) / float64(len(suspects))}
	for c, k := range isolatedByLabel(suspects, out.Train) {
		if share := float64(k) / float64(n); share > iso.TopShare {
			iso.TopShare, iso.TopClass = share, out.Train.Classes[c]
		}
	}
	iso.Suspicious = suspicious(iso.TopShare, iso.TopClass, out.Train)
	if out.Truth != nil {
		if q := evaluate.RankQuality(order, n, out.Truth); q != nil {
			iso.Precision, iso.Recall, iso.AUROC, iso.AveragePrecision = &q.Precision, &q.Recall, &q.AUROC, &q.AveragePrecision
			clean, removed := 0, 0
			for _, s := range suspects {
				switch {
				case out.covered[s.Index]:
					iso.Covered += stat.Bit(s.Isolated)
				case !out.Truth[s.Index]:
					clean++
					removed += stat.Bit(s.Isolated)
				}
			}
			fpr := float64(removed) / float64(max(1, clean))
			iso.FPR = &fpr
		}
	}
	return iso
}

// scoreCorrection counts the images with wrong labels that a search removed, and what became of them. It is nil where the truth is
// unknown, where planted images are of several classes, and where there was nothing to correct and nothing was.
func scoreCorrection(suspects []isolate.Suspect, out *Outcome) *Correction {
	if out.own == nil || out.Verdict == nil || slices.ContainsFunc(out.Attacks, (*attack.Attack).Composes) {
		return nil
	}
	c := &Correction{}
	for _, s := range suspects {
		if !s.Isolated {
			continue
		}
		wrong := out.own[s.Index] != out.Train.Labels[s.Index]
		if wrong {
			c.Wrong++
		}
		if s.Wrong {
			c.Corrected++
			if wrong {
				c.OfWrong++
			}
			if s.Shows == out.own[s.Index] {
				c.Right++
			}
		}
	}
	if c.Wrong == 0 && c.Corrected == 0 {
		return nil
	}
	return c
}

// suspicious is a rule of thumb, not a test: planted images share one label, so nearly all isolated
// images carry it. Clean data's easiest images lean to some classes too, but not that far.
func suspicious(share float64, class string, set *dataset.Set) bool {
	usual := 0.0
	for c, n := range set.Counts() {
		if set.Classes[c] == class {
			usual = float64(n) / float64(set.Len())
		}
	}
	return share >= 0.9 && usual < 0.6
}
