package experiment

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/rng"
)

// AutoNames lists the experiments with --defense auto.
func AutoNames() []string {
	return []string{"cifar10", "rates", "gtsrb", "photos", "adaptive", "small-class", "ablation"}
}

// Auto returns one of the experiments with --defense auto, trained to the end. quick cuts it down to what shows that
// it works.
func Auto(name string, data Data, quick bool, seeds []uint64) (*Grid, error) {
	if len(seeds) == 0 {
		seeds = []uint64{0}
	}
	g := &Grid{Name: name, Data: data.CIFAR10, Limit: data.Limit, Model: "wrn-16-1", Seeds: seeds, Defenses: []string{"auto"}}
	switch name {
	case "cifar10":
		g.Title = "Auto under ten attacks on CIFAR-10"
		g.Attacks, g.Defenses = append([]string{"none"}, tenAttacks()...), besideBefore()
		if len(seeds) == 1 && !quick {
			g.SeedsFor = map[string][]uint64{string(runs.Auto): {seeds[0] + 1}, string(runs.Before): {seeds[0] + 1, seeds[0] + 2}}
		}
	case "rates":
		g.Title = "Auto by poisoning rate"
		for _, rate := range []string{"0.005", "0.01", "0.05", "0.3", "0.5", "0.7"} {
			for _, a := range fourAttacks() {
				g.Attacks = append(g.Attacks, a+":rate="+rate)
			}
		}
	case "gtsrb":
		p, err := Paper(name, data, false, seeds)
		if err != nil {
			return nil, err
		}
		g.Title, g.Data, g.Attacks, g.Defenses = "Auto under five attacks on GTSRB", p.Data, p.Attacks, besideBefore()
	case "photos":
		p, err := Paper(name, data, false, seeds)
		if err != nil {
			return nil, err
		}
		g.Title, g.Data, g.Size, g.Settings = "Auto under two attacks on photographs at 64 px", p.Data, p.Size, p.Settings
		g.Attacks, g.Defenses = []string{"none", "badnets", "blend"}, besideBefore()
	case "adaptive":
		g.Title = "Auto against attackers who know of it: triggered images with their own labels, two triggers with two targets"
		for _, a := range []string{"badnets", "blend"} {
			for _, cover := range []string{"0.01", "0.05"} {
				g.Attacks = append(g.Attacks, a+":cover="+cover)
			}
		}
		g.Attacks = append(g.Attacks, "badnets+blend:target=1", "badnets+sig:target=1")
	case "small-class":
		g.Title = "Auto where the target is the rarest class"
		g.Seeds = seeds[:1] // which class that is depends on it
		g.Vary = []string{"imbalance=0.1"}
		order := rng.Shuffle(seeds[0], "vary imbalance", 10)
		for _, rate := range []string{"0.01", "0.1"} {
			g.Attacks = append(g.Attacks, fmt.Sprintf("badnets:rate=%s,target=%d", rate, order[9]), fmt.Sprintf("blend:rate=%s,target=%d", rate, order[9]))
		}
	case "ablation":
		g.Title, g.Settings = "Auto without one of its parts", "tune_epochs=8"
		g.Attacks = []string{"none", "badnets", "sig", "fc", "cba"}
		g.Defenses = []string{"auto", "auto:content=false", "auto:pixels=false", "auto:inspect_epochs=0", "auto:correct=false", "auto:stamp=false"}
	default:
		return nil, fmt.Errorf("no experiment %q; there are %s", name, strings.Join(AutoNames(), ", "))
	}
	if quick {
		g.cutDown()
	}
	g.Data = cmp.Or(g.Data, rendered)
	return g, g.Check()
}

// besideBefore are auto and what it is compared with: networks that were trained on the same images before the attack.
func besideBefore() []string { return []string{string(runs.Before), string(runs.Auto)} }

// AutoCommand returns the command line that repeats one of the experiments with --defense auto.
func (g *Grid) AutoCommand() string { return g.namedCommand("auto") }
