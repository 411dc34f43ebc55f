package audit

import (
	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/defense"
)

// Measured says how often verdicts under the default settings, with WRN-16-1, were wrong: on clean data sets that no limit was
// chosen on, and on poisoned ones, of which docs/measured/limits.md says where they led to changes. docs/measured/verdict.md lists them.
func Measured() defense.ErrorRates {
	return defense.ErrorRates{Clean: defense.CountErrors(0, 61), Poisoned: defense.CountErrors(0, 62), Mended: 3}
}

// measured returns the rates where they apply: with any part of the search set otherwise, or with another network, nothing was
// measured.
func (a Options) measured(network string) *defense.ErrorRates {
	a.Against, a.Stamp = Default().Against, Default().Stamp // no part of the search
	if a != Default() || network != abl.Default().Network {
		return nil
	}
	m := Measured()
	return &m
}
