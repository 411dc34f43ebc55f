package defense

import "gonum.org/v1/gonum/stat/distuv"

// Errors counts the data sets of a kind on which verdicts were wrong.
type Errors struct {
	Sets  int `json:"sets"`
	Wrong int `json:"wrong"`
	// AtMost is the rate of errors, from 0 to 1, that lies above the true one with 95 % confidence.
	AtMost float64 `json:"at_most"`
}

// CountErrors returns the rate of wrong ones among so many sets.
func CountErrors(wrong, sets int) Errors {
	return Errors{Sets: sets, Wrong: wrong, AtMost: AtMost(wrong, sets)}
}

// AtMost returns the share, from 0 to 1, that lies above the true one with 95 % confidence where k of n were seen to be so
// (Clopper and Pearson, Biometrika 1934, one-sided).
func AtMost(k, n int) float64 {
	if k >= n {
		return 1
	}
	return distuv.Beta{Alpha: float64(k + 1), Beta: float64(n - k)}.Quantile(0.95) // under that share so few come with a probability of 5 %
}

// ErrorRates says how often verdicts were wrong where the truth was known.
type ErrorRates struct {
	Clean    Errors `json:"clean"`    // called poisoned
	Poisoned Errors `json:"poisoned"` // not called so, or under another label
	// Mended counts clean sets beside these that were called poisoned, until limits were made stricter because of them.
	Mended int `json:"mended,omitempty"`
}
