package experiment

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/report"
)

// Verdict is what the search said of one data set, beside the truth.
type Verdict struct {
	Data    string    `json:"data"`
	Vary    string    `json:"vary,omitempty"`
	Attack  string    `json:"attack"`
	Defense string    `json:"defense"`
	Seed    uint64    `json:"seed"`
	Images  int       `json:"images"`
	Says    look.Says `json:"says"`
	Classes []string  `json:"classes"` // that are said to be targets
	Right   bool      `json:"right"`   // no false alarm; or the right word, a target of each attack and no other label named, and most of what was removed planted
	Removed int       `json:"removed"`
	TPR     *float64  `json:"tpr"` // null where nothing was planted, or nothing removed
	FPR     *float64  `json:"fpr"`
	CA      *float64  `json:"ca"` // in percent; null where no network was trained on what is kept
	ASR     *float64  `json:"asr"`
	// RA and RATarget are the lowest of the attacks, as ASR is the highest; see runs.Attack.
	RA       *float64 `json:"ra,omitempty"`
	RATarget *float64 `json:"ra_target,omitempty"`
	Seconds  float64  `json:"seconds"`
	// Times is how many times as long all took as the training on what is kept; 0 where there was none, or another engine
	// in between.
	Times float64 `json:"times,omitempty"`
}

// Verdicts lists those of the finished cells.
func (r *Runner) Verdicts() []Verdict {
	var all []Verdict
	for _, c := range r.Grid.Cells() {
		res := r.result(c)
		if res == nil || res.Verdict == nil {
			continue
		}
		v := Verdict{
			Data: r.Grid.Name, Vary: c.Vary, Attack: c.Attack, Defense: c.Defense, Seed: c.Seed, Images: res.Data.Train,
			Says: res.Verdict.Says, Removed: res.Verdict.Removed, Classes: []string{}, Seconds: math.Round(res.Seconds["total"]), CA: res.CA, ASR: res.ASR,
		}
		named, word := map[int]bool{}, look.Shortcut // clean labels are right, and others where nobody looks at them
		var planted [][]int                          // the labels of each attack
		for _, t := range res.Verdict.Targets {
			if t.Found() && !named[t.Label] {
				v.Classes, named[t.Label] = append(v.Classes, t.Class), true
			}
		}
		for _, a := range res.Attacks {
			settings := a.Settings
			settings.Target = a.Target // results of long ago have no settings
			planted = append(planted, settings.Aimed(len(res.Data.Classes)))
			if !settings.Method.CleanLabel && !strings.Contains(c.Defense, noContent) {
				word = look.Poisoned
			}
		}
		v.RA = least(res, func(p *runs.Attack) *float64 { return p.RA })
		v.RATarget = least(res, func(p *runs.Attack) *float64 { return p.RATarget })
		if c.Attack == "none" {
			v.Right = v.Says < look.Shortcut
		} else {
			v.Right = res.Verdict.Right(word, planted...) && pure(res.Isolation, res.Verdict.Removed)
		}
		if tune := res.Seconds["tune"]; tune > 0 && !res.SeveralEngines() {
			if n := float64(res.Epochs.Tune); n > 0 { // alone it would have taken what the search spared it too
				tune *= (n + float64(res.Verdict.Continued)) / n
			}
			v.Times = math.Round(100*res.Seconds["total"]/tune) / 100
		}
		if res.Isolation != nil {
			v.TPR, v.FPR = res.Isolation.Recall, res.Isolation.FPR
		}
		all = append(all, v)
	}
	return all
}

// pure tells whether at least half of what was removed is planted, covering images apart; or nobody knows.
func pure(iso *runs.Isolation, removed int) bool {
	if iso == nil || iso.Precision == nil {
		return true
	}
	planted := *iso.Precision
	if removed > iso.Covered {
		planted *= float64(removed) / float64(removed-iso.Covered)
	}
	return planted >= 0.5
}

// verdictTable has a line a verdict and the rates of errors above it.
func verdictTable(title string, all []Verdict) report.Table {
	t := report.Table{Title: title, Note: strings.TrimSpace(Rates(all) + " " + filter(all)), Columns: []string{"data", "images", "planted", "seed", "verdict", "right", "targets", "removed", "TPR %", "FPR %"}}
	several := slices.ContainsFunc(all, func(v Verdict) bool { return v.Defense != all[0].Defense })
	trained := slices.ContainsFunc(all, func(v Verdict) bool { return v.CA != nil })
	if several {
		t.Columns = append(t.Columns, "defence")
	}
	if trained {
		t.Columns = append(t.Columns, "CA %", "ASR %")
	}
	marked := slices.ContainsFunc(all, func(v Verdict) bool { return v.RA != nil })
	if marked {
		t.Columns = append(t.Columns, "RA %", "target's RA %")
		t.Note += " RA: triggered test images classified as what they show, of other classes and of the target's own."
	}
	t.Columns = append(t.Columns, "seconds")
	if trained {
		t.Columns = append(t.Columns, "times training alone")
	}
	percent := func(v *float64) string {
		if v == nil {
			return "–"
		}
		return fmt.Sprintf("%.2f", 100**v)
	}
	for _, v := range all {
		right := "no"
		if v.Right {
			right = "yes"
		}
		line := []string{
			strings.TrimSpace(v.Data + " " + v.Vary), fmt.Sprint(v.Images), v.Attack, fmt.Sprint(v.Seed), v.Says.String(), right,
			strings.Join(v.Classes, ", "), fmt.Sprint(v.Removed), percent(v.TPR), percent(v.FPR),
		}
		if several {
			line = append(line, v.Defense)
		}
		if trained {
			line = append(line, number(v.CA, nil), number(v.ASR, nil))
		}
		if marked {
			line = append(line, number(v.RA, nil), number(v.RATarget, nil))
		}
		line = append(line, fmt.Sprintf("%.0f", v.Seconds))
		if trained {
			times := "–"
			if v.Times > 0 {
				times = fmt.Sprintf("%.2f", v.Times)
			}
			line = append(line, times)
		}
		t.Rows = append(t.Rows, line)
	}
	return t
}

