package report

import (
	"fmt"
	"html"
	"html/template"
	"strings"
)

// Characters without a shape turn the direction of the text after them. Whoever named an image or a class could make a page say something
// else with them: a page shows them as \u202e, and hands a name on with those that it has.
var (
	shown  = turns(`\u%04x`)
	handed = turns(`&#x%04x;`)
)

func turns(format string) *strings.Replacer {
	var all []string
	for _, r := range "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069" {
		all = append(all, string(r), fmt.Sprintf(format, r))
	}
	return strings.NewReplacer(all...)
}

// source is the attribute with an image's name, for the list of decisions.
func source(name string) template.HTMLAttr {
	return template.HTMLAttr(`data-source="` + handed.Replace(html.EscapeString(name)) + `"`)
}
