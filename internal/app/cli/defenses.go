package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unpoison/unpoison/internal/app/runs"
)

// defenses are the names that --defense takes.
func defenses() []string {
	return []string{string(runs.Auto), string(runs.ABL), string(runs.NoDefense)}
}

// flagsOf lists the flags that mean something to one defence only.
func flagsOf(d runs.Defense) []string {
	switch d {
	case runs.Auto:
		return []string{"content", "epochs-content", "pixels", "epochs-inspect", "correct", "stamp"}
	case runs.ABL:
		return []string{"epochs-isolate", "rate-isolate", "loss", "gamma", "lga-sign", "rank-by", "rank-epochs", "isolation", "unlearn", "unlearn-steps", "epochs-unlearn", "rate-unlearn", "unlearn-limit", "refine", "tolerance"}
	}
	return nil
}

// checkDefense refuses a defence that there is not, and flags that it would ignore.
func checkDefense(c *cobra.Command, defense runs.Defense) error {
	if !slices.Contains(defenses(), string(defense)) {
		return usagef("no defence %q; there are %s", defense, strings.Join(defenses(), ", "))
	}
	for _, other := range []runs.Defense{runs.Auto, runs.ABL} {
		for _, name := range flagsOf(other) {
			if other != defense && c.Flags().Changed(name) {
				return usagef("--%s is a setting of --defense %s, and this would be --defense %s", name, other, defense)
			}
		}
	}
	return nil
}
