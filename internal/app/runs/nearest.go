package runs

import (
	"slices"

	"github.com/unpoison/unpoison/internal/app/findings"
	"github.com/unpoison/unpoison/isolate"
)

// nearCount is how many images a suspect is compared with.
const nearCount = 2

// nearest returns, for each of some suspects, the indices of the most similar ones of its
// label among the least suspicious quarter of that label's kept images.
func nearest(o *Outcome, shown []isolate.Suspect) [][]int {
	set := o.Train
	kept := make([][]int, len(set.Classes)) // most suspicious first
	for _, s := range o.Trained.Suspects {
		if l := set.Labels[s.Index]; !s.Isolated {
			kept[l] = append(kept[l], s.Index)
		}
	}
	pictures := make([][][]uint8, len(set.Classes))
	type candidate struct{ index, distance int }
	all := make([][]int, len(shown))
	for k, s := range shown {
		l := set.Labels[s.Index]
		pool := kept[l][len(kept[l])*3/4:]
		if pictures[l] == nil {
			for _, i := range pool {
				pictures[l] = append(pictures[l], findings.Shrunk(set, i))
			}
		}
		own := findings.Shrunk(set, s.Index)
		var best []candidate // nearest first
		for c, i := range pool {
			d := findings.Distance(pictures[l][c], own)
			if i == s.Index || len(best) == nearCount && d >= best[nearCount-1].distance {
				continue
			}
			at, _ := slices.BinarySearchFunc(best, d, func(b candidate, d int) int { return b.distance - d })
			best = slices.Insert(best, at, candidate{i, d})
			best = best[:min(len(best), nearCount)]
		}
		for _, b := range best {
			all[k] = append(all[k], b.index)
		}
	}
	return all
}
