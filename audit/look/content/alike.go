package content

import (
	"cmp"
	"slices"

	"github.com/unpoison/unpoison/audit/look"
)

// alike returns controls of the cases: images that show the same as surely, as their labels say, the nearest for each case. An honest
// image under a wrong or doubtful label is often hard to tell, and images that are hard to tell have that in common. It also returns
// the cases that found all their controls: what these show, the controls show as often; and whose control each is.
func alike(content *look.Content, l lesson) (others, matched []int, of map[int]int) {
	two := content.Classes() == 2 // then all images show the other class, if not the one
	except := l.except
	if two {
		except = -1
	}
	pools := make([][]shown, content.Classes())
	for i, y := range content.Labels {
		if int(y) != l.except && content.Knows(i) && content.Shows(i, except) == int(y) {
			pools[y] = append(pools[y], shown{i, surely(content, i, int(y), except)})
		}
	}
	for _, pool := range pools {
		slices.SortStableFunc(pool, func(a, b shown) int { return cmp.Compare(a.surely, b.surely) })
	}
	of = map[int]int{}
	taken := map[int]bool{}
	for _, i := range l.cases { // of many labels, their images may be in pools
		taken[i] = true
	}
	for _, i := range l.cases {
		own := int(content.Labels[i])
		class := content.Shows(i, own)
		if two || l.except < 0 { // controls show their own labels too
			own = -1
		}
		found := nearest(pools[class], surely(content, i, class, own), controls, taken)
		others = append(others, found...)
		for _, j := range found {
			of[j] = i
		}
		if len(found) == controls {
			matched = append(matched, i)
		}
	}
	slices.Sort(others)
	return others, matched, of
}

// shown is an image, and how surely it shows its class.
type shown struct {
	image  int
	surely float64
}

// surely is the probability of an image to show a class if it is not of another one; −1: it may be of any.
func surely(c *look.Content, i, class, not int) float64 {
	if not < 0 {
		return c.P.At(i, class)
	}
	return c.P.At(i, class) / max(1-c.P.At(i, not), leastRatio)
}

// nearest takes n images of a pool that show their class as surely as is wanted, or nearly, and fewer where the pool has no more.
func nearest(pool []shown, want float64, n int, taken map[int]bool) (images []int) {
	above, _ := slices.BinarySearchFunc(pool, want, func(s shown, want float64) int { return cmp.Compare(s.surely, want) })
	below := above - 1
	for len(images) < n && (below >= 0 || above < len(pool)) {
		var s shown
		if above == len(pool) || below >= 0 && want-pool[below].surely < pool[above].surely-want {
			s = pool[below]
			below--
		} else {
			s = pool[above]
			above++
		}
		if !taken[s.image] {
			taken[s.image] = true
			images = append(images, s.image)
		}
	}
	return images
}
