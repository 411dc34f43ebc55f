package train

import (
	"slices"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
)

// Sample draws about n of some images, by label: of each label the same share, but at least half of what it would have if all
// labels were as frequent, so that rare ones are learnt too. It returns them in increasing order, and all for n = 0 or where there
// are not more.
func Sample(set *dataset.Set, images []int, n int, seed uint64, purpose string) []int {
	if n == 0 || len(images) <= n {
		return images
	}
	of := make([][]int, len(set.Classes))
	for _, i := range images {
		of[set.Labels[i]] = append(of[set.Labels[i]], i)
	}
	var out []int
	for label, own := range of {
		k := max((len(own)*n+len(images)-1)/len(images), n/(2*len(of)))
		for _, j := range rng.Shuffle(seed, purpose, len(own), label)[:min(k, len(own))] {
			out = append(out, own[j])
		}
	}
	slices.Sort(out)
	return out
}
