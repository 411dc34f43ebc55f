package audit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/common"
)

// Verdict is what the search makes of a training set.
type Verdict struct {
	Says    look.Says `json:"says"`
	Targets []Target  `json:"targets"`    // the labels that were looked into, those of triggers first
	Removed int       `json:"removed"`    // images
	Rate    float64   `json:"rate"`       // their share of the set: the estimated poisoning rate
	Odd     int       `json:"odd_labels"` // images whose labels are probably wrong, and that share no trigger
	// Cleared counts the images that stood out beside the removed ones, and surely show their label.
	Cleared int `json:"cleared,omitempty"`
	// Strength is that of the strongest evidence (look.Evidence), 1 where a rule is just met. Next is the same of the other labels, those
	// that nothing was found in: what is usual in these data.
	Strength float64 `json:"strength"`
	Next     float64 `json:"next"`
	// Confirmed is the share of the images, from 0 to 1, whose label is the class that a network which can't see triggers takes them for;
	// 0 without one.
	Confirmed float64 `json:"confirmed"`
	// Untold tells that such networks know the labels no better than how common these are, as where images or labels are random. What
	// images show was then compared with nothing, and only patterns of pixels can be found.
	Untold bool `json:"labels_untold,omitempty"`
	// Off names the looks, at content and at pixels, that the settings left out: nobody looked for what they find.
	Off []look.Name `json:"looks_off,omitempty"`
	// Measured says how often such verdicts were wrong where the truth was known. Nil where that was not measured: under
	// other settings than the default ones.
	Measured *ErrorRates `json:"measured,omitempty"`
	// Calibration compares the strength with those of clean sets, where Measured is given.
	Calibration *Calibration `json:"calibration,omitempty"`
	Cleaned
}

// Cleaned is what the training of the clean model came to; zero without a model.
type Cleaned struct {
	// Continued are the epochs that the training was spared: it goes on from the ordinary network that the search asked, which learnt no
	// removed image. 0 where it starts from scratch.
	Continued int `json:"continued,omitempty"`
	// Corrected counts the removed images that it was shown under the label that they show.
	Corrected int `json:"corrected,omitempty"`
	// Returned counts the images of a shortcut that it was shown under their labels, from some of which the pattern was lifted; Stamped the
	// images of other labels that it was shown with the pattern on them in each epoch, other ones each time, so that it means no label.
	Returned int `json:"returned,omitempty"`
	Stamped  int `json:"stamped,omitempty"`
	// Evened counts the images that it was shown under their own labels with the pattern of corrected images on them.
	Evened int `json:"evened,omitempty"`
	// Untaught names the classes of which it was shown no image, since all are removed: the clean model does not know them.
	Untaught []string `json:"untaught_classes,omitempty"`
	// Remaining is the share of the other removed images, which the clean model never saw, that it still gives the
	// label they came with. For images whose label was changed it estimates the attack success rate that is
	// left, and needs no trigger for it; for those that really are of their class it is accuracy. Nil without a model.
	Remaining *float64 `json:"remaining"`
	// HeldBack counts these images: few tell little. RemainingAtMost lies above the share among all images like them with
	// 95 % confidence.
	HeldBack        int     `json:"held_back,omitempty"`
	RemainingAtMost float64 `json:"remaining_at_most,omitempty"`
}

// Target is a label under which planted images may lie, and what speaks for it.
type Target struct {
	Class string
	look.Evidence
}

// MarshalJSON writes the class beside the evidence.
func (t Target) MarshalJSON() ([]byte, error) {
	raw, err := json.Marshal(t.Evidence)
	if err != nil {
		return nil, err
	}
	class, err := json.Marshal(t.Class)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `{"class":%s,%s`, class, raw[1:]), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Target) UnmarshalJSON(raw []byte) error {
	var own struct{ Class string }
	if err := json.Unmarshal(raw, &own); err != nil {
		return err
	}
	t.Class = own.Class
	return json.Unmarshal(raw, &t.Evidence)
}

// verdict joins what was seen of the labels.
func verdict(all []look.Evidence, classes []string) *Verdict {
	v := &Verdict{Targets: make([]Target, 0, len(all))}
	for _, e := range all {
		class := ""
		if e.Label >= 0 && e.Label < len(classes) {
			class = classes[e.Label]
		}
		v.Says = max(v.Says, e.Says)
		v.Strength = max(v.Strength, e.Weighed())
		v.Targets = append(v.Targets, Target{class, e})
	}
	for _, e := range all {
		if !slices.ContainsFunc(all, func(o look.Evidence) bool { return o.Label == e.Label && o.Found() }) {
			v.Next = max(v.Next, e.Weighed())
		}
	}
	slices.SortStableFunc(v.Targets, func(a, b Target) int { return cmp.Compare(b.Says, a.Says) })
	return v
}

// Without tells whether the settings left a look out.
func (v *Verdict) Without(l look.Name) bool { return slices.Contains(v.Off, l) }

// Right tells whether the verdict has the word, and names of each attack a label that its images carry, and no other one.
func (v *Verdict) Right(word look.Says, attacks ...[]int) bool {
	named := make([]bool, len(attacks))
	for _, t := range v.Targets {
		if !t.Found() {
			continue
		}
		known := false
		for k, labels := range attacks {
			if slices.Contains(labels, t.Label) {
				named[k], known = true, true
			}
		}
		if !known {
			return false
		}
	}
	return v.Says == word && !slices.Contains(named, false)
}

// Common is a pattern that images of several labels carry.
type Common struct {
	Says   look.Says   // of those labels that are worst
	Labels []string    // these
	Images int         // that carry it under them
	Right  *look.Right // how their labels compare with what they show, of the label where they do so least; nil where that is not known of all
}

// Under names the labels: one, or how many.
func (c *Common) Under() string {
	if len(c.Labels) == 1 {
		return c.Labels[0]
	}
	return fmt.Sprintf("%d labels", len(c.Labels))
}

// Common sums up what was seen of a pattern under many labels: of the labels under which it was planted, or else of all. It
// is nil if there was none.
func (v *Verdict) Common() *Common {
	for _, says := range []look.Says{look.Poisoned, look.Shortcut, look.CantTell, look.NoEvidence} {
		c := Common{Says: says}
		unknown := false
		for _, t := range v.Targets {
			if t.Look == common.Name && t.Says == says {
				if unknown = unknown || t.Right == nil; !unknown && (c.Right == nil || t.Right.Contradicted()) {
					c.Right = t.Right
				}
				c.Labels = append(c.Labels, t.Class)
				c.Images += look.CountsOf(t.Evidence).Flagged
			}
		}
		if unknown {
			c.Right = nil
		}
		if len(c.Labels) > 0 {
			return &c
		}
	}
	return nil
}
