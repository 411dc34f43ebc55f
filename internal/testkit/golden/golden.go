// Package golden holds the statistics of finished searches, so that rules can be tried on them without a training.
//
// verdicts.jsonl has a line a data set: 61 clean ones and 62 poisoned ones of four families (docs/measured/verdict.md) and 22 runs of
// CIFAR-10 (docs/measured/auto.md), with what the looks measured of each label and what was said.
package golden

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
)

//go:embed verdicts.jsonl
var verdicts []byte

// Set is what was measured of a data set.
type Set struct {
	Name    string         `json:"set"`
	Planted []int          `json:"planted"` // the labels of planted images
	Says    look.Says      `json:"says"`
	Targets []audit.Target `json:"targets"`
}

// Verdicts returns all sets.
func Verdicts() ([]Set, error) {
	var all []Set
	for line := range bytes.Lines(verdicts) {
		var s Set
		if err := json.Unmarshal(line, &s); err != nil {
			return nil, fmt.Errorf("verdicts.jsonl, line %d: %w", len(all)+1, err)
		}
		all = append(all, s)
	}
	return all, nil
}
