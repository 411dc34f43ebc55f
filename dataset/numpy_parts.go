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

// otherArrays says what makes data that are read of images in several archives, or in a folder a part; "" where there are none.
func (s *store) otherArrays(dir string, o Options) string {
	const one = "; np.savez of x_train, y_train, x_test and y_test makes one archive of all parts"
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
			if files, err := s.numpyFiles(p, o); err == nil && holdsImages(files, o) {
				return fmt.Sprintf("%s holds arrays of images, and arrays of a folder a part are not read%s; numpy:%s reads that part alone", p, one, p)
			}
		}
	}
	if len(zips) < 2 {
		return ""
	}
	return fmt.Sprintf("%s and %s both hold images%s; numpy:%s reads one alone", zips[0], zips[1], one, zips[0])
}
