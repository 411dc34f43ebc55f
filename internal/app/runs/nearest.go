package runs

import (
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
	among := make([]*findings.Gallery, len(set.Classes))
	all := make([][]int, len(shown))
	for k, s := range shown {
		l := set.Labels[s.Index]
		if among[l] == nil {
			among[l] = findings.NewGallery(set, kept[l][len(kept[l])*3/4:])
		}
		all[k] = among[l].Nearest(s.Index, nearCount, func(other int) bool { return other == s.Index })
	}
	return all
}
