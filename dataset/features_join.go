package dataset

import (
	"fmt"
	"path"
)

// joinFeatures finds each image's list by its source, or by the last two elements of that, or by the last one, where they are no other
// image's and no other row's. It counts the rows that are of no image.
func joinFeatures(names []string, start []int32, set *Set) (rows []int32, unused int, err error) {
	whole, ends := map[string]int{}, [2]map[string]int{{}, {}}
	for k, n := range names {
		n = path.Clean(slashed(n))
		if j, ok := whole[n]; ok {
			return nil, 0, fmt.Errorf("rows %d and %d are both of %q", j, k, n)
		}
		whole[n] = k
		for e := range ends {
			add(ends[e], lastOf(n, e), k)
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
	find := func(file string) (int, bool) {
		if k, ok := whole[file]; ok {
			return k, true
		}
		for e := range ends {
			end := lastOf(file, e)
			k, ok := ends[e][end]
			if !ok || end == "" || k < 0 || images[e][end] < 0 {
				continue
			}
			// Of one name in two folders of the data, either image may be left out of the set.
			other := parent(slashed(names[k]))
			return k, other == "" || other == parent(file) || !folders[other]
		}
		return 0, false
	}
	used := make([]bool, len(names))
	rows = make([]int32, set.Len())
	for i := range rows {
		rows[i] = -1
		if k, ok := find(set.featuresName(i)); ok {
			rows[i], used[k] = start[k], true
		}
	}
	for _, u := range used {
		unused += bit(!u)
	}
	return rows, unused, nil
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
