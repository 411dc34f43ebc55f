package detect

import (
	"math"
	"path/filepath"
	"slices"
	"testing"
)

// results are made-up scores: planted images score above clean ones by so much.
func results(t *testing.T, gaps map[string]float32) *Results {
	t.Helper()
	path := filepath.Join(t.TempDir(), "detect.jsonl")
	st, err := openStore(path)
	if err != nil {
		t.Fatal(err)
	}
	sets, err := Sets()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sets {
		if s.Family != "cifar10" || s.Images != 10_000 || s.Poisoned() && attackOf(&s) != "blend" {
			continue
		}
		n := 1000
		scores, flagged, truth := make([]float32, n), make([]bool, n), make([]Truth, n)
		for name, gap := range gaps {
			for i := range n {
				scores[i] = float32(i%100) / 100
				truth[i], flagged[i] = Clean, name != Ours && i%100 == 99
				if s.Poisoned() && i >= 900 {
					scores[i] += gap
					truth[i], flagged[i] = Planted, scores[i] > 0.99
				}
			}
			asr := 100.0
			if s.share() < 0.01 {
				asr = 10
			}
			v := &Score{Set: s, Detector: name, Images: n, Rates: measure(scores, flagged, truth), CA: new(90.0), ASR: &asr, Verdict: "poisoned"}
			if name == Ours {
				yes := s.share() != 0.05
				v.Right, v.ASR = &yes, nil
			}
			if !s.Poisoned() {
				v.Right, v.ASR = nil, nil
			}
			if err := st.add(v); err != nil {
				t.Fatal(err)
			}
		}
	}
	r, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The plots are those that the results allow, and their lines say what the scores do.
func TestPlots(t *testing.T) {
	r := results(t, map[string]float32{Ours: 2, "scan": 0.5, "spectral": 0})
	plots, err := r.Plots()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range plots {
		names = append(names, p.Name)
	}
	if want := []string{"roc", "roc-blend", "rate-blend", "removed"}; !slices.Equal(names, want) {
		t.Errorf("plots %v, want %v", names, want)
	}
	poisoned, clean := r.whole(among(r.sets, (*Set).Poisoned)), r.whole(among(r.sets, func(s *Set) bool { return !s.Poisoned() }))
	if got := r.foremost(poisoned); !slices.Equal(got, []string{Ours, "scan", "spectral"}) {
		t.Errorf("foremost %v", got)
	}
	rates := r.byRate(poisoned, Ours)
	if want := []float64{0.3, 1, 5, 10}; len(rates.X) != len(want) || math.Abs(rates.X[0]-want[0])+math.Abs(rates.X[3]-want[3]) > 1e-9 || rates.Y[0] != 100 {
		t.Errorf("TPR by rate: %+v, want 100 at %v", rates, want)
	}
	chance, perfect := r.roc(poisoned, "spectral"), r.roc(poisoned, Ours)
	for k, fpr := range chance.X {
		if perfect.Y[k] != 100 || chance.Y[k] > fpr || chance.Y[k] < fpr-1.01 {
			t.Errorf("at %g %% FPR: TPR %g %% by a perfect order, %g %% by chance", fpr, perfect.Y[k], chance.Y[k])
		}
	}
	if all := r.removed(clean, "scan"); all.Y[0] != 100 || all.Y[len(all.Y)-1] != 0 {
		t.Errorf("removed: %+v", all)
	}
	if none := r.removed(clean, Ours); slices.Max(none.Y) != 0 {
		t.Errorf("removed where nothing is flagged: %+v", none)
	}
}

// A set counts as working by the ASR that a detector's score has.
func TestRightness(t *testing.T) {
	r := results(t, map[string]float32{Ours: 2, "scan": 0.5})
	all, working := r.rightness(Ours)
	if all != "3 of 4" || working != "2 of 3" {
		t.Errorf("right about %s, where the attack works %s; want 3 of 4 and 2 of 3", all, working)
	}
	if all, _ := r.rightness("scan"); all != "–" {
		t.Errorf("scan is right about %s", all)
	}
}
