package detect

import (
	"fmt"

	published "github.com/unpoison/unpoison/detect"
	"github.com/unpoison/unpoison/report"
)

// detectors says what each was given, and on how many sets.
func (r *Results) detectors() report.Table {
	t := report.Table{
		Title: "Detectors", Columns: []string{"detector", "was told", "poisoned sets", "clean sets", "right", "right where the attack works", "paper"},
		Note: fmt.Sprintf("Detectors that need clean images get up to %d test images. Those that ask for the rate are told the true one, %g %% on clean sets. "+
			"Right about a poisoned set: the word, a label of planted images, and no other label. An attack works from an ASR of %d %% on, measured on the network that the detectors get.",
			cleanImages, 100*assumedRate, works),
	}
	papers := map[string]string{}
	for _, d := range published.Builtin() {
		papers[d.Name()] = d.Paper()
	}
	for _, n := range r.names {
		told, count := "", [2]int{}
		for _, s := range r.sets {
			if v := r.store.of(s, n); v != nil {
				told = v.Told
				if s.Poisoned() {
					count[0]++
				} else {
					count[1]++
				}
			}
		}
		all, working := r.rightness(n)
		t.Rows = append(t.Rows, []string{n, told, fmt.Sprint(count[0]), fmt.Sprint(count[1]), all, working, papers[n]})
	}
	return t
}

// works is the ASR, %, from which an attack counts as one.
const works = 20

// works tells whether a network without defence learnt the attack. Where labels are drawn by chance its ASR has its ordinary mistakes in it.
func (w *Without) works(s Set) bool {
	asr := *w.ASR
	if s.Labels == "random" {
		asr -= 100 - *w.CA
	}
	return asr >= works
}

// rightness counts the sets about which a detector is right, of all and of those where the attack works; "–" where it is not asked.
func (r *Results) rightness(name string) (all, working string) {
	var n, of [2]int
	for _, s := range r.sets {
		v := r.store.of(s, name)
		if v == nil || v.Right == nil {
			continue
		}
		w := r.undefended(s)
		for k, counts := range []bool{true, w != nil && w.works(s)} {
			if counts {
				of[k]++
			}
			if counts && *v.Right {
				n[k]++
			}
		}
	}
	text := func(k int) string {
		if of[k] == 0 {
			return "–"
		}
		return fmt.Sprintf("%d of %d", n[k], of[k])
	}
	return text(0), text(1)
}
