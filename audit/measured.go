package audit

import "github.com/unpoison/unpoison/audit/stat"

// Measured says how often verdicts under the default settings, with WRN-16-1, were wrong: on clean data sets that no limit was
// chosen on, and on poisoned ones, of which docs/auto-limits.md says where they led to changes. docs/verdicts.md lists them.
func Measured() ErrorRates {
	return ErrorRates{Clean: CountErrors(0, 61), Poisoned: CountErrors(0, 62), Mended: 3}
}

// measured returns the rates where they apply: with any part of the search set otherwise, or with another network, nothing was
// measured.
func (a Options) measured(network string) *ErrorRates {
	a.Against, a.Stamp = Default().Against, Default().Stamp // no part of the search
	if a != Default() || network != measuredNetwork {
		return nil
	}
	m := Measured()
	return &m
}

// measuredNetwork is the network of those verdicts.
const measuredNetwork = "wrn-16-1"

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
}
