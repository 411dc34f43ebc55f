package audit

import (
	"math"
	"testing"
)

// With no error in n the bound solves (1-p)^n = 0.05; the others are from published tables of the one-sided
// Clopper–Pearson limits.
func TestCountErrors(t *testing.T) {
	for _, c := range []struct {
		k, n int
		want float64
	}{{0, 60, 1 - math.Pow(0.05, 1.0/60)}, {0, 10, 0.2589}, {1, 10, 0.3942}, {2, 20, 0.2826}, {5, 5, 1}, {0, 0, 1}} {
		if got := CountErrors(c.k, c.n); math.Abs(got.AtMost-c.want) > 1e-4 || got.Sets != c.n || got.Wrong != c.k {
			t.Errorf("%d errors in %d: %+v, expected %g", c.k, c.n, got, c.want)
		}
	}
}

// What is no part of the search does not tell configurations apart; all else does.
func TestConfigurationsAreTold(t *testing.T) {
	of := func(a Options, more any) string {
		d, err := a.digest(more)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	want := of(Default(), 1)
	a := Default()
	a.Against, a.Correct, a.Stamp = 0.1, false, false
	if of(a, 1) != want {
		t.Error("what is done with suspects tells configurations apart")
	}
	for name, change := range map[string]func(a *Options){
		"content": func(a *Options) { a.Content = false },
		"pixels":  func(a *Options) { a.Pixels = false },
		"inspect": func(a *Options) { a.InspectEpochs++ },
	} {
		a := Default()
		if change(&a); of(a, 1) == want {
			t.Errorf("another %s is the same configuration", name)
		}
	}
	if of(Default(), 2) == want {
		t.Error("other settings beside the search are the same configuration")
	}
}
