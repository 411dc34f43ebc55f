package auto

import (
	"cmp"
	"slices"

	"github.com/unpoison/unpoison/defense"
)

// The limits of the verdict; docs/auto.md has the measurements that they lie between.
const (
	leakSurely = 0.10 // of the images under other labels: no further round will change that
	leakClass  = 0.01 // what was learnt is the class
	blurred    = 0.10 // of the label's images in between: what was learnt is a matter of degree
	sharp      = 0.05 // a trigger is there or not
	agree      = 0.95 // of two rounds' flagged images
	fewest     = 10   // flagged images that a verdict rests on
)

// says judges a label by its last round.
func says(t *defense.Target) string {
	leak, between := float64(t.Leak)/float64(max(1, t.Others)), float64(t.Between)/float64(max(1, t.Images))
	switch {
	case leak > leakSurely || t.Flagged < fewest:
		return defense.NoEvidence
	case t.Rounds < 2:
		return defense.CantTell
	case leak > leakClass || between > blurred:
		return defense.NoEvidence
	case between <= sharp && t.Agreement >= agree:
		return defense.Poisoned
	}
	return defense.CantTell
}

// verdict joins what was seen of the labels.
func verdict(targets []defense.Target) *defense.Verdict {
	v := &defense.Verdict{Says: defense.NoEvidence, Targets: targets}
	rank := []string{defense.Poisoned, defense.CantTell, defense.NoEvidence}
	for _, t := range targets {
		if slices.Index(rank, t.Says) < slices.Index(rank, v.Says) {
			v.Says = t.Says
		}
	}
	slices.SortStableFunc(v.Targets, func(a, b defense.Target) int {
		return cmp.Compare(slices.Index(rank, a.Says), slices.Index(rank, b.Says))
	})
	return v
}

// encode and decode carry targets through a checkpoint, which holds float32; the counts are below 2²⁴.
func encode(targets []defense.Target) []float32 {
	var a []float32
	for _, t := range targets {
		for _, v := range []int{t.Index, t.Images, t.Flagged, t.Between, t.Others, t.Leak, t.Rounds} {
			a = append(a, float32(v))
		}
		a = append(a, float32(t.Agreement))
	}
	return a
}

func decode(a []float32, classes []string) []defense.Target {
	const fields = 8
	targets := make([]defense.Target, 0, len(a)/fields)
	for ; len(a) >= fields; a = a[fields:] {
		n := func(k int) int { return int(a[k]) }
		t := defense.Target{
			Index: n(0), Class: classes[n(0)], Images: n(1), Flagged: n(2), Between: n(3), Others: n(4), Leak: n(5), Rounds: n(6),
			Agreement: float64(a[7]),
		}
		t.Says = says(&t)
		targets = append(targets, t)
	}
	return targets
}
