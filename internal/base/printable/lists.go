package printable

import (
	"fmt"
	"slices"
	"strings"
)

// few is how many names of a list are shown.
const few = 5

// Few returns the first names of a list, and how many more there are.
func Few(list []string) string {
	shown := make([]string, min(few, len(list)))
	for k := range shown {
		shown[k] = fmt.Sprintf("%.60q", list[k])
	}
	text := strings.Join(shown, ", ")
	if more := len(list) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// Apart returns the names of a list that another lacks.
func Apart(list, other []string) []string {
	there := make(map[string]bool, len(other))
	for _, name := range other {
		there[name] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return there[name] })
}
