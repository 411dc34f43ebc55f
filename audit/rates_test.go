package audit

import (
	"math"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
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
	a.Correct, a.Stamp = false, false
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

// A verdict is compared with the clean sets that settings were chosen on; those that report count errors.
func TestCalibrationAndRates(t *testing.T) {
	sets := []MeasuredSet{
		{Family: "a", Truth: TruthClean, Images: 1000, Classes: 10, Confirmed: 0.6, Strength: 0.5, Right: true},
		{Family: "a", Truth: TruthClean, Images: 5000, Classes: 4, Confirmed: 0.9, Strength: 0.9, Right: true},
		{Family: "a", Truth: TruthMarked, Images: 9000, Classes: 10, Strength: 3, Says: look.Shortcut, Right: true},
		{Family: "a", Truth: "badnets", Images: 9000, Classes: 10, Strength: 3, Says: look.Poisoned, Right: true},
		{Family: "c", Reports: true, Truth: TruthClean, Strength: 0.8, Says: look.CantTell, Right: true},
		{Family: "b", Reports: true, Truth: TruthClean, Strength: 1.8, Says: look.Poisoned},
		{Family: "b", Reports: true, Truth: TruthMarked, Strength: 1.8, Says: look.Shortcut, Right: true},
		{Family: "d", Reports: true, Truth: "bpp", Strength: 0.3},
		{Family: "e", Reports: true, Earlier: true, Truth: TruthClean, Strength: 5, Says: look.Poisoned},
		{Family: "a", Earlier: true, Truth: TruthClean, Strength: 5},
		{Family: "f", Reports: true, Size: 128, Truth: TruthClean, Strength: 5, Says: look.Poisoned}, // another network
		{Family: "g", Reports: true, Fails: true, Truth: "wanet"},                                    // no backdoor
		{Family: "a", Size: 96, Truth: TruthClean, Strength: 5},
	}
	r := Rates(sets)
	if r.Clean != CountErrors(1, 3) || r.ByFamily != CountErrors(1, 2) || r.Poisoned != CountErrors(1, 1) || r.Unsure != 1 || !slices.Equal(r.Families, []string{"b", "c"}) {
		t.Errorf("%+v", r)
	}
	for strength, want := range map[float64]int{0.4: 2, 0.5: 2, 0.6: 1, 0.95: 0} {
		v := Verdict{Strength: strength, Confirmed: 0.7}
		c := v.Calibrate(sets, 3000, 10)
		if c.Sets != 2 || c.AsStrong != want || c.P != float64(want+1)/3 || c.Highest != 0.9 || len(c.Unlike) > 0 {
			t.Errorf("%g: %+v", strength, c)
		}
	}
	v := Verdict{Confirmed: 0.95}
	if c := v.Calibrate(sets, 50000, 2); len(c.Unlike) != 3 {
		t.Errorf("%+v", c)
	}
	if c := v.Calibrate(sets[4:], 1, 1); c != nil {
		t.Errorf("%+v", c)
	}
}
