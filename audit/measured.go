package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/unpoison/unpoison/audit/stat"
)

// Measured says how often verdicts under the default settings, with WRN-16-1, were wrong: on clean data sets that no limit was
// chosen on, and on poisoned ones, of which docs/measured/limits.md says where they led to changes. docs/measured/verdict.md lists them. All
// are of four families: CIFAR-10, GTSRB, photographs and rendered signs.
func Measured() ErrorRates {
	return ErrorRates{
		Clean: CountErrors(0, 61), Poisoned: CountErrors(0, 62), Mended: 3, AllPoisoned: CountErrors(2, 131),
		Families: []string{"CIFAR-10", "GTSRB", "photographs", "rendered signs"},
	}
}

// measuredDigest is that of the configuration whose verdicts Measured counts, the default one of version 0.1. Another default
// needs another measurement.
const measuredDigest = "d1bf440a4883f2ac"

// RatesFor returns the rates where they were measured for exactly this configuration: the options, and what else a verdict
// depends on, before it is fitted to the data; without seed, sizes and the settings of the final training. Of any other nothing
// was measured: nil.
func (a Options) RatesFor(configuration any) (*ErrorRates, error) {
	d, err := a.digest(configuration)
	if err != nil || d != measuredDigest {
		return nil, err
	}
	m := Measured()
	return &m, nil
}

// digest is that of a configuration, without what is no part of the search.
func (a Options) digest(configuration any) (string, error) {
	a.Against, a.Correct, a.Stamp = Default().Against, Default().Correct, Default().Stamp
	raw, err := json.Marshal([]any{a, configuration})
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
	// AtMost is the rate of errors, from 0 to 1, that lies above the true one with 95 % confidence.
	AtMost float64 `json:"at_most"`
}

// CountErrors returns the rate of wrong ones among so many sets.
func CountErrors(wrong, sets int) Errors {
	return Errors{Sets: sets, Wrong: wrong, AtMost: stat.AtMost(wrong, sets)}
}

// ErrorRates says how often verdicts were wrong where the truth was known.
type ErrorRates struct {
	Clean    Errors `json:"clean"`    // called poisoned
	Poisoned Errors `json:"poisoned"` // not called so, or under another label
	// Mended counts clean sets beside these that were called poisoned, until limits were made stricter because of them.
	Mended int `json:"mended,omitempty"`
	// AllPoisoned counts all poisoned sets that were tried under these settings, those that led to changes too.
	AllPoisoned Errors   `json:"all_poisoned"`
	Families    []string `json:"families"` // of data, that all sets are of
}
