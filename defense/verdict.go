package defense

import "fmt"

// What a verdict can say.
const (
	Poisoned   = "poisoned"
	NoEvidence = "no evidence of poison"
	CantTell   = "can't tell"
)

// How a label was looked into.
const (
	ByBiased   = "biased network"
	ByLabels   = "wrong labels" // the biased network learnt what is honest; the label's other images look like other classes
	ByFeatures = "features"
	ByUnseen   = "features, and a network without the label" // the features tell two kinds of images, the network which has wrong labels
	ByLate     = "images learnt late"                        // which look like other classes, and what a biased network that starts from them finds
	ByPixels   = "pixels"
	ByCommon   = "pixels of many labels"
)

// Verdict is what an automatic defence makes of a training set.
type Verdict struct {
	Says    string   `json:"says"`    // Poisoned, NoEvidence or CantTell
	Targets []Target `json:"targets"` // the labels that were looked into, those of triggers first
	Removed int      `json:"removed"` // images
	Rate    float64  `json:"rate"`    // their share of the set: the estimated poisoning rate
	// Against counts the removed images that the training of the clean model was told not to believe.
	Against int `json:"against,omitempty"`
	// Stamped counts the kept images that it was shown once more with the pattern: half of them of the label, to be told that
	// it does not make one of it, half of others, to be told that it changes nothing.
	Stamped int `json:"stamped,omitempty"`
	// Remaining is the share of the other removed images, which the clean model never saw, that it still gives the
	// label they came with. For images whose label was changed it estimates the attack success rate that is
	// left, and needs no trigger for it; for those that really are of their class it is accuracy. Nil without a model.
	Remaining *float64 `json:"remaining"`
	// HeldBack counts these images: few tell little. RemainingAtMost lies above the share among all images like them with
	// 95 % confidence.
	HeldBack        int     `json:"held_back,omitempty"`
	RemainingAtMost float64 `json:"remaining_at_most,omitempty"`
	// Measured says how often such verdicts were wrong where the truth was known. Nil where that was not measured: under
	// other settings than the default ones.
	Measured *ErrorRates `json:"measured,omitempty"`
}

// Common is a pattern that images of several labels carry.
type Common struct {
	Says   string   // of those labels that are worst
	Labels []string // these
	Images int      // that carry it under them
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
	for _, says := range []string{Poisoned, CantTell, NoEvidence} {
		c := Common{Says: says}
		for _, t := range v.Targets {
			if t.By == ByCommon && t.Says == says {
				c.Labels = append(c.Labels, t.Class)
				c.Images += t.Flagged
			}
		}
		if len(c.Labels) > 0 {
			return &c
		}
	}
	return nil
}

// Target is a label under which planted images may lie, and what speaks for it.
type Target struct {
	Class string `json:"class"`
	Index int    `json:"index"`
	Says  string `json:"says"`
	By    string `json:"by"` // ByPixels, ByCommon, ByBiased, ByLabels, ByFeatures, ByUnseen or ByLate
	// Images carry the label, Flagged of them were taken for poisoned, and Between got a probability from 5 to
	// 95 %: few, where there is a trigger.
	Images  int `json:"images"`
	Flagged int `json:"flagged"`
	Between int `json:"between"`
	// Leak counts images under other labels that would have been flagged: none, where there is a trigger, since
	// they do not carry it; many, where the network has only learnt what easy images of the class look like.
	Others int `json:"others"`
	Leak   int `json:"leak"`
	// Agreement is how far the last two rounds of the biased network flagged the same images: their common ones as a
	// share of all.
	// By pixels of many labels it is the share of the flagged images that a network which never saw the pattern takes for
	// the label; Usual is that of the images with it under other labels (Leak) for theirs, and Pure the share of both
	// that look like the one class that their label is matched with: the label itself, where labels are right.
	// ByLate it is the share of the flagged images that look like the label, without those that the biased network started
	// from: of the flagged images Pure are left. Usual is that of the label's other images, Variety and RestVariety are of the
	// same. Distance is by how many deviations more of the label's images look like other classes than others look like it.
	Agreement float64 `json:"agreement"`
	Rounds    int     `json:"rounds"`
	// By pixels Spread is how much the images with a pattern vary beside it, as a share of how much the label's others do:
	// much less, where they are copies of one.
	Spread float64 `json:"spread,omitempty"`
	// By features, or pixels, the label's images fall into two groups: their means are Distance standard deviations apart;
	// Bimodality is 1/3 for one Gaussian, 5/9 for a uniform distribution, 1 for two points; Early is the probability that
	// isolation ranks an image of the suspicious group before one of the other; Isolated is the share of the isolated
	// images that carry the label, and Pure the share of those that are in the suspicious group.
	Distance   float64 `json:"distance,omitempty"`
	Usual      float64 `json:"usual,omitempty"` // the distance to expect from the other labels' groups; 0 if there are too few
	Bimodality float64 `json:"bimodality,omitempty"`
	Early      float64 `json:"early,omitempty"`
	Isolated   float64 `json:"isolated,omitempty"`
	Pure       float64 `json:"pure,omitempty"`
	// Variety, from 0 to 1, is how much the label that a network would give instead says about an image of the suspicious
	// group: much, where the labels are wrong. RestVariety is that of the label's other images, UsualVariety that of other
	// labels. ByUnseen the two are those of a network without the label.
	Variety      float64 `json:"variety,omitempty"`
	RestVariety  float64 `json:"rest_variety,omitempty"`
	UsualVariety float64 `json:"usual_variety,omitempty"`
}
