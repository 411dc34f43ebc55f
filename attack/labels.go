package attack

import (
	"errors"
	"fmt"
	"slices"

	"github.com/unpoison/unpoison/rng"
)

// checkLabels reports ways to label planted images that don't go together.
func (c Common) checkLabels(cleanLabel bool) error {
	ways := 0
	for _, w := range []bool{c.AllToAll, c.Targets > 1, c.RandomLabels} {
		if w {
			ways++
		}
	}
	switch {
	case ways > 1:
		return errors.New("all_to_all, targets and random_labels exclude each other")
	case ways == 1 && cleanLabel:
		return errors.New("it keeps labels, so that it takes one target and neither all_to_all, targets nor random_labels")
	}
	return nil
}

// aims tells whether the target means something.
func (c Common) aims() bool { return !c.AllToAll && !c.RandomLabels }

// ClassesError says that an attack's settings name classes that the data don't have, or that leave nothing to do.
type ClassesError struct{ text string }

func (e *ClassesError) Error() string { return e.text }

func classesf(format string, args ...any) error { return &ClassesError{fmt.Sprintf(format, args...)} }

// checkClasses reports labels that can't be of so many classes.
func (c Config) checkClasses(classes int) error {
	switch {
	case c.Target >= classes:
		return classesf("target %d is out of range, the classes are 0 to %d", c.Target, classes-1)
	case c.Targets > classes || c.RandomLabels && classes < 2:
		return classesf("%d targets of %d classes", max(c.Targets, 2), classes)
	case c.Method.CleanLabel || slices.ContainsFunc(rng.Iota(classes), func(l int) bool { return c.moves(int32(l), classes) }):
		return nil
	case c.Targets > 1:
		return classesf("targets=%d of %d classes from class %d on gives every class itself; take fewer targets, or another target", c.Targets, classes, c.Target)
	}
	return classesf("of %d classes none becomes another", classes)
}

// Aimed returns the classes that triggered images shall be taken for, of so many.
func (c Common) Aimed(classes int) []int {
	if c.AllToAll || c.RandomLabels {
		return rng.Iota(classes)
	}
	if c.Targets <= 1 {
		return []int{c.Target}
	}
	all := make([]int, min(c.Targets, classes))
	for k := range all {
		all[k] = (c.Target + k) % classes
	}
	slices.Sort(all)
	return all
}

// Aimed returns the classes that triggered images shall be taken for, of so many: where images of one class alone are triggered, what
// that one becomes.
func (c Config) Aimed(classes int) []int {
	s, ok := c.Own.(interface{ only() int })
	switch {
	case !ok:
		return c.Common.Aimed(classes)
	case c.RandomLabels:
		return slices.DeleteFunc(rng.Iota(classes), func(l int) bool { return l == s.only() })
	}
	return []int{int(c.label(int32(s.only()), classes, nil))}
}

// Aim says in words what triggered images shall be taken for.
func (c Common) Aim(classes []string) string {
	switch {
	case c.AllToAll:
		return "the next class"
	case c.RandomLabels:
		return "any other class"
	case c.Targets > 1:
		return fmt.Sprintf("%s and the %d classes after it", classes[c.Target], c.Targets-1)
	}
	return classes[c.Target]
}

// label is what an image of class l is taken for once it carries the trigger; draw is asked for random labels.
func (c Common) label(l int32, classes int, draw func(n int) int) int32 {
	switch {
	case c.AllToAll:
		return (l + 1) % int32(classes)
	case c.RandomLabels:
		return (l + 1 + int32(draw(classes-1))) % int32(classes)
	case c.Targets > 1:
		return int32((c.Target + int(l)%c.Targets) % classes)
	}
	return int32(c.Target)
}

// moves tells whether the trigger shall change what an image of class l is taken for.
func (c Common) moves(l int32, classes int) bool {
	return c.RandomLabels || c.label(l, classes, nil) != l
}

// Aims tells whether triggered images of a class shall be taken for another: attack success is measured on those.
func (a *Attack) Aims(class int) bool {
	if s, ok := a.trigger.(Selective); ok && !s.Takes(class) {
		return false
	}
	return a.Config.moves(int32(class), a.Classes)
}

// Success turns a network's accuracy on Triggered's images, in percent, into the attack success rate: the accuracy itself, or
// with random labels, where no label is the wanted one, the share of images that the network does not give their own class.
func (c Common) Success(accuracy float64) float64 {
	if c.RandomLabels {
		return 100 - accuracy
	}
	return accuracy
}