// filter says how well poisoned images are told from the others, on average over the poisoned sets: where poison was
// missed, none were removed.
func filter(all []Verdict) string {
	var tpr, fpr float64
	n := 0
	for _, v := range all {
		if v.Attack == "none" {
			continue
		}
		n++
		if v.TPR != nil && v.FPR != nil {
			tpr, fpr = tpr+*v.TPR, fpr+*v.FPR
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("Over the poisoned sets TPR is %.2f %% and FPR %.3f %% on average.", 100*tpr/float64(n), 100*fpr/float64(n))
}

// Rates says how often verdicts are right: on clean data, how many call it poisoned; on poisoned data, how many say
// so and name the target. With each goes the rate of errors that lies above the true one with 95 % confidence.
func Rates(all []Verdict) string {
	var parts []string
	say := func(e audit.Errors, unsure int, kind, what string) {
		if e.Sets > 0 {
			parts = append(parts, fmt.Sprintf("%s sets: %d; %s: %d (at most %.1f %% with 95 %% confidence); could not tell: %d.",
				kind, e.Sets, what, e.Wrong, 100*e.AtMost, unsure))
		}
	}
	rates, unsure := errorRates(all)
	say(rates.Clean, unsure[0], "Clean", "false alarms")
	say(rates.Poisoned, unsure[1], "Poisoned", "missed or under another label")
	return strings.Join(parts, " ")
}

// errorRates counts the wrong verdicts, and those that could not tell, on clean and on poisoned data.
func errorRates(all []Verdict) (audit.ErrorRates, [2]int) {
	var sets, wrong, unsure [2]int
	for _, v := range all {
		kind := 0
		if v.Attack != "none" {
			kind = 1
		}
		sets[kind]++
		if !v.Right {
			wrong[kind]++
		}
		if v.Says == look.CantTell {
			unsure[kind]++
		}
	}
	return audit.ErrorRates{Clean: audit.CountErrors(wrong[0], sets[0]), Poisoned: audit.CountErrors(wrong[1], sets[1])}, unsure
}

// VerdictGrids returns the experiment that measures the verdict's rates of errors, on data sets of many kinds that
// no setting was chosen on: clean ones, and some with poison; by the network of that name, or the usual one if it is
// empty. quick leaves what shows that it works.
func VerdictGrids(data Data, network string, quick bool, seeds []uint64) ([]*Grid, error) {
	dirty := []string{"imbalance=0.1", "noise=0.05", "noise=0.2", "duplicates=0.2"}
	sources := []struct {
		name, spec  string
		size, limit int
		clean       []string // variations beside the dirty ones
	}{
		{"cifar10", data.CIFAR10, 0, 5000, []string{"limit=2000", "limit=3000", "limit=8000", "classes=2", "classes=4"}},
		{"gtsrb", data.GTSRB, 0, 5000, []string{"limit=2000", "limit=3000", "classes=5", "classes=20"}},
		{"photos", data.Photos, 32, 0, []string{"limit=600", "classes=3", "classes=6"}},
		{"signs", "signs", 0, 0, []string{"limit=800", "limit=1500", "classes=3", "classes=6"}},
	}
	attacks := []string{"badnets", "blend"}
	if quick {
		dirty, attacks = dirty[1:2], attacks[:1]
	}
	var clean, poisoned []*Grid
	for _, s := range sources {
		if s.spec == "" {
			continue
		}
		var vary []string
		for _, v := range append(slices.Clone(s.clean), dirty...) {
			if s.limit > 0 && !strings.Contains(v, "limit=") {
				v += fmt.Sprintf(",limit=%d", s.limit)
			}
			vary = append(vary, v)
		}
		for _, kind := range []string{"clean", "poisoned"} {
			g := &Grid{
				Name: s.name + "-" + kind, Title: "Verdicts on " + kind + " data: " + s.name, Data: s.spec, Size: s.size, Vary: vary, Model: network, Seeds: seeds,
				Attacks: []string{"none"}, Defenses: []string{"auto:tune_epochs=0"}, Quick: quick,
			}
			if kind == "poisoned" {
				g.Attacks = attacks
			}
			if quick {
				g.Defenses[0] += "," + noContent
				g.Limit, g.Test, g.Vary, g.Model = 300, 100, vary[len(vary)-1:], cmp.Or(network, "small-cnn")
			}
			if err := g.Check(); err != nil {
				return nil, err
			}
			if kind == "clean" {
				clean = append(clean, g)
			} else {
				poisoned = append(poisoned, g)
			}
		}
	}
	return append(clean, poisoned...), nil
}

// VerdictCommand returns the command line that repeats the measurement of verdicts.
func VerdictCommand(data Data, network string, quick bool, seeds []uint64) string {
	command := "unpoison experiment verdict"
	for _, f := range [][2]string{{"--data", data.CIFAR10}, {"--gtsrb", data.GTSRB}, {"--photos", data.Photos}, {"--model", network}} {
		if f[1] != "" {
			command += " " + f[0] + " " + f[1]
		}
	}
	if quick {
		command += " --scale quick"
	}
	return command + " --seeds " + list(seeds) + " --out DIR"
}
