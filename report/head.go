package report

import (
	"bytes"
	_ "embed"
	"html/template"
	"strings"
)

//go:embed style.css
var style string

// Style is the style sheet that a Head needs, and that all pages share.
func Style() string { return style }

// Head is a page's first screen. It answers, in this order: what was found, how sure that is, under which label, what it looks
// like, and what to do next.
type Head struct {
	Kicker string // what was looked at
	Word   string // the verdict's
	Alarm  bool   // whether the word has the accent's colour
	Lead   string // a sentence
	Sure   Answer
	Label  Answer
	Looks  Answer
	Strip  Strip // belongs to Looks
	Next   []Step
}

// Answer is the answer to one question: in a few words, in sentences, and as a picture.
type Answer struct {
	Short   string
	Text    []string
	Picture template.HTML // see Shares, Kinds, Dots and Matrix
}

// Step is something to do, with a command where there is one.
type Step struct{ Text, Command string }

// Words are the words of the command, each with the space after it. Lines are not broken within an option.
func (s Step) Words() []Word {
	var all []Word
	for text := range strings.SplitAfterSeq(s.Command, " ") {
		all = append(all, Word{text, strings.HasPrefix(text, "-")})
	}
	return all
}

// Word is a word of a command.
type Word struct {
	Text   string
	Option bool
}

// Strip shows what images have in common: the pattern, and pairs of an image that carries it and one that does not.
type Strip struct {
	Note    string // a sentence
	Pattern template.URL
	Gain    string // how much stronger than it is the pattern is shown
	Pairs   []Pair
	Photo   bool // whether pixels are too many to be shown as squares
}

// Pair is an image that carries a pattern, and one that does not; Without may be empty.
type Pair struct {
	With, Without template.URL
	Caption       string
}

//go:embed head.html
var headText string

var headTemplate = template.Must(template.New("head").Parse(headText))

// HTML is the head for a page that has Style.
func (h *Head) HTML() (template.HTML, error) {
	var b bytes.Buffer
	err := headTemplate.Execute(&b, h)
	return template.HTML(shown.Replace(b.String())), err
}
