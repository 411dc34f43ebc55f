package late

import (
	"context"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/testkit/planted"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

// What images with a sticker look like beside their label.
const (
	many = iota // one of the other classes each
	one         // the same other class
	none        // their label, and another class next
)

// seen returns what a network makes of images of which few, with stickers or without, surely look like other classes.
func seen(set *dataset.Set, stickers *planted.Signs, like int) (logits []float32, carriers int) {
	const start = 25
	classes := len(set.Classes)
	logits = make([]float32, set.Len()*classes)
	surely := 0
	for i, own := range set.Labels {
		z := logits[i*classes : (i+1)*classes]
		z[own] = 3
		if int(own) != planted.Target || set == stickers.Train && !stickers.Poisoned[i] {
			continue
		}
		carriers++
		show := (planted.Target + 1 + i%(classes-1)) % classes
		switch {
		case surely < start:
			z[show] = 10
			surely++
		case set != stickers.Train:
		case like == many:
			z[show] = 4
		case like == one:
			z[(planted.Target+1)%classes] = 4
		default: // second choices are various, but second
			z[own], z[show] = 5, 4
		}
	}
	return logits, carriers
}

// judge judges what biased networks learnt of the stickers by another plain network.
func judge(learnt []float32, plain *look.Plain, set *dataset.Set) Facts {
	classes := len(set.Classes)
	var images, from []int
	for i, p := range learnt {
		if p >= 0 {
			images = append(images, i)
			if evaluate.CrossEntropy(plain.Logits[i*classes:(i+1)*classes], planted.Target) >= doubted {
				from = append(from, i)
			}
		}
	}
	f := besides(images, learnt, planted.Target, from, plain)
	f.Images, f.Others = len(images), set.Len()-len(images)
	f.Tally(images, learnt)
	f.Besides /= float64(f.Flagged)
	return f
}

// A network that has not learnt the stickers takes their images for what they show, some surely: all that carry one are found
// from those. Nothing is where the few that look like other classes have nothing in common; nor where the others that share
// what they have look like their label, since it is then an honest mark; nor where they look like one other class.
func TestLateImages(t *testing.T) {
	stickers := planted.Render(t, 3, 800, 10)
	clean := signs.Render(3, 400, 10).Train
	var learnt []float32 // what biased networks make of the stickers
	for _, c := range []struct {
		name string
		set  *dataset.Set
		like int
		want look.Says
	}{
		{"planted", stickers.Train, many, look.Poisoned}, // the only one of these that are trained on stickers
		{"a mark", stickers.Train, none, look.NoEvidence},
		{"like one class", stickers.Train, one, look.NoEvidence},
		{"nothing in common", clean, many, look.NoEvidence},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, classes := c.set, len(c.set.Classes)
			logits, carriers := seen(set, stickers, c.like)
			plain := &look.Plain{Logits: logits, First: stat.FirstChoices(logits, set.Len()), Second: stat.SecondChoices(logits, set.Labels)}
			if c.like != many { // the biased networks would be the same
				if f := judge(learnt, plain, set); f.Says() != c.want {
					t.Errorf("%+v", f)
				}
				return
			}
			n, err := model.New("small-cnn", classes, set.Height, set.Width)
			if err != nil {
				t.Fatal(err)
			}
			b, err := cpu.New("")
			if err != nil {
				t.Fatal(err)
			}
			r := &train.Run{Backend: b, Network: n, Data: set, Batch: 32, SGD: train.DefaultSGD()}
			if _, err := r.Start(false); err != nil {
				t.Fatal(err)
			}
			scores := make([]float32, set.Len())
			for i := range scores { // planted ones last
				scores[i] = float32(stat.Bit(stickers.Poisoned[i]))
			}
			k, err := look.NewCase(r, scores, look.Settings{Isolation: 0.01, Biased: "small-cnn", Epochs: 10, Steps: look.Steps{Round: 100}})
			if err != nil {
				t.Fatal(err)
			}
			k.SetPlain(plain)
			targets, err := Look{}.Ask(context.Background(), k)
			if err != nil {
				t.Fatal(err)
			}
			if len(targets) != 1 || targets[0].Label != planted.Target || targets[0].Says != c.want {
				t.Fatalf("%+v", targets[0].Facts)
			}
			if err := k.Add(context.Background(), targets...); err != nil {
				t.Fatal(err)
			}
			if c.set == stickers.Train {
				learnt = targets[0].Carriers
			}
			var hit, miss int
			for i, p := range k.Found() {
				hit += stat.Bit(p > look.Flagged && stickers.Poisoned[i])
				miss += stat.Bit(p > look.Flagged && !stickers.Poisoned[i])
			}
			if c.want == look.Poisoned && (hit < carriers-3 || miss > 5) || c.want != look.Poisoned && hit+miss > 0 {
				t.Errorf("found %d of %d, and %d others", hit, carriers, miss)
			}
		})
	}
}
