package audit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/settings"
	"github.com/unpoison/unpoison/model"
)

// Options of the search for a trigger; isolation and training follow ABL's.
type Options struct {
	Content       bool    `json:"content"`                     // whether to compare labels with what a network makes of the images that can't see triggers
	Pixels        bool    `json:"pixels"`                      // whether to look for patterns that are the same in many images
	Network       string  `json:"biased_network"`              // of the biased network
	Epochs        int     `json:"biased_epochs" range:"[1,)"`  // of each of its rounds; more where images are few
	Rounds        int     `json:"biased_rounds" range:"[0,)"`  // at most; 1 is the first suspects alone, 0 no biased network
	Share         float64 `json:"share" range:"(0,1]"`         // of the isolated images that a label needs to be looked into
	InspectEpochs int     `json:"inspect_epochs" range:"[0,)"` // of the training whose features are looked at; more where images are few; 0: none
	// Learn is how many images its networks learn from, about, drawn by label, of those that they might; 0: all.
	Learn int `json:"learn_images,omitempty" range:"[0,)"`
	// Against is how many removed images the training takes part of only to be told that their labels are wrong, at
	// most, as a share of the images it keeps; half of the removed ones never take part. 0: none.
	Against float64 `json:"against" range:"[0,1]"`
	// Correct puts removed images back whose labels contradict what they show, under the label that they surely show.
	Correct bool `json:"correct"`
	// Stamp puts the images of a shortcut back and lays its pattern on as many images of all other labels, so that it means none.
	Stamp bool `json:"stamp"`
}

// Default returns the settings that docs/verdict.md measures.
func Default() Options {
	return Options{Content: true, Pixels: true, Network: "small-cnn", Epochs: 20, Rounds: 5, Share: 0.15, InspectEpochs: 8, Correct: true, Stamp: true}
}

// Check reports a setting that is out of its range, or a search by nothing.
func (a Options) Check() error {
	if err := settings.Check(a); err != nil {
		return err
	}
	if a.Rounds+a.InspectEpochs == 0 && !a.Pixels && !a.Content {
		return errors.New("nothing to look for poison by: no content, no pixels, no biased network and no epochs of inspection")
	}
	if !slices.Contains(model.Names(), a.Network) {
		return fmt.Errorf("no biased network %q; there are %s", a.Network, strings.Join(model.Names(), ", "))
	}
	return nil
}
