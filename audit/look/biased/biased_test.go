package biased

import (
	"context"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/train"
)

func TestSays(t *testing.T) {
	trigger := Facts{Counts: look.Counts{Images: 1000, Flagged: 500, Between: 5, Others: 9000, Leak: 1}, Agreement: 0.99, Rounds: 3}
	for name, c := range map[string]struct {
		change func(t *Facts)
		want   look.Says
	}{
		"a trigger":           {func(*Facts) {}, look.Poisoned},
		"one round":           {func(t *Facts) { t.Rounds = 1 }, look.CantTell},
		"other labels too":    {func(t *Facts) { t.Leak = 200 }, look.NoEvidence},
		"a few other labels":  {func(t *Facts) { t.Leak = 50 }, look.Poisoned},
		"some other labels":   {func(t *Facts) { t.Leak = 100 }, look.NoEvidence},
		"some in between":     {func(t *Facts) { t.Between = 80 }, look.CantTell},
		"many in between":     {func(t *Facts) { t.Between = 300 }, look.NoEvidence},
		"rounds that differ":  {func(t *Facts) { t.Agreement = 0.9 }, look.CantTell},
		"hardly anything":     {func(t *Facts) { t.Flagged = 3 }, look.NoEvidence},
		"hardly, in a glance": {func(t *Facts) { t.Flagged, t.Rounds = 3, 1 }, look.NoEvidence},
	} {
		f := trigger
		c.change(&f)
		if got := f.Says(); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Where the biased network found the label's honest images, the others are suspected instead if they plainly look like images of
// other labels, and none where that is not plain; what it found stays suspected otherwise.
func TestQuestion(t *testing.T) {
	const n = 200
	set := &dataset.Set{Classes: []string{"a", "b", "c", "d", "e"}, Labels: make([]int32, n)}
	one, varied := []float64{0, 1, 0, 0, 0}, func(i int) []float64 {
		p := make([]float64, 5)
		p[1+i%4] = 1
		return p
	}
	for name, c := range map[string]struct {
		foundPlanted bool
		planted      int
		usual        float64
		says         look.Says
		by           look.Name
		flagged      int
		leak         int // of the label's other images, where they are suspected
	}{
		"the planted ones":                     {true, 60, 0.3, look.Poisoned, Name, 60, 0},
		"the honest ones":                      {false, 60, 0.3, look.Poisoned, Labels, 60, 0},
		"the honest ones, it seems":            {false, 60, 0.5, look.CantTell, Name, 0, 0},
		"the honest ones, and the others leak": {false, 60, 0.3, look.NoEvidence, Labels, 0, 300},
		"where all labels vary":                {false, 60, 0.9, look.Poisoned, Name, n - 60, 0},
		"beside few others":                    {false, 12, 0.3, look.Poisoned, Name, n - 12, 0},
	} {
		second, found, scores := make([][]float64, n), make([]float32, n), make([]float32, n)
		for i := range n {
			second[i] = one
			if i < c.planted {
				second[i] = varied(i)
			}
			if (i < c.planted) == c.foundPlanted {
				found[i] = 0.99
			}
		}
		run := &train.Run{Data: set}
		cs, err := look.NewCase(run, scores, look.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		cs.Order() // all images: the biased network was asked of them
		copy(cs.Found(), found)
		f := Facts{Counts: look.Counts{Images: n, Flagged: n - c.planted, Others: 800}, Agreement: 1, Rounds: 3}
		e := look.Evidence{Look: Name, Says: look.Poisoned, Facts: f}
		if err := cs.Add(context.Background(), e); err != nil {
			t.Fatal(err)
		}
		got, changed, err := question(cs, e, f, second, c.usual, func(suspects, honest []int) (look.Trained, error) {
			if len(suspects) != c.planted || len(honest) != n-c.planted {
				t.Errorf("%s: asked about %d images beside %d", name, len(suspects), len(honest))
			}
			trained := look.Trained{Counts: look.Counts{Images: n, Flagged: c.planted, Others: 800, Leak: c.leak}, Agreement: 1, Rounds: 3, P: make([]float32, n)}
			for _, i := range suspects {
				trained.P[i] = 1
			}
			return trained, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := cs.Replace(context.Background(), []look.Evidence{e}, []look.Evidence{got}); err != nil {
			t.Fatal(err)
		}
		flaggedNow := 0
		for i, p := range cs.Found() {
			if p > look.Flagged {
				flaggedNow++
			}
			if p > look.Flagged && (i < c.planted) != (c.flagged == c.planted) {
				t.Errorf("%s: image %d is flagged", name, i)
			}
		}
		if got.Says != c.says || got.Look != c.by || flaggedNow != c.flagged || changed != (c.by == Labels || c.says == look.CantTell) {
			t.Errorf("%s: %d flagged, changed: %v, %+v", name, flaggedNow, changed, got)
		}
	}
}
