// Package stat holds the statistics that the looks of a search for poison share: flips of labels, spectra of images, classifiers
// on features, exact tests. It knows numbers only, no data set and no network.
package stat

import (
	"cmp"
	"math/rand/v2"
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

// MedianBut returns Median of the values that are taken but for two of them, which it sorts once for all pairs.
func MedianBut(values []float64, taken func(k int) bool) func(a, b int) float64 {
	var all []int
	for k := range values {
		if taken(k) {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	place := make([]int, len(values)) // of each value among the sorted ones
	for k := range place {
		place[k] = len(all) // of one that is not taken, behind them
	}
	for at, k := range all {
		place[k] = at
	}
	return func(a, b int) float64 {
		first, second := min(place[a], place[b]), max(place[a], place[b])
		n := len(all) - Bit(first < len(all)) - Bit(second < len(all) && second > first)
		if n == 0 {
			return 0
		}
		at := func(k int) float64 { // the k-th of those that are left
			k += Bit(k >= first)
			if first != second {
				k += Bit(k >= second)
			}
			return values[all[k]]
		}
		return (at((n-1)/2) + at(n/2)) / 2
	}
}

// kth returns the value that would be at a place if the values were sorted, which it moves about (Hoare's selection).
func kth(values []float64, place int) float64 {
	r := rand.New(rand.NewPCG(1, 1)) // the value does not depend on it
	for low, high := 0, len(values)-1; low < high; {
		pivot := values[low+r.IntN(high-low+1)]
		i, j := low, high
		for i <= j {
			for values[i] < pivot {
				i++
			}
			for values[j] > pivot {
				j--
			}
			if i <= j {
				values[i], values[j] = values[j], values[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case place <= j:
			high = j
		case place >= i:
			low = i
		default:
			return values[place]
		}
	}
	return values[place]
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
