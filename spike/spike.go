// Package spike measures what finding nothing is worth: it plants weak attacks that are known in copies of somebody's own data and
// asks from which rate on an audit finds them, as a chemist who adds a known amount to a sample.
package spike

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/sysinfo"
	"github.com/unpoison/unpoison/rng"
)

// Copies is how many copies of the data are audited. Each halves the range of rates that is in question, for each attack by itself.
const Copies = 3

// most is the highest rate, of all images. The others are halves of it: seven, of which three copies find the least that is found.
const (
	most   = 0.08
	levels = 1<<Copies - 1
	fewest = 3 // images that an attack plants at least
)

// attacks are those that are planted, each under a label of its own: a sticker, a picture laid over all, a warp that nobody sees.
func attacks() []string { return []string{"badnets", "blend:alpha=0.15", "wanet:cover=0"} }

// Limit says from which rate on an attack was found.
type Limit struct {
	Attack string  `json:"attack"` // with settings that are not the default ones
	Class  string  `json:"class"`  // that it was planted under
	Rate   float64 `json:"rate"`   // share of all images that was planted, the least at which it was found; 0 if it was not found at the highest
	Images int     `json:"images"` // at that rate
	Most   float64 `json:"most"`   // the highest share that was tried
	// NotTried is why the attack was not planted; its rates are 0 then.
	NotTried string `json:"not_tried,omitempty"`
}

// Found tells whether it was found at all.
func (l Limit) Found() bool { return l.Rate > 0 }

// A Search audits one copy; copies are numbered from 1.
type Search func(ctx context.Context, copied *dataset.Data, number int) (*audit.Verdict, error)

// state is what is known of an attack's limit: at the level low it was not found, at high it was.
type state struct {
	config    attack.Config
	class     int
	low, high int
}

// level is the one to try next, which halves what is in question.
func (s state) level() int { return (s.low + s.high) / 2 }

// rate of a level, from 1 on: the highest level is most.
func rate(level int) float64 { return most / math.Exp2(float64(levels-level)) }

// Check refuses data that attacks can't be planted in whatever an audit finds there: images that have too few labels, or no room for
// a copy.
func Check(set *dataset.Set, seed uint64) error {
	states, why, err := choose(set, seed, &audit.Verdict{}, nil)
	if err == nil && len(states) == 0 {
		err = errors.New(why)
	}
	if err != nil {
		return err
	}
	return fits(set, len(states))
}

// fits refuses images that there is no room for a copy of, with so many attacks.
func fits(set *dataset.Set, attacks int) error {
	return sysinfo.Fits(set.CloneBytes(attacks*count(most, set.Len())), "the images of a copy", "; --limit N takes fewer images")
}

// Run plants the attacks in copies of the training images, each attack under a label that the verdict does not name, in images that
// were not suspected, and finds the limits. Where there are fewer such labels than attacks, the last attacks, or all, are not tried, which
// their limits say. The copies stay in memory, one at a time.
func Run(ctx context.Context, data *dataset.Data, seed uint64, v *audit.Verdict, suspected []bool, search Search) ([]Limit, error) {
	states, why, err := choose(data.Train, seed, v, suspected)
	if err != nil {
		return nil, err
	}
	copies := Copies
	if len(states) == 0 {
		copies = 0 // there is nothing to plant
	} else if err := fits(data.Train, len(states)); err != nil {
		return nil, err
	}
	for copied := range copies {
		d := *data
		d.Train = data.Train.Clone()
		if err := plant(ctx, d.Train, states, suspected); err != nil {
			d.Train.Discard()
			return nil, err
		}
		found, err := search(ctx, &d, copied+1)
		d.Train.Discard()
		if err != nil {
			return nil, err
		}
		for k := range states {
			s := &states[k]
			if says(found, s.class) {
				s.high = s.level()
			} else {
				s.low = s.level()
			}
		}
	}
	limits := make([]Limit, len(states))
	for k, s := range states {
		n := data.Train.Len()
		limits[k] = Limit{Attack: attacks()[k], Class: data.Train.Classes[s.class], Most: planted(levels, n)}
		if s.high <= levels {
			limits[k].Rate, limits[k].Images = planted(s.high, n), count(rate(s.high), n)
		}
	}
	return append(limits, NotTried(why)[len(states):]...), nil
}

