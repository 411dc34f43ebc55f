// Package findings says in words and pictures what an audit found, for reports and for the page on which suspects are reviewed.
package findings

import (
	"bytes"
	"fmt"
	"html"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/unpoison/unpoison/report"
)

// word is how a page speaks of what a verdict says.
type word struct {
	alarm bool
	lead  string // %s: how many images under which label
	looks string // what the suspects' pictures show
	sure  string // what to know beside the measured error rates
	next  []report.Step
}

// Placeholders in the commands of steps.
const (
	dataHere = "DATA"
	runHere  = "RUN"
	listHere = "SUSPECTS"
)

// Elsewhere is the folder in commands of a run that others will have in another place; see Moved.
const Elsewhere = "RUN_FOLDER"

var (
	look    = report.Step{Text: "Look at the suspects below. Does each show what its label says, without a mark that does not belong to it?"}
	review  = report.Step{Text: "Keep or drop each of them, in a browser.", Command: "unpoison review " + runHere}
	filter  = report.Step{Text: "Write the data without the suspects.", Command: "unpoison data filter --data " + dataHere + " --suspects " + listHere + " --out clean"}
	tell    = report.Step{Text: "Look at some images of each label: do they show what those of others don't? If so, ask again with features of a pretrained network: unpoison audit --help."}
	nothing = word{lead: "%s stand out.", looks: "What the suspects have in common.", next: []report.Step{look, review}}
)

// planted are the steps where the run itself planted what it found.
func planted(attack, data string) []report.Step {
	return []report.Step{look, {
		Text:    "This run planted them itself. To review and filter such a set, write one, and audit that.",
		Command: "unpoison attack " + attack + " --data " + data + " --out poisoned",
	}}
}

// reviewing are the steps on the page on which suspects are reviewed.
var reviewing = []report.Step{
	{Text: "Look at each image below. D drops it, K keeps it, and both go to the next; arrow keys move, Enter enlarges."},
	{Text: "Finish writes the decisions and shows the command that filters the data by them."},
}

// words are keyed by what a verdict says.
var words = map[string]word{
	"poisoned": {
		alarm: true,
		lead:  "%s carry something that other images do not, and their labels contradict what they show.",
		looks: "What the suspects share, and other images of the label lack.",
		next:  []report.Step{look, review, filter, {Text: "Or keep those that clearly show another class, under that class: add --correct."}},
	},
	"shortcut": {
		alarm: true,
		lead:  "%s carry a mark, and their labels are correct. The mark may be planted or honest: the data can't show which. A network will learn the mark instead of the class.",
		looks: "The mark that they share, and other images of the label lack.",
		sure:  "Whether the mark was planted is not known. You may know where it comes from: a camera, a source, a watermark.",
		next: []report.Step{
			{Text: "Find out where the mark comes from. If it is honest, crop or cover it, or collect images of the label without it."},
			review,
			{Text: "If you can't tell, leave these images out.", Command: filter.Command},
		},
	},
	"can't tell": {
		lead:  "%s stand out, but not as clearly as planted ones do. Nothing was removed.",
		looks: "What sets them apart from other images of the label.",
		sure:  "What was found is unusual, but not clear.",
		next: []report.Step{
			{Text: "Look at the images below. If they share a mark that does not belong there, drop them."},
			review,
			{Text: "Audit again with more images of this label, or with features of a pretrained network: unpoison audit --help."},
		},
	},
	"no evidence of poison": {
		lead:  "Nothing in the images looks planted.",
		looks: "Nothing stands out.",
		sure:  "This is no proof: a trigger that is rarer or weaker than the measured ones can be missed.",
		next: []report.Step{
			{Text: "Train on the data.", Command: "unpoison train --data " + dataHere + " --out model"},
			{Text: "Keep this audit. When you add images, audit again and compare with it.", Command: "unpoison audit --data " + dataHere + " --baseline " + runHere + " --out audit2"},
		},
	},
}

// wordFor returns the words for what a verdict says. What is not in the table is spoken of plainly.
func wordFor(says string) word {
	if w, ok := words[says]; ok {
		return w
	}
	return nothing
}

// steps puts the data, as words of a command line, and the run's folder into a word's steps.
func (w word) steps(data, run string) []report.Step {
	all := make([]report.Step, len(w.next))
	for k, s := range w.next {
		all[k] = report.Step{Text: s.Text, Command: strings.NewReplacer(dataHere, data, runHere, Folder(run), listHere, Quote(listOf(run))).Replace(s.Command)}
	}
	return all
}

func listOf(run string) string { return filepath.Join(run, "suspects.csv") }

// Moved returns a page of a run Elsewhere whose commands name the folder that it has now.
func Moved(page []byte, run string) []byte {
	to := func(path string) []byte { return []byte(html.EscapeString(Folder(path))) }
	for _, sign := range []string{"/", `\`} { // of the machine that wrote it
		page = bytes.ReplaceAll(page, []byte(Elsewhere+sign+"suspects.csv"), to(listOf(run)))
	}
	return bytes.ReplaceAll(page, []byte(Elsewhere), to(run))
}

// Folder is a folder's path, quoted, in a command: one that begins with a dash is no option.
func Folder(path string) string {
	if strings.HasPrefix(path, "-") {
		path = "." + string(filepath.Separator) + path
	}
	return Quote(path)
}

// Quote is a word of a command line as a shell of this system takes it.
func Quote(s string) string { return quote(s, runtime.GOOS == "windows") }

func quote(s string, windows bool) string {
	const special = " \t\n'\"$&;()<>|*?`~#![]{}"
	switch {
	case s != "" && windows && !strings.ContainsAny(s, special+"%^,="), s != "" && !windows && !strings.ContainsAny(s, special+`\`):
		return s
	case !windows:
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	s = strings.ReplaceAll(s, `"`, `\"`)
	end := s[len(strings.TrimRight(s, `\`)):] // programs take \" for a sign of the word
	return `"` + s + end + `"`
}

// Words are words of a command line as a shell takes them.
func Words(all []string) string {
	quoted := make([]string, len(all))
	for k, s := range all {
		quoted[k] = Quote(s)
	}
	return strings.Join(quoted, " ")
}

func percent(share float64) string {
	digits := 1
	if share > 0 && share < 0.001 {
		digits = 2
	}
	return fmt.Sprintf("%.*f\u00a0%%", digits, 100*share)
}
