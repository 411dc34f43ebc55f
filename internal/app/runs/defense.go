package runs

import (
	"slices"
	"strings"

	"github.com/unpoison/unpoison/repair"
)

// Defense names what a run defends with, as flags, grids and results spell it: one of the constants below, a method of package
// repair, or "unlearn:" and one of UnlearnNames.
type Defense string

// Defenses of a training.
const (
	NoDefense Defense = "none"  // plain training
	ABL       Defense = "abl"   // Anti-Backdoor Learning: isolate, train, unlearn
	Auto      Defense = "auto"  // look for planted images and train without them
	AuditOnly Defense = "audit" // look for planted images and train no classifier

	// Before is no defence: a network of plain training on the images before anything was planted in them. What a defended one
	// does otherwise is the counterfactual gap.
	Before Defense = "before"
)

// unlearning is how the names of unlearning methods begin.
const unlearning = "unlearn:"

// Unlearning is the defence that unlearns a run's suspects by a method of UnlearnNames.
func Unlearning(method string) Defense { return Defense(unlearning + method) }

// Kind is the defence that a grid's spelling names, without settings: abl of "abl:gamma=1", unlearn of every unlearning method.
func Kind(spelling string) Defense {
	k, _, _ := strings.Cut(spelling, ":")
	return Defense(k)
}

// Unlearns returns the unlearning method, if the defence is one.
func (d Defense) Unlearns() (method string, ok bool) {
	return strings.CutPrefix(string(d), unlearning)
}

// Repairs reports whether the defence, with settings or without, works on a model that was trained before, or only takes it.
func (d Defense) Repairs() bool {
	_, unlearns := d.Unlearns()
	return unlearns || d == Before || slices.Contains(repair.Names(), string(Kind(string(d))))
}
