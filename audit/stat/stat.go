// Package stat holds the statistics that the looks of a search for poison share: flips of labels, spectra of images, classifiers
// on features, exact tests. It knows numbers only, no data set and no network.
package stat

import (
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// AtMost returns the share, from 0 to 1, that lies above the true one with 95 % confidence where k of n were seen to be so
// (Clopper and Pearson, Biometrika 1934, one-sided).
func AtMost(k, n int) float64 {
	if k >= n {
		return 1
	}
	return distuv.Beta{Alpha: float64(k + 1), Beta: float64(n - k)}.Quantile(0.95) // under that share so few come with a probability of 5 %
}

// Median is that of the values that are taken, 0 if there are none.
func Median(values []float64, taken func(k int) bool) float64 {
	var all []float64
	for k, v := range values {
		if taken(k) {
			all = append(all, v)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// Bit is 1 for true.
func Bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Union returns the numbers of two lists, each once, in increasing order.
func Union(a, b []int) []int {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// With returns sorted names with one more, which is there once.
func With(names []string, more string) []string {
	if at, there := slices.BinarySearch(names, more); !there {
		return slices.Insert(names, at, more)
	}
	return names
}
