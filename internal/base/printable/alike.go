package printable

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Look is what people know a name by: names of one look are alike.
func Look(name string) string {
	look := strings.ToLower(seen(name))
	if v, err := strconv.ParseFloat(look, 64); err == nil && !math.IsNaN(v) {
		look = "number " + strconv.FormatFloat(v, 'g', -1, 64)
	}
	return look
}

// Alike says in what alone two names differ that people take for one; nothing of other names.
func Alike(a, b string) string {
	switch {
	case a == b || Look(a) != Look(b):
		return ""
	case norm.NFC.String(a) == norm.NFC.String(b):
		return "in the Unicode form of their letters (NFC, NFD)"
	case seen(a) == seen(b):
		return "in spaces or characters that do not show"
	case strings.EqualFold(seen(a), seen(b)):
		return "in upper and lower case"
	}
	return "in how a number is written"
}

// seen is what people see of a name.
func seen(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Cc) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, norm.NFC.String(name))
	return strings.Join(strings.Fields(name), " ")
}

// Looks are names by what people know them by.
type Looks map[string]string

// LooksOf are those of names.
func LooksOf(names []string) Looks {
	l := Looks{}
	for _, n := range names {
		l[Look(n)] = n
	}
	return l
}

// Like says, to follow an error, which of the names looks like another one, and in what alone they differ; nothing where none does.
func (l Looks) Like(name string) string {
	other, ok := l[Look(name)]
	if how := Alike(name, other); ok && how != "" {
		return fmt.Sprintf("; %+q and %+q differ only %s", name, other, how)
	}
	return ""
}

// Strangers names the first of a list that another lacks, and one there that looks like one of them.
func Strangers(list, known []string) string {
	apart, looks := Apart(list, known), LooksOf(known)
	for _, name := range apart {
		if like := looks.Like(name); like != "" {
			return Few(apart) + like
		}
	}
	return Few(apart)
}
