package dataset

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// joined is which row each image of a set has.
type joined struct {
	rows   []int32 // per image: its list, −1 if it has none
	unused int     // rows that are of no image
	apart  string  // one of their names that would be an image's, were it not another part's; empty: there is none
}

// joinFeatures finds each image's list by its source, or by the last two elements of that, or by the last one, where they are no other
// image's and no other row's. Rows whose names say another part of the data are of no image.
func joinFeatures(names []string, start []int32, set *Set) (*joined, error) {
	whole, ends := map[string]int{}, [2]map[string][]int32{{}, {}}
	for k, n := range names {
		n = path.Clean(slashed(n))
		if j, ok := whole[n]; ok {
			return nil, fmt.Errorf("rows %d and %d are both of %q", j, k, n)
		}
		whole[n] = k
		for e := range ends {
			end := lastOf(n, e)
			ends[e][end] = append(ends[e][end], int32(k))
		}
	}
	files, folders, images := map[string]bool{}, map[string]bool{}, [2]map[string]int{{}, {}}
	for i := range set.Len() {
		file := set.featuresName(i)
		if files[file] {
			continue // a table that names it again
		}
		files[file], folders[parent(file)] = true, true
		for e := range images {
			add(images[e], lastOf(file, e), i)
		}
	}
	out := &joined{rows: make([]int32, set.Len())}
	find := func(i int, file string) (int, bool) {
		if k, ok := whole[file]; ok {
			return k, true
		}
		for e := range ends {
			end := lastOf(file, e)
			if end == "" || images[e][end] < 0 {
				continue
			}
			of := slices.DeleteFunc(slices.Clone(ends[e][end]), func(k int32) bool {
				other := set.otherPart(i, file, path.Clean(slashed(names[k])))
				if other && out.apart == "" {
					out.apart = names[k]
				}
				return other
			})
			if len(of) != 1 {
				continue
			}
			// Of one name in two folders of the data, either image may be left out of the set.
			other := parent(slashed(names[of[0]]))
			return int(of[0]), other == "" || other == parent(file) || !folders[other]
		}
		return 0, false
	}
	used := make([]bool, len(names))
	for i := range out.rows {
		out.rows[i] = -1
		if k, ok := find(i, set.featuresName(i)); ok {
			out.rows[i], used[k] = start[k], true
		}
	}
	for _, u := range used {
		out.unused += bit(!u)
	}
	return out, nil
}

// otherPart tells whether a name that ends as that of image i does says another part of the data, in the folders above.
func (s *Set) otherPart(i int, file, name string) bool {
	mine, its := strings.Split(s.folder+"/"+file, "/"), strings.Split(name, "/")
	shared := 0
	for shared < min(len(mine), len(its)) && mine[len(mine)-1-shared] == its[len(its)-1-shared] {
		shared++
	}
	folders := mine[:len(mine)-1]
	if n := len(folders); n > 1 && folders[n-1] == s.Classes[s.Labels[i]] { // a class may have the name of a part
		folders = folders[:n-1]
	}
	apart := folders[:min(len(folders), len(mine)-shared)]
	by := wholeWord
	part := innermostPart(apart, by)
	if part == "" {
		if part = innermostPart(apart, anyWord); part != "" {
			by = anyWord
		}
	}
	says := innermostPart(its[:len(its)-shared], by)
	if len(apart) == 0 || says == "" {
		return false
	}
	if part == "" {
		if innermostPart(folders[len(apart):], wholeWord) != "" { // both say it
			return false
		}
		part = "train"
	}
	return says != part
}

// innermostPart is the part that the last of folders and archives names which names any.
func innermostPart(folders []string, of func(folder string) string) string {
	for _, f := range slices.Backward(folders) {
		if part := of(f); part != "" {
			return part
		}
	}
	return ""
}

// wholeWord is the part that a folder's name is a word for.
func wholeWord(folder string) string {
	stem, _, _ := strings.Cut(folder, ".")
	return splitOf(stem)
}

// anyWord is the part that a word of a folder's name says, as seg_test does.
func anyWord(folder string) string {
	for _, w := range letters(folder) {
		if part := splitOf(w); part != "" {
			return part
		}
	}
	return ""
}

// featuresName is the name that features of image i go by: its source, or its file where a table names that more than once.
func (s *Set) featuresName(i int) string {
	if table, _ := s.Listed(i); table != "" {
		file, _ := s.origin(i)
		return file
	}
	return s.Source(i)
}

// lastOf returns the last two elements of a name, or with one less than these the last; empty if it has no two.
func lastOf(name string, less int) string {
	base, dir := path.Base(name), parent(name)
	switch {
	case less > 0:
		return base
	case dir == "":
		return ""
	}
	return dir + "/" + base
}

// parent is the folder in a name, without those above; empty if it has none.
func parent(name string) string {
	if dir := path.Base(path.Dir(name)); dir != "." && dir != "/" {
		return dir
	}
	return ""
}

// add notes the only place of a name, or −1 if there are several.
func add(places map[string]int, name string, at int) {
	if _, ok := places[name]; ok {
		at = -1
	}
	places[name] = at
}
