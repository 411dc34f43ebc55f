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

// Strangers names the first of a list that another lacks, and one there that looks like one of them.
func Strangers(list, known []string) string {
	apart := Apart(list, known)
	text, looks := Few(apart), map[string]string{}
	for _, name := range known {
		looks[Look(name)] = name
	}
	for _, name := range apart {
		if other := looks[Look(name)]; Alike(name, other) != "" {
			return text + fmt.Sprintf("; %+q and %+q differ only %s", name, other, Alike(name, other))
		}
	}
	return text
}
