package content

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/internal/testkit/planted"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

const target = 4

// stickers renders road signs, some of them with a sticker and the target's label, and with that label alone.
func stickers(t *testing.T, images int) (clean, stickered, mislabelled *dataset.Set, poisoned []bool) {
	t.Helper()
	clean = signs.Render(1, images, 10).Train
	config := attack.Defaults("badnets")
	config.Target, config.Rate = target, 0.16
	_, stickered, poisoned = planted.Poison(t, config, clean)
	mislabelled = clean.Clone()
	copy(mislabelled.Labels, stickered.Labels)
	return clean, stickered, mislabelled, poisoned
}

// Images that were given a label whatever they show are a finding where they share a sticker, and not where they share nothing:
// then the labels alone are odd. What networks that learnt the sticker take for the label, those that did not learn it find. The networks that can't see triggers are stood in for by what the images really show.
func TestContentTellsStickersFromWrongLabels(t *testing.T) {
	clean, set, mislabelled, poisoned := stickers(t, 500)
	b, err := engines.New("cpu", 0)
	if err != nil {
		t.Fatal(err)
	}
	config := attack.Defaults("badnets")
	config.Target, config.AllToAll, config.Rate = target, true, 0.3
	_, everywhere, all := planted.Poison(t, config, clean)
	for name, want := range map[string]look.Says{"stickers": look.Poisoned, "wrong labels": look.NoEvidence, "clean": look.NoEvidence, "all to all": look.Poisoned} {
		data := map[string]*train.Run{"stickers": {Data: set}, "wrong labels": {Data: mislabelled}, "clean": {Data: clean}, "all to all": {Data: everywhere}}[name]
		data.Backend, data.Arrays = b, map[string][]float32{}
		keepContent(data.Arrays, "content", clean, func(i int) int {
			if name == "stickers" && poisoned[i] && i%2 == 0 { // by networks that learnt it: they take the trigger for the class
				return target
			}
			return int(clean.Labels[i])
		})
		keepContent(data.Arrays, fmt.Sprintf("content.without.%d", target), clean, func(i int) int { return int(clean.Labels[i]) })
		c, err := look.NewCase(data, look.Settings{Content: true, Steps: look.Steps{Round: 60}})
		if err != nil {
			t.Fatal(err)
		}
		said, err := Look{}.Ask(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		switch name {
		case "clean":
			if len(said) != 1 || said[0].Says != want || said[0].Score >= evidence || said[0].Own != nil {
				t.Errorf("%s: %+v", name, said[0].Facts)
			}
			continue
		case "all to all":
			hit, wrong, words := 0, 0, 0
			for _, e := range said {
				words += stat.Bit(e.Says == want)
				h, w := count(c, e, all)
				hit, wrong = hit+h, wrong+w
			}
			if words < len(clean.Classes)/2 || hit < 100 || wrong > 5 {
				t.Errorf("%s: %d labels, %d planted and %d other images are flagged", name, words, hit, wrong)
			}
			continue
		}
		if len(said) != 2 || said[0].Label != target || said[0].Says != want || said[1].Says != look.NoEvidence || said[1].Strength > 0.5 {
			t.Fatalf("%s: %+v", name, said)
		}
		if hit, wrong := count(c, said[0], poisoned); want == look.Poisoned && (hit < 64 || wrong > 2) {
			t.Errorf("%s: %d planted and %d other images are flagged", name, hit, wrong)
		}
	}
}

// keepContent puts what networks that can't see triggers make of images, the classes that they take them for, where look.Case keeps it.
func keepContent(arrays map[string][]float32, name string, set *dataset.Set, shows func(i int) int) {
	for fold := range 2 {
		var logs []float32
		for k, i := range rng.Shuffle(0, "content folds", set.Len()) {
			for class := range set.Classes {
				if k%2 == fold {
					logs = append(logs, likely(class == shows(i)))
				}
			}
		}
		arrays[fmt.Sprintf("%s.%d", name, fold)] = logs
	}
}

// likely is the logarithm of the probability of a class that an image shows, or of another.
func likely(shown bool) float32 {
	if shown {
		return float32(math.Log(0.98))
	}
	return float32(math.Log(0.02 / 9))
}

// count returns how many planted and other images evidence flags.
func count(c *look.Case, e look.Evidence, poisoned []bool) (hit, wrong int) {
	for i, p := range c.Carriers(e) {
		if p > look.Flagged && poisoned[i] {
			hit++
		} else if p > look.Flagged {
			wrong++
		}
	}
	return hit, wrong
}
