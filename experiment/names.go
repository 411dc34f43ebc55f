package experiment

import (
	"fmt"
	"slices"
	"strings"
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
