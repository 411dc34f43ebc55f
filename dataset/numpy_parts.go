package dataset

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// NumPy arrays that hold the images of several parts say so in another, as tables do in a column.

// splitArray says the part of each row; nil: none does.
type splitArray struct {
	name string
	all  *labelList
}

func (s *splitArray) by() string {
	if s == nil {
		return ""
	}
	return s.name
}

func (s *splitArray) at(i int) string {
	if s == nil || i >= s.all.len() {
		return ""
	}
	return partSaid(asksPart(s.name), s.all.at(i).String())
}

// parted finds the array that parts the images, by its name and as many rows. What can't be read is none.
func (a *arrays) parted(files map[string]*packedArray, o Options) (*partColumns, error) {
	all, columns := map[string]*labelList{}, newPartColumns()
	columns.rows = a.claimed
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !slices.Contains(splitColumns, name) && asksPart(name) == "" || slices.Contains([]string{strings.ToLower(o.Image), strings.ToLower(o.Label)}, name) {
			continue
		}
		l, err := numpyLabels(files[name])
		if err != nil || l.len() != a.claimed {
			continue
		}
		for i := range l.len() {
			columns.count(name).add(l.at(i).String())
		}
		all[name] = l
	}
	by, err := columns.column()
	if by != "" {
		a.split = &splitArray{by, all[by]}
	}
	return columns, err
}

// arraysOfParts returns the arrays of archives, or of folders, one a part: those of the training as they are called, and others by the
// names that they have where all parts lie in one place. Nil: there are none such.
func (s *store) arraysOfParts(dir string, zips []string, o Options) map[string]*packedArray {
	all, places := map[string]*packedArray{}, map[string]bool{}
	add := func(place, part string, arrays map[string]*packedArray) bool {
		if part == "" || places[part] {
			return false
		}
		places[part] = true
		of := map[string]*packedArray{}
		for name, a := range arrays {
			if part != "train" {
				a.called, name = s.rel(place)+"/"+name, nameInPart(name, part, o)
			}
			putArray(of, name, a)
			putArray(all, name, a)
		}
		return part == "train" && holdsImages(of, o) || slices.ContainsFunc(numpyNames[part][0], func(n string) bool { return of[n] != nil })
	}
	for _, p := range zips {
		if !add(p, partOf(filepath.Base(p)), s.zipArrays(p, true)) {
			return nil
		}
	}
	if len(zips) == 0 {
		for _, name := range s.subfolders(dir) {
			if part, p := splitOf(name), filepath.Join(dir, name); part != "" {
				if arrays, _, err := s.arraysIn(p, o); err != nil || !add(p, part, arrays) {
					return nil
				}
			}
		}
	}
	if !places["train"] || len(places) < 2 {
		return nil
	}
	return all
}

// nameInPart is what an array in a place of a part would be called beside those of the training.
func nameInPart(name, part string, o Options) string {
	for kind, asked := range []string{o.Image, o.Label} {
		known := numpyNames["train"][kind]
		if asked != "" {
			known = []string{strings.ToLower(asked)}
		}
		if slices.Contains(numpyNames[part][kind], name) || slices.Contains(known, name) {
			return numpyNames[part][kind][0]
		}
	}
	return part + "/" + name
}

// otherArrays says what makes data that are read of images in several archives, or in a folder a part; "" where there are none.
func (s *store) otherArrays(dir string, o Options) string {
	const one = ", and not one place with images for each part, as train.npz and test.npz; np.savez of x_train, y_train, x_test and y_test makes one archive of all parts"
	entries, _ := os.ReadDir(dir)
	var zips []string
	for _, e := range entries {
		p := filepath.Join(dir, e.Name())
		switch {
		case passedOver(e.Name()):
		case strings.EqualFold(filepath.Ext(e.Name()), ".npz"):
			if holdsImages(s.zipArrays(p, false), o) {
				zips = append(zips, p)
			}
		case splitOf(e.Name()) == "train":
			if st, err := s.stat(p); err != nil || !st.IsDir() {
				continue
			}
			if files, _, err := s.arraysIn(p, o); err == nil && holdsImages(files, o) {
				return fmt.Sprintf("%s holds arrays of images%s; numpy:%s reads that part alone", p, one, p)
			}
		}
	}
	if len(zips) == 0 {
		return s.strangeArrays(dir, o)
	}
	if len(zips) == 1 {
		return ""
	}
	return fmt.Sprintf("%s and %s both hold images%s; numpy:%s reads one alone", zips[0], zips[1], one, zips[0])
}

// strangeArrays says which arrays there are where none has the name of images.
func (s *store) strangeArrays(dir string, o Options) string {
	all, zips, err := s.arraysIn(dir, o)
	if err != nil || len(all) == 0 {
		return ""
	}
	where, found := dir, slices.Sorted(maps.Keys(all))
	if len(zips) == 1 {
		where = zips[0]
	}
	return fmt.Sprintf("%s: expected an array of images (%s), or --image NAME and --label NAME, found %q%s", where, strings.Join(numpyNames["train"][0], ", "), found[:min(len(found), mostNamed)], more(len(found)-mostNamed))
}
