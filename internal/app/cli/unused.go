package cli

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/internal/app/runs"
)

// refuseUnused refuses flags that were given and would be passed over: of holds those that mean something to some values of another
// flag only.
func refuseUnused(c *cobra.Command, flag, value string, of map[string][]string) error {
	for _, name := range slices.Sorted(maps.Keys(of)) {
		if c.Flags().Changed(name) && !slices.Contains(of[name], value) {
			return usagef("--%s is a setting of --%s %s, and this would be --%s %s", name, flag, strings.Join(of[name], " or "), flag, value)
		}
	}
	return nil
}

// unusedByMethod refuses flags of other methods of unlearning.
func (f *unlearnFlags) unusedByMethod(c *cobra.Command) error {
	abl, scratch := []string{runs.UnlearnABL}, []string{"retrain", "self-learning"}
	tuned := slices.DeleteFunc(runs.UnlearnNames(), func(name string) bool { return name == runs.UnlearnABL || name == "retrain" })
	err := refuseUnused(c, "method", f.method, map[string][]string{
		"mode": abl, "steps": abl, "rate": abl, "loss-limit": abl, "refine": abl, "tolerance": abl,
		"tune-epochs": tuned, "tune-rate": tuned, "scratch-epochs": scratch, "pretrained": {"ft-pretrained"},
	})
	if err == nil {
		err = refuseUnused(c, "mode", f.o.Unlearn, map[string][]string{"refine": {"joint"}})
	}
	return err
}

// unusedByLoss refuses settings of isolation and unlearning that others leave without a meaning.
func (f *recipeFlags) unusedByLoss(c *cobra.Command) error {
	unlearns := abl.Modes()
	err := refuseUnused(c, "loss", f.o.Loss, map[string][]string{"gamma": {"lga", "flooding"}, "lga-sign": {"lga"}})
	if err == nil {
		err = refuseUnused(c, "rank-by", f.o.Rank, map[string][]string{"rank-epochs": {"mean", "worst"}})
	}
	if err == nil {
		err = refuseUnused(c, "unlearn", f.o.Unlearn, map[string][]string{
			"unlearn-steps": unlearns, "epochs-unlearn": unlearns, "rate-unlearn": unlearns, "unlearn-limit": unlearns, "tolerance": unlearns, "refine": {"joint"},
		})
	}
	if err == nil && c.Flags().Changed("unlearn-steps") && c.Flags().Changed("epochs-unlearn") && f.o.UnlearnEpochs > 0 {
		err = usagef("--epochs-unlearn stands instead of --unlearn-steps: give one of the two")
	}
	return err
}

// unusedWithoutAttack refuses settings of an attack where none is planted. An --attack none takes those of the others: it is their
// control.
func (f *attackFlags) unusedWithoutAttack(c *cobra.Command) error {
	if c.Flags().Changed("attack") {
		return nil
	}
	for _, name := range []string{"rate", "target", "all-to-all", "cache"} {
		if c.Flags().Changed(name) {
			return usagef("--%s is a setting of --attack, and none is planted", name)
		}
	}
	return nil
}
