package dataset

import "slices"

// leaveOut marks the records that could not be read, where the layout lets them go, and says how many go and stay.
func (f *filter) leaveOut() error {
	if len(f.data.Skipped) == 0 {
		return nil
	}
	leave, err := f.leaver()
	if err != nil {
		return err
	}
	gone, stays := 0, -1
	for i, r := range f.data.bads {
		switch {
		case leave(r):
			gone++
		case stays < 0:
			stays = i
		}
	}
	if gone > 0 {
		f.note("%d records that could not be read are left out", gone)
	}
	if n := len(f.data.Skipped) - gone; n > 0 {
		f.note("%d records that could not be read stay in it, the first: %v", n, f.data.Skipped[max(0, stays)])
	}
	return nil
}

// leaver returns what marks a record of the layout, and tells whether it could.
func (f *filter) leaver() (func(r badRecord) bool, error) {
	switch f.data.Layout {
	case "folder":
		return f.leaveFile, nil
	case "gtsrb", "table":
		used := map[string]bool{} // files of images
		for _, s := range []*Set{f.data.Train, f.data.Test} {
			for i := range s.count() {
				file, _ := s.origin(i)
				used[file] = true
			}
		}
		return func(r badRecord) bool { return f.leaveListed(r, used) }, nil
	case "webdataset":
		files, err := f.named(shardSuffixes)
		return func(r badRecord) bool { return f.leaveMember(r, files) }, err
	case "numpy", "idx":
		return func(r badRecord) bool { return r.part == f.data.parts[0] && f.leaveRow(r) }, nil
	}
	return f.leaveRow, nil
}

func (f *filter) leaveFile(r badRecord) bool {
	if !f.there(r.source) {
		return false
	}
	f.files[r.source] = true
	return true
}

// leaveListed leaves out a table's row and its file, unless that is an image of another row.
func (f *filter) leaveListed(r badRecord, used map[string]bool) bool {
	if r.table == "" {
		return false
	}
	if f.bad[r.table] == nil {
		f.bad[r.table] = map[int]bool{}
	}
	f.bad[r.table][r.tableRow] = true
	if r.source != r.table && !used[r.source] && f.listedFile(r.table, r.source) != "" {
		f.files[r.source] = true // the table layout looks who else names it
	}
	return true
}

// leaveMember leaves out a sample of a shard that is whole.
func (f *filter) leaveMember(r badRecord, files []string) bool {
	file, _ := f.memberOf(r.source, files)
	if file == "" || slices.ContainsFunc(f.data.bads, func(b badRecord) bool { return f.path(b.source, files) == file }) {
		return false
	}
	f.members = append(f.members, r.source)
	return true
}

func (f *filter) leaveRow(r badRecord) bool {
	if r.row < 0 {
		return false
	}
	f.change(r.source).drop[r.row] = true
	return true
}

// dropRest drops the rows that a cut-off file of many images claims beyond the last that came.
func (f *filter) dropRest(file string, claimed int) {
	if len(f.data.bads) == 0 {
		return
	}
	last := -1
	for _, s := range []*Set{f.data.Train, f.data.Test} { // one array may hold both
		for i := range s.count() {
			if of, row := s.origin(i); of == file {
				last = max(last, row)
			}
		}
	}
	for _, r := range f.data.bads {
		if r.source == file {
			last = max(last, r.row)
		}
	}
	for row := last + 1; row < claimed; row++ {
		f.change(file).drop[row] = true
	}
}