// NotTried are the limits where none of the attacks was tried, and why.
func NotTried(why string) (all []Limit) {
	for _, a := range attacks() {
		all = append(all, Limit{Attack: a, NotTried: why})
	}
	return all
}

// says tells whether a verdict finds something under a label.
func says(v *audit.Verdict, label int) bool {
	return slices.ContainsFunc(v.Targets, func(t audit.Target) bool { return t.Label == label && t.Found() })
}

// doubted tells whether a verdict can't tell of a label: less than elsewhere would tip the balance there.
func doubted(v *audit.Verdict, label int) bool {
	return slices.ContainsFunc(v.Targets, func(t audit.Target) bool { return t.Label == label && t.Says == look.CantTell })
}

// choose gives each attack a label that enough images lie outside of; one in doubt where there is no other. why says what the last
// attacks lack that have none, or all.
func choose(set *dataset.Set, seed uint64, v *audit.Verdict, suspected []bool) (all []state, why string, err error) {
	if err := set.Check(); err != nil {
		return nil, "", err
	}
	if suspected != nil && len(suspected) != set.Len() {
		return nil, "", fmt.Errorf("%d images are suspected or not, expected all %d", len(suspected), set.Len())
	}
	var free, roomy []int
	counts := set.Counts()
	n := len(attacks()) * count(most, set.Len()) // images that are needed at most
	for _, i := range suspected {
		n += stat.Bit(i)
	}
	order := rng.Shuffle(seed, "spikes", len(set.Classes))
	slices.SortStableFunc(order, func(a, b int) int { return stat.Bit(doubted(v, a)) - stat.Bit(doubted(v, b)) })
	for _, label := range order {
		if counts[label] > 0 && !says(v, label) {
			free = append(free, label)
			if set.Len()-counts[label] >= n {
				roomy = append(roomy, label)
			}
		}
	}
	if len(free) < 2 || len(roomy) == 0 {
		return nil, fmt.Sprintf("spikes need at least 2 labels that nothing was found under, there are %d, and %d images outside of one, which %d of these have", len(free), n, len(roomy)), nil
	}
	for k, text := range attacks() {
		if k == len(roomy) {
			why = fmt.Sprintf("each attack needs a label that %d images lie outside of, and only %d have as many", n, k)
			break
		}
		if k == len(free)-1 { // one label stays as it is
			why = fmt.Sprintf("each attack needs a label that nothing was found under, and one has to stay as it is; there are %d", len(free))
			break
		}
		c, err := attack.Parse(text)
		if err != nil {
			return nil, "", err
		}
		c.Target, c.Seed = roomy[k], seed
		all = append(all, state{c, roomy[k], 0, levels + 1})
	}
	return all, why, nil
}

// count is how many of n images a rate is.
func count(rate float64, n int) int { return max(fewest, int(rate*float64(n)+0.5)) }

// planted is the share of n images that is planted at a level: few images make it more than the level's rate.
func planted(level, n int) float64 { return float64(count(rate(level), n)) / float64(n) }

// plant plants each attack at the level that it is to be tried at.
func plant(ctx context.Context, set *dataset.Set, states []state, suspected []bool) error {
	var configs []attack.Config
	for _, s := range states {
		c := s.config
		c.Rate = planted(s.level(), set.Len())
		configs = append(configs, c)
	}
	return attack.Plant(ctx, configs, set, suspected, attack.Env{}, func(int, *attack.Attack, *attack.Truth) {})
}
