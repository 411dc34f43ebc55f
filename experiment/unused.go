package experiment

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/internal/app/runs"
	"github.com/unpoison/unpoison/internal/base/settings"
	"github.com/unpoison/unpoison/train"
)

// checkRun is what Run checks beside Check. Grids of earlier versions that it refuses can be read.
func (g *Grid) checkRun() error {
	checks := []func() error{g.checkSweep, g.checkPlotted, g.checkAttacks, g.checkPlain, g.checkBeforeAll}
	for _, d := range g.Defenses {
		checks = append(checks, func() error { return g.checkUnused(d) })
	}
	for _, list := range append([]string{g.Settings, g.Plain}, slices.Collect(maps.Values(g.PlainFor))...) {
		checks = append(checks, func() error { return onceLong(list) })
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkPlotted refuses plots of several sets of data, of which they would show the first.
func (g *Grid) checkPlotted() error {
	if n := len(g.sets()); n > 1 && len(g.Plots) > 0 {
		return fmt.Errorf("plots: %s are of one set of data, and vary makes %d: give each a grid of its own", strings.Join(g.Plots, ", "), n)
	}
	return nil
}

// checkAttacks refuses settings of attacks that others leave without a meaning.
func (g *Grid) checkAttacks() error {
	for _, spec := range g.Attacks {
		all, err := g.attack(spec, 0)
		for k, one := range strings.Split(spec, "+") {
			if err == nil && len(all) > 0 {
				err = all[k].Unused(one)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keys are those that a list key=value,… sets.
func keys(list string) (all []string) {
	for _, item := range strings.Split(list, ",") {
		if item != "" {
			all = append(all, settings.Key(item))
		}
	}
	return all
}

// onceLong refuses to give the length of unlearning twice.
func onceLong(list string) error {
	if k := keys(list); slices.Contains(k, "unlearn_steps") && slices.Contains(k, "unlearn_epochs") {
		return fmt.Errorf("settings %q: unlearn_epochs stands instead of unlearn_steps: give one of the two", list)
	}
	return nil
}

// ofABL reports whether a setting is of isolation or unlearning.
func ofABL(key string) bool {
	return slices.Contains(settings.Names(new(abl.Options)), key) && !slices.Contains(settings.Names(new(train.Recipe)), key)
}

// checkPlain refuses settings that networks without a defence pass over.
func (g *Grid) checkPlain() error {
	for _, list := range append([]string{g.Plain}, slices.Collect(maps.Values(g.PlainFor))...) {
		if k := keys(list); slices.ContainsFunc(k, ofABL) {
			return fmt.Errorf("plain %q: %s is a setting of abl, and networks without a defence would pass it over", list, k[slices.IndexFunc(k, ofABL)])
		}
	}
	return nil
}

// checkUnused refuses settings of a defence that it would pass over.
func (g *Grid) checkUnused(defense string) error {
	_, list, _ := strings.Cut(defense, ":")
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("defence %s: %w", defense, fmt.Errorf(format, args...))
	}
	switch kind, given := runs.Kind(defense), keys(list); kind {
	case runs.Auto:
		if at := slices.IndexFunc(given, ofABL); at >= 0 {
			return refuse("%s is a setting of abl, and auto would pass it over", given[at])
		}
		if look, _, _ := search(defense); !look.Content && slices.Contains(given, "content_epochs") {
			return refuse("content_epochs is of networks that content=false leaves out")
		}
	case runs.ABL:
		o, err := g.options("none", defense, 0, 0)
		if err != nil {
			return err
		}
		for _, of := range unusedBy(o) {
			if slices.Contains(given, of.key) && !slices.Contains(of.some, of.value) {
				return refuse("%s is a setting of %s=%s, and this would be %s", of.key, of.setting, strings.Join(of.some, " or "), of.value)
			}
		}
		return onceLong(list)
	case "fp", "mcr", "nad":
		for _, of := range [][2]string{{"tolerance", "fp"}, {"beta", "nad"}} {
			if slices.Contains(given, of[0]) && string(kind) != of[1] {
				return refuse("%s is a setting of %s, and %s would pass it over", of[0], of[1], kind)
			}
		}
	}
	return nil
}

// unused is a setting that means something with some values of another one only.
type unused struct {
	key, setting, value string
	some                []string
}

// unusedBy lists those of ABL, with what the others are.
func unusedBy(o abl.Options) []unused {
	all := []unused{
		{"gamma", "loss", o.Loss, []string{"lga", "flooding"}},
		{"sign", "loss", o.Loss, []string{"lga"}},
		{"rank_epochs", "rank", o.Rank, []string{"mean", "worst"}},
		{"refine", "unlearn", o.Unlearn, []string{"joint"}},
	}
	for _, key := range []string{"unlearn_steps", "unlearn_epochs", "unlearn_rate", "unlearn_limit", "tolerance", "held_back"} {
		all = append(all, unused{key, "unlearn", o.Unlearn, abl.Modes()})
	}
	return all
}

// checkBeforeAll refuses to compare networks of two recipes, as checkBefore does, where a defence has one of its own.
func (g *Grid) checkBeforeAll() error {
	if !slices.Contains(g.Defenses, string(runs.Before)) {
		return nil
	}
	before, err := g.options("none", string(runs.NoDefense), 0, 0)
	for _, d := range g.Defenses {
		if kind := runs.Kind(d); err == nil && (kind == runs.Auto || kind == runs.ABL) {
			own, failed := g.options("none", d, 0, 0)
			if err = failed; err == nil && own.Recipe != before.Recipe && own.TuneEpochs > 0 {
				err = errors.New(d + " trains in another way than the networks of the defence before, which it is compared with: give settings instead, or leave before out")
			}
		}
	}
	return err
}
