package experiment

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/settings"
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

// checkDefense refuses a defence that there is not, and settings of one that takes none.
func checkDefense(d string) error {
	k, list, given := strings.Cut(d, ":")
	if method, ok := runs.Defense(d).Unlearns(); ok && !slices.Contains(runs.UnlearnNames(), method) {
		return fmt.Errorf("no unlearning method %q; there are %s", method, strings.Join(runs.UnlearnNames(), ", "))
	}
	switch of := runs.Defense(k); {
	case of == runs.NoDefense && given:
		return fmt.Errorf("defence none takes no settings, got %q: plain and plain_for are those of the networks without defence", list)
	case of != runs.NoDefense && of != runs.ABL && of != runs.Auto && !runs.Defense(d).Repairs():
		return fmt.Errorf("no defence %q; there are none, before, abl, auto, fp, mcr, nad, unlearn:METHOD", d)
	}
	return nil
}

// checkSeeds refuses a seed among settings: it would make all seeds the same, or be passed over.
func (g *Grid) checkSeeds() error {
	lists := append([]string{g.Settings, g.Plain}, slices.Collect(maps.Values(g.PlainFor))...)
	for _, d := range g.Defenses {
		_, list, _ := strings.Cut(d, ":")
		lists = append(lists, list)
	}
	for _, list := range lists {
		if slices.ContainsFunc(strings.Split(list, ","), func(item string) bool { return settings.Key(item) == "seed" }) {
			return fmt.Errorf("settings %q: a grid's seeds are in seeds and seeds_for", list)
		}
	}
	return nil
}

// keysListed adds the keys of a grid to an error about one that there is not.
func keysListed(err error) error {
	var wrong *yaml.TypeError
	const unknown = " in type experiment.Grid"
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), unknown) {
		return err
	}
	var keys []string
	for of, i := reflect.TypeFor[Grid](), 0; i < of.NumField(); i++ {
		key, _, _ := strings.Cut(of.Field(i).Tag.Get("yaml"), ",")
		keys = append(keys, key)
	}
	return fmt.Errorf("%s; there are %s", strings.ReplaceAll(strings.Join(wrong.Errors, "; "), unknown, ""), strings.Join(keys, ", "))
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
