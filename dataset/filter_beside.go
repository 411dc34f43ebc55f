package dataset

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/limited"
)

// idColumns are what columns are called that name images by their ids.
var idColumns = []string{"id", "ids", "image_id", "imageid", "img_id", "name", "image_name", "img", "uuid"}

// noteBeside names the files beside images in folders that have rows of dropped ones and stay whole, as far as they tell.
func (f *filter) noteBeside() error {
	called, stems := map[string]bool{}, map[string]bool{}
	for at := range f.files {
		called[path.Base(at)], stems[withoutEnding(path.Base(at))] = true, true
	}
	if len(called) == 0 {
		return nil
	}
	var stay, unread []string
	err := f.eachFile(f.base, func(p string) error {
		rel, err := filepath.Rel(f.base, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch ext := strings.ToLower(path.Ext(rel)); {
		case f.files[rel]:
		case ext == ".parquet":
			unread = append(unread, rel)
		case isTableName(p) && f.listsIDs(rel, p, stems), ext == ".txt" && mentions(p, called, stems), ext == ".json" && mentions(p, called, nil):
			stay = append(stay, rel)
		}
		return nil
	})
	if len(unread) > 0 {
		f.note("these files stay as they are, and may have rows of dropped images; take them out yourself: %s", strings.Join(unread[:min(len(unread), mostNamed)], ", "))
	}
	if len(stay) > 0 {
		f.note("these files name dropped images, by name or id, and stay as they are; take the rows out yourself: %s", strings.Join(stay[:min(len(stay), mostNamed)], ", "))
	}
	return err
}

// listsIDs tells whether a row of a table names a dropped image by its id alone.
func (f *filter) listsIDs(rel, file string, stems map[string]bool) bool {
	head, lines, err := tableText(file)
	if err != nil {
		return false // no table
	}
	of := -1 // of JSON Lines all texts count
	if head.raw != nil {
		if of = slices.Index(head.cells, named(head.cells, slices.Concat(idColumns, pathColumns))); of < 0 {
			return false
		}
	}
	return slices.ContainsFunc(lines, func(l tableLine) bool {
		cells := l.cells
		if of >= 0 {
			cells = cells[min(of, len(cells)):min(of+1, len(cells))]
		}
		return !f.names(rel, l) && slices.ContainsFunc(cells, func(c string) bool { return stems[path.Base(slashed(c))] })
	})
}

// mentions tells whether a text has the name of a dropped image, or a line of it an id.
func mentions(file string, called, stems map[string]bool) bool {
	text, err := limited.ReadFile(file, maxEntry)
	if err != nil {
		return false
	}
	for word := range strings.FieldsFuncSeq(string(text), func(r rune) bool { return strings.ContainsRune(" \t\r\n\",;:'<>()[]{}=/\\", r) }) {
		if called[word] || len(word) > 3 && stems[word] {
			return true
		}
	}
	return false
}
