package experiment

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/internal/app/runs"
)

// checkNames refuses what stands in a list twice, and cells that would share a folder.
func (g *Grid) checkNames() error {
	lists := map[string][]string{"attacks": g.Attacks, "defenses": g.Defenses, "vary": g.Vary, "seeds": nil}
	for _, s := range g.Seeds {
		lists["seeds"] = append(lists["seeds"], fmt.Sprint(s))
	}
	for _, name := range []string{"attacks", "defenses", "vary", "seeds"} {
		for k, v := range lists[name] {
			if slices.Contains(lists[name][:k], v) {
				return fmt.Errorf("%s: %q is there twice", name, v)
			}
		}
	}
	first := map[string]Cell{}
	for _, c := range g.Cells() {
		name := strings.ToLower(c.Name()) // as some file systems take it
		if other, ok := first[name]; ok {
			return fmt.Errorf("the cells %+v and %+v have the same name, %s", other, c, c.Name())
		}
		first[name] = c
	}
	return nil
}

// Has tells whether one of the grid's cells has the name.
func (g *Grid) Has(name string) bool {
	return slices.ContainsFunc(g.Cells(), func(c Cell) bool { return c.Name() == name })
}

// CellNames lists the names of the cells of some grids, each once.
func CellNames(grids ...*Grid) []string {
	var names []string
	for _, g := range grids {
		for _, c := range g.Cells() {
			names = append(names, c.Name())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// NoCell is the error that none of the grids has a cell of the name. It lists those that there are.
func NoCell(name string, grids ...*Grid) error {
	return fmt.Errorf("no cell %q; there are %s", name, strings.Join(CellNames(grids...), ", "))
}

// attacks reports whether the grid has an attack of this name.
func (g *Grid) attacks(name string) bool {
	return slices.ContainsFunc(g.Attacks, func(a string) bool { return nameOf(a) == name })
}

// nameOf is an attack, or several joined by +, without settings, as plain_for has it.
func nameOf(spec string) string {
	parts := strings.Split(spec, "+")
	for k, one := range parts {
		parts[k], _, _ = strings.Cut(one, ":")
	}
	return strings.Join(parts, "+")
}

// builtin reports whether there is an attack of this name, or attacks of several.
func builtin(name string) bool {
	return !slices.ContainsFunc(strings.Split(name, "+"), func(one string) bool { return !slices.Contains(attack.Builtin().Names(), one) })
}

// checkBefore refuses to compare networks of two recipes: those of before are trained as without defence.
func (g *Grid) checkBefore() error {
	if !slices.Contains(g.Defenses, string(runs.Before)) {
		return nil
	}
	usual := *g
	usual.Plain, usual.PlainFor = "", nil
	plain, err := g.options("none", string(runs.NoDefense), 0, 0)
	if err != nil {
		return err
	}
	if same, err := usual.options("none", string(runs.NoDefense), 0, 0); err != nil || !reflect.DeepEqual(plain, same) {
		return cmp.Or(err, errors.New("plain, or plain_for none, trains the networks of the defence before in another way than those that they are compared with: give settings instead, or leave before out"))
	}
	return nil
}
