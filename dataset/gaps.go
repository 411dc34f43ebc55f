package dataset

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	numberedOf   = regexp.MustCompile(`^(.*?)([0-9]+)-of-([0-9]+)`)
	numberedFile = regexp.MustCompile(`^(.*?)([0-9]+)(\.[^0-9]*)$`)
)

// shardRun are the files that are numbered alike.
type shardRun struct {
	begin, end string // of their names, around the number
	digits     int
	of         int // how many there are by their names; 0: not said
	there      []int
}

// gaps says which files of a numbered list are missing: train-00001-of-00003, or what lies between others.
func (s *store) gaps(p parts) (notes []string) {
	for _, files := range [][]string{p.train, p.test, p.val} {
		runs, order := map[string]*shardRun{}, []*shardRun{}
		for _, file := range files {
			name, r := s.rel(filepath.Dir(file))+"/"+filepath.Base(file), &shardRun{}
			m := numberedOf.FindStringSubmatch(name)
			if m != nil {
				r.of, _ = strconv.Atoi(m[3])
				r.end = "-of-" + m[3]
			} else if m = numberedFile.FindStringSubmatch(name); m != nil {
				r.end = m[3]
			} else {
				continue
			}
			r.begin, r.digits = strings.TrimPrefix(m[1], "./"), len(m[2])
			n, err := strconv.Atoi(m[2])
			if err != nil || r.of > maxEntries {
				continue
			}
			key := r.begin + "\x00" + r.end
			if runs[key] == nil {
				runs[key], order = r, append(order, r)
			}
			runs[key].there = append(runs[key].there, n)
		}
		for _, r := range order {
			if gone := r.missing(); len(gone) > 0 {
				if len(gone) > mostNamed {
					gone = append(gone[:mostNamed], "…")
				}
				notes = append(notes, "not there: "+strings.Join(gone, ", "))
			}
		}
	}
	return notes
}

// missing names the files that are not there. Numbers that are mostly gaps, such as dates, count nothing.
func (r *shardRun) missing() (gone []string) {
	slices.Sort(r.there)
	r.there = slices.Compact(r.there)
	first, last := r.there[0], r.there[len(r.there)-1]
	if r.of > 0 {
		first, last = 0, r.of-1
		if r.there[0] > 0 && r.there[len(r.there)-1] == r.of {
			first, last = 1, r.of
		}
	} else if last-first+1 >= 2*len(r.there) {
		return nil
	}
	for n := first; n <= last; n++ {
		if _, ok := slices.BinarySearch(r.there, n); !ok {
			gone = append(gone, fmt.Sprintf("%s%0*d%s", r.begin, r.digits, n, r.end))
		}
	}
	return gone
}
