package dataset

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Words for the parts of a data set, in any case, also with "set" behind them: train_set, test-set, trainset.
var splitWords = map[string]string{
	"train": "train", "training": "train",
	"test": "test", "testing": "test",
	"val": "val", "valid": "val", "validation": "val", "dev": "val", "eval": "val",
}

// splitOf returns the part that a folder's whole name names: train, test, val or "".
func splitOf(name string) string {
	name = strings.ToLower(name)
	if part, ok := splitWords[name]; ok {
		return part
	}
	base := strings.TrimSuffix(name, "set")
	if base == name {
		return ""
	}
	return splitWords[strings.TrimRight(base, "_- ")]
}

// letters are the words of a name.
func letters(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) })
}

var camel = regexp.MustCompile(`(\p{Ll})(\p{Lu})`)

// partOf returns the part that a word of a file's name names, also one like testLabels.
func partOf(name string) string {
	for _, w := range letters(camel.ReplaceAllString(name, "$1 $2")) {
		if part := splitOf(w); part != "" {
			return part
		}
	}
	return ""
}

// parts are a layout's files by the part that they belong to.
type parts struct{ train, test, val []string }

// partFiles finds a layout's files in a folder, in its data folder, or in those of its parts; or takes dir itself, where
// it is a file.
func (s *store) partFiles(dir string, suffixes []string) parts {
	fits := func(name string) bool { return ends(name, suffixes) }
	if st, err := s.stat(dir); err != nil || !st.IsDir() {
		if err == nil && fits(dir) {
			return parts{train: []string{dir}}
		}
		return parts{}
	}
	files := map[string][]string{} // by what partOf says
	add := func(folder, part string) {
		entries, _ := os.ReadDir(folder)
		for _, e := range entries {
			path := filepath.Join(folder, e.Name())
			if !fits(e.Name()) || e.IsDir() {
				continue
			}
			if st, err := s.stat(path); err == nil && st.IsDir() {
				continue
			}
			in := part
			if in == "" {
				in = partOf(e.Name())
			}
			files[in] = append(files[in], path)
		}
	}
	add(dir, "")
	if len(files["train"])+len(files[""]) == 0 {
		add(filepath.Join(dir, "data"), "")
	}
	if len(files["train"])+len(files[""]) == 0 {
		for _, base := range []string{dir, filepath.Join(dir, "data")} {
			for _, sub := range s.subfolders(base) {
				if part := splitOf(sub); part != "" {
					add(filepath.Join(base, sub), part)
				}
			}
		}
	}
	p := parts{files["train"], files["test"], files["val"]}
	if len(p.train) == 0 { // what lies beside training data is none
		p.train = files[""]
	}
	return p
}

// begins reports whether a file is the first of a part.
func (p parts) begins(file string) bool {
	return slices.ContainsFunc([][]string{p.train, p.test, p.val}, func(files []string) bool { return len(files) > 0 && files[0] == file })
}

// of makes the contents of parts whose files read goes through.
func (p parts) of(s *store, names []string, read func(file string, yield func(Record) error) error) *Contents {
	part := func(files []string) *Part {
		if len(files) == 0 {
			return nil
		}
		return &Part{Name: s.called(files), Records: func(yield func(Record) error) error {
			for _, f := range files {
				if err := read(f, yield); err != nil {
					return err
				}
			}
			return nil
		}}
	}
	return &Contents{Classes: names, Train: part(p.train), Test: part(p.test), Validation: part(p.val)}
}

// called names a list of files.
func (s *store) called(files []string) string {
	first := s.rel(files[0])
	if len(files) == 1 {
		return first
	}
	return first + " … " + s.rel(files[len(files)-1])
}

// ofFile makes an error of a file as a whole, which passing over records does not help. It names the file, once.
func (s *store) ofFile(path string, err error) error {
	var bad *RecordError
	var file *fileError
	if err == nil || errors.As(err, &bad) || errors.As(err, &file) {
		return err
	}
	return &fileError{s.rel(path), err}
}

type fileError struct {
	file string
	err  error
}

func (e *fileError) Error() string { return e.file + ": " + e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }
