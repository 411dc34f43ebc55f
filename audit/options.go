package audit

import (
	"errors"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/internal/base/settings"
)

// Options of the search for what was planted.
type Options struct {
	Content bool `json:"content"` // whether to compare labels with what a network makes of the images that can't see triggers
	// ContentEpochs are those of the networks that can't see triggers; 0: some 8, and more where images are few.
	ContentEpochs int  `json:"content_epochs,omitempty" range:"[0,1000000]"`
	Pixels        bool `json:"pixels"` // whether to look for patterns that are the same in many images
	// InspectEpochs are those of a training, as by somebody who suspects nothing, of the network that is asked what a suspected
	// pattern does, and what removed images show; more where images are few; 0: none.
	InspectEpochs int `json:"inspect_epochs" range:"[0,1000000]"`
	// Learn is how many images its networks learn from, about, drawn by label, of those that they might; 0: all.
	Learn int `json:"learn_images,omitempty" range:"[0,)"`
	// Correct puts removed images back whose labels contradict what they show, under the label that they surely show.
	Correct bool `json:"correct"`
	// Stamp puts the images of a shortcut back and lays its pattern on as many images of all other labels, so that it means none.
	Stamp bool `json:"stamp"`
}

// Default returns the settings that docs/verdict.md measures.
func Default() Options {
	return Options{Content: true, Pixels: true, InspectEpochs: 8, Correct: true, Stamp: true}
}

// off names the looks that are left out.
func (a Options) off() (all []look.Name) {
	if !a.Content {
		all = append(all, look.ByContent)
	}
	if !a.Pixels {
		all = append(all, look.ByPixels)
	}
	return all
}

// Check reports a setting that is out of its range, or a search by nothing.
func (a Options) Check() error {
	if err := settings.Check(a); err != nil {
		return err
	}
	if !a.Pixels && !a.Content {
		return errors.New("nothing to look for poison by: neither content nor pixels")
	}
	return nil
}
