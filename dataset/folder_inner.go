package dataset

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// innerNote says that the folders of classes hold folders that look like the classes, or like the parts, since several of them have
// the same ones: color/apple and grey/apple, or apple/train and pear/train.
func (s *store) innerNote(dir string) []string {
	holders := map[string][]string{} // by the name of what they hold
	for _, class := range s.subfolders(dir) {
		path := filepath.Join(dir, class)
		inner := s.subfolders(path)
		if len(inner) < 2 || s.hasImageDirectly(path) {
			continue
		}
		for _, name := range inner {
			if s.hasImage(filepath.Join(path, name)) {
				holders[name] = append(holders[name], class)
			}
		}
	}
	maps.DeleteFunc(holders, func(_ string, classes []string) bool { return len(classes) < 2 })
	if len(holders) < 2 {
		return nil
	}
	names, of := slices.Sorted(maps.Keys(holders)), map[string]int{}
	for _, name := range names {
		of[splitOf(name)]++
	}
	first := holders[names[0]]
	what := fmt.Sprintf("the folders of the classes %q and %q both hold folders called %q", first[0], first[1], names[:min(len(names), mostNamed)])
	if severalParts(of) {
		return []string{what + ": all their images are read as training images; move them into train/CLASS and test/CLASS"}
	}
	return []string{fmt.Sprintf("%s: if those are the classes, folder:%s reads one of these folders", what, filepath.Join(dir, first[0]))}
}
