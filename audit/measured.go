package audit

import (
	"crypto/sha256"
	_ "embed"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

// measuredFile is made from results/detect by go generate in experiment/detect.
//
//go:embed measured.csv
var measuredFile string

// measuredDigest is that of the configuration that measuredFile was measured under, the default one. Another default, another limit or
// another revision needs another measurement.
const measuredDigest = "37221c87c45cde5b"

// Revision counts up when the code of a search changes what it finds.
const Revision = 8

// MeasuredSet is a data set whose truth is known, and what a search under the default settings, with WRN-16-1, made of it.
type MeasuredSet struct {
	Name, Family string
	Reports      bool   // whether no setting was chosen on sets of its family, or none on its attack
	Earlier      bool   // whether the search was an earlier one: then it counts in no rate
	Fails        bool   // whether the planted images make no backdoor of a network without defence: its ASR is below 20 %. False where that was not measured
	BySample     bool   // whether it was an earlier one that says the same, as far as is known; see Score.Holds of experiment/detect
	Truth        string // clean, marked (an honest mark on one class), or the attack
	Size         int    // of the images' sides, in pixels
	Images       int
	Classes      int
	Confirmed    float64 // see Verdict
	Strength     float64 // see Verdict
	Says         look.Says
	TPR, FPR     float64 // shares, from 0 to 1, of the planted images, and of the clean ones, that were removed; without planted ones TPR is 0
	Right        bool    // no finding on clean data, no *poisoned* on marked; of poisoned data the word and the label, and no other label
}

// Larger tells whether the images got another network, one with a stem: what was measured of these is no rate of others.
func (s MeasuredSet) Larger() bool {
	return model.StemFor(train.DefaultRecipe().Network, s.Size, s.Size) > 1
}

// counts tells whether the set is one of those that reports go by.
func (s MeasuredSet) counts() bool { return !s.Earlier && !s.Larger() && !s.Fails }

// The truths of sets that nothing was planted in.
const (
	TruthClean  = "clean"
	TruthMarked = "marked"
)

// MeasuredSets lists them.
func MeasuredSets() []MeasuredSet { return measuredSets() }

var measuredSets = sync.OnceValue(func() []MeasuredSet {
	rows, err := csv.NewReader(strings.NewReader(measuredFile)).ReadAll()
	if err != nil {
		panic(err) // part of the program
	}
	var all []MeasuredSet
	for _, r := range rows[1:] {
		s := MeasuredSet{Name: r[0], Family: r[1], Truth: r[5]}
		var errs [13]error
		s.Reports, errs[0] = strconv.ParseBool(r[2])
		s.Earlier, errs[1] = strconv.ParseBool(r[3])
		s.BySample, errs[2] = strconv.ParseBool(r[4])
		s.Size, errs[3] = strconv.Atoi(r[6])
		s.Images, errs[4] = strconv.Atoi(r[7])
		s.Classes, errs[5] = strconv.Atoi(r[8])
		s.Confirmed, errs[6] = strconv.ParseFloat(r[9], 64)
		s.Strength, errs[7] = strconv.ParseFloat(r[10], 64)
		errs[8] = s.Says.UnmarshalText([]byte(r[11]))
		s.TPR, errs[9] = strconv.ParseFloat(r[12], 64)
		s.FPR, errs[10] = strconv.ParseFloat(r[13], 64)
		s.Right, errs[11] = strconv.ParseBool(r[14])
		s.Fails, errs[12] = strconv.ParseBool(r[15])
		for _, err := range errs {
			if err != nil {
				panic(err)
			}
		}
		all = append(all, s)
	}
	return all
})

// RatesFor returns how often verdicts were wrong where that was measured for exactly this configuration: the options, and what else a
// verdict depends on, before it is fitted to the data; without seed, sizes and the settings of the final training. Of any other nothing
// was measured: nil.
func (a Options) RatesFor(configuration any) (*ErrorRates, error) {
	d, err := a.digest(configuration)
	if err != nil || d != measuredDigest {
		return nil, err
	}
	r := Rates(MeasuredSets())
	return &r, nil
}

// digest is that of a configuration, with the numbers that decide and without what is no part of the search.
func (a Options) digest(configuration any) (string, error) {
	a.Correct, a.Stamp = Default().Correct, Default().Stamp
	var limits []any
	for _, b := range look.Limits() {
		limits = append(limits, []any{b.Look, b.Name, b.Value})
	}
	raw, err := json.Marshal([]any{Revision, limits, a, configuration})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8]), nil
}

// Errors counts the data sets of a kind on which verdicts were wrong.
type Errors struct {
	Sets  int `json:"sets"`
	Wrong int `json:"wrong"`
	// AtMost is the rate of errors, from 0 to 1, that lies above the true one with 95 % confidence, if the sets are independent.
	AtMost float64 `json:"at_most"`
}

// CountErrors returns the rate of wrong ones among so many sets.
func CountErrors(wrong, sets int) Errors {
	return Errors{Sets: sets, Wrong: wrong, AtMost: stat.AtMost(wrong, sets)}
}

// ErrorRates says how often verdicts were wrong where the truth was known, on sets of families, or by attacks, that no setting was
// chosen on.
type ErrorRates struct {
	Clean    Errors   `json:"clean"`     // called poisoned, or a shortcut without a mark
	ByFamily Errors   `json:"by_family"` // the same by family of the clean data, since sets of one share images: wrong where one of its sets is
	Unsure   int      `json:"unsure"`    // clean sets of which verdicts could not tell
	Poisoned Errors   `json:"poisoned"`  // not called so, or another label named
	Open     int      `json:"open"`      // of these, sets of which verdicts could not tell
	Families []string `json:"families"`  // of the clean data
	Attacks  []string `json:"attacks"`   // on the poisoned data
	Planted  []string `json:"planted"`   // families of the poisoned data
}

// Rates counts the errors on the sets that report.
func Rates(sets []MeasuredSet) ErrorRates {
	var n, wrong [2]int
	var r ErrorRates
	var failed []string // families
	for _, s := range sets {
		if !s.Reports || !s.counts() {
			continue
		}
		poisoned := stat.Bit(s.Truth != TruthClean && s.Truth != TruthMarked)
		n[poisoned]++
		wrong[poisoned] += stat.Bit(!s.Right)
		if poisoned == 0 {
			r.Unsure += stat.Bit(s.Says == look.CantTell)
			if r.Families = stat.With(r.Families, s.Family); !s.Right {
				failed = stat.With(failed, s.Family)
			}
		} else {
			r.Open += stat.Bit(s.Says == look.CantTell)
			r.Attacks = stat.With(r.Attacks, s.Truth)
			r.Planted = stat.With(r.Planted, s.Family)
		}
	}
	r.Clean, r.Poisoned, r.ByFamily = CountErrors(wrong[0], n[0]), CountErrors(wrong[1], n[1]), CountErrors(len(failed), len(r.Families))
	return r
}

// Calibration compares a verdict's strength with those of clean sets, of families that settings were chosen on.
type Calibration struct {
	Sets     int     `json:"sets"`
	AsStrong int     `json:"as_strong"` // of these
	Highest  float64 `json:"highest"`   // strength of these
	// P is (AsStrong + 1) / (Sets + 1), and no less than 1 / (Sets + 1). It would be the conformal probability that a clean set is as
	// strong (Vovk et al., "Algorithmic Learning in a Random World", 2005) if these sets were like any other. But limits were chosen on
	// them, and sets of a family share images: it is a rank.
	P float64 `json:"p"`
	// Unlike says in what the data lie outside all these sets; the probability then says little.
	Unlike []string `json:"unlike,omitempty"`
}

// Calibrate compares a verdict on so many images of so many classes with sets, of which those that are clean and that settings were
// chosen on count; nil where there is none.
func (v *Verdict) Calibrate(sets []MeasuredSet, images, classes int) *Calibration {
	var c Calibration
	ranges := []struct {
		name     string
		of       func(s MeasuredSet) float64
		own      float64
		low, top float64
	}{
		{"images", func(s MeasuredSet) float64 { return float64(s.Images) }, float64(images), 0, 0},
		{"classes", func(s MeasuredSet) float64 { return float64(s.Classes) }, float64(classes), 0, 0},
		{"% of the labels confirmed", func(s MeasuredSet) float64 { return 100 * s.Confirmed }, 100 * v.Confirmed, 0, 0},
	}
	for _, s := range sets {
		if s.Reports || !s.counts() || s.Truth != TruthClean {
			continue
		}
		c.AsStrong += stat.Bit(s.Strength >= v.Strength)
		c.Highest = max(c.Highest, s.Strength)
		for k := range ranges {
			r := &ranges[k]
			if x := r.of(s); c.Sets == 0 {
				r.low, r.top = x, x
			} else {
				r.low, r.top = min(r.low, x), max(r.top, x)
			}
		}
		c.Sets++
	}
	if c.Sets == 0 {
		return nil
	}
	c.P = float64(c.AsStrong+1) / float64(c.Sets+1)
	for _, r := range ranges {
		if r.own < r.low || r.own > r.top {
			c.Unlike = append(c.Unlike, fmt.Sprintf("%.0f %s, they have %.0f to %.0f", r.own, r.name, r.low, r.top))
		}
	}
	return &c
}
