package audit

import (
	"context"
	"os"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/defense"
	"github.com/unpoison/unpoison/internal/testkit/planted"
	"github.com/unpoison/unpoison/train"
)

func TestMain(m *testing.M) {
	leastSteps = 100
	os.Exit(m.Run())
}

// recipe is one under which signs take some seconds.
func recipe() abl.Options {
	o := abl.Demo()
	o.TuneEpochs = 3
	return o
}

// short searches like the default ones, in fewer and shorter rounds.
func short() Options {
	a := Default()
	a.Epochs, a.Rounds = 10, 3
	return a
}

// A sticker is found without a look at the pixels too: the verdict, the label, nearly all images that carry it and hardly
// any others. In the fewer signs isolation ranks some planted arrows before all else, and the features alone have to tell.
func TestFindsASticker(t *testing.T) {
	for _, c := range []struct{ images, rounds, hit, miss int }{
		{2000, short().Rounds, 195, 9}, // of 200 and 1,800
		{1200, 0, 117, 11},             // of 120 and 1,080
	} {
		d := planted.Render(t, 1, c.images, 300)
		a := short()
		a.Rounds, a.Pixels = c.rounds, false
		r, err := Audit(context.Background(), d.Train, recipe(), a, abl.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		v := r.Verdict
		if v.Says != defense.Poisoned || v.Targets[0].Index != planted.Target || v.Remaining != nil {
			t.Errorf("%d images: the verdict is %+v", c.images, v)
		}
		hit, miss := 0, 0
		for _, s := range r.Suspects[:v.Removed] {
			if !s.Isolated || s.Probability <= flagged {
				t.Fatalf("a suspect of probability %g is among the removed ones", s.Probability)
			}
			if d.Poisoned[s.Index] {
				hit++
			} else {
				miss++
			}
		}
		if hit < c.hit || miss > c.miss {
			t.Errorf("%d images: %d poisoned and %d clean ones removed", c.images, hit, miss)
		}
	}
}

// Where isolation points to no label the features do, and a network that never saw the label tells which images are wrong.
func TestFindsAStickerThatIsNotIsolated(t *testing.T) {
	d := planted.Render(t, 1, 1200, 300)
	a := short()
	a.Pixels, a.Share, a.InspectEpochs = false, 1, 24
	r, err := Audit(context.Background(), d.Train, recipe(), a, abl.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	v := r.Verdict
	if v.Says != defense.Poisoned || len(v.Targets) != 1 || v.Targets[0].Index != planted.Target || v.Targets[0].By != defense.ByUnseen {
		t.Fatalf("the verdict is %+v", v)
	}
	hit := 0
	for _, s := range r.Suspects[:v.Removed] {
		hit += bit(d.Poisoned[s.Index])
	}
	if hit < 110 || v.Removed > hit+11 { // of 120
		t.Errorf("%d poisoned and %d clean ones removed", hit, v.Removed-hit)
	}
	a.Unseen = false
	if r, err = Audit(context.Background(), d.Train, recipe(), a, abl.Settings{}); err != nil {
		t.Fatal(err)
	}
	if r.Verdict.Says != defense.NoEvidence {
		t.Errorf("without that network the verdict is %+v", r.Verdict)
	}
}

// Clean signs are not called poisoned, and nothing is removed, whatever isolation points to.
func TestFindsNothingInCleanSigns(t *testing.T) {
	for _, share := range []float64{Default().Share, 1} {
		a := short()
		a.Share = share
		r, err := Audit(context.Background(), signs.Render(1, 1200, 10).Train, recipe(), a, abl.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict.Says == defense.Poisoned || r.Verdict.Removed != 0 || len(r.Verdict.Targets) == 0 {
			t.Errorf("the verdict is %+v", r.Verdict)
		}
	}
}

// Where nothing is removed the model is that of plain training, to the bit: the search costs time and nothing else.
func TestWhatIsNotRemovedIsTrainedOnAsEver(t *testing.T) {
	set := signs.Render(1, 400, 10).Train
	o := recipe()
	o.Augment, o.IsolateEpochs, o.TuneEpochs = true, 1, 1
	a := short()
	a.Rounds = 0
	searched, err := Train(context.Background(), set, o, a, abl.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if searched.Verdict.Removed > 0 {
		t.Fatalf("the verdict is %+v", searched.Verdict)
	}
	o.IsolateEpochs = 0
	plain, err := abl.Train(context.Background(), set, o, abl.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range plain.Model {
		if !slices.Equal(searched.Model[k].Data, want.Data) {
			t.Errorf("tensor %s differs", want.Name)
		}
	}
}

// A training that is stopped while it looks or trains goes on to the same model and the same verdict.
func TestGoesOnAfterAStop(t *testing.T) {
	d := planted.Render(t, 1, 1200, 300)
	o, a := recipe(), short()
	a.Rounds = 2
	whole, err := Train(context.Background(), d.Train, o, a, abl.Settings{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	noted := map[string]int{}
	for _, stop := range []string{"isolate", "detect", "after a label", "inspect", "tune"} {
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		_, err := Train(ctx, d.Train, o, a, abl.Settings{Folder: folder, Resume: true, Watch: func(e train.Event) {
			if e.Stage == "detect" && e.Note != "" {
				if noted[e.Note]++; stop == "after a label" {
					cancel()
				}
			}
			if e.Stage == stop && e.Progress != nil {
				if n++; n == 40 {
					cancel()
				}
			}
		}})
		cancel()
		if err == nil {
			t.Fatalf("%s: it was not stopped", stop)
		}
	}
	for note, n := range noted {
		if n > 1 {
			t.Errorf("%d times: %s", n, note)
		}
	}
	if len(noted) == 0 {
		t.Error("no label was looked into")
	}
	rest, err := Train(context.Background(), d.Train, o, a, abl.Settings{Folder: folder, Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	for k := range whole.Model {
		if !slices.Equal(whole.Model[k].Data, rest.Model[k].Data) {
			t.Fatalf("tensor %s differs", whole.Model[k].Name)
		}
	}
	if !slices.Equal(whole.Suspects, rest.Suspects) || whole.Verdict.Says != rest.Verdict.Says || *whole.Verdict.Remaining != *rest.Verdict.Remaining || whole.Verdict.Against == 0 {
		t.Errorf("verdicts %+v and %+v", whole.Verdict, rest.Verdict)
	}
	if v := whole.Verdict; v.HeldBack != v.Removed-v.Against || v.HeldBack == 0 || v.RemainingAtMost <= *v.Remaining && *v.Remaining < 1 {
		t.Errorf("%d of %d removed images held back, of which %.2f %% keep their label, at most %.2f %%", v.HeldBack, v.Removed, 100**v.Remaining, 100*v.RemainingAtMost)
	}
}

func TestSays(t *testing.T) {
	trigger := defense.Target{By: defense.ByBiased, Images: 1000, Flagged: 500, Between: 5, Others: 9000, Leak: 1, Agreement: 0.99, Rounds: 3}
	for name, c := range map[string]struct {
		change func(t *defense.Target)
		want   string
	}{
		"a trigger":           {func(*defense.Target) {}, defense.Poisoned},
		"one round":           {func(t *defense.Target) { t.Rounds = 1 }, defense.CantTell},
		"other labels too":    {func(t *defense.Target) { t.Leak = 200 }, defense.NoEvidence},
		"a few other labels":  {func(t *defense.Target) { t.Leak = 50 }, defense.Poisoned},
		"some other labels":   {func(t *defense.Target) { t.Leak = 100 }, defense.NoEvidence},
		"some in between":     {func(t *defense.Target) { t.Between = 80 }, defense.CantTell},
		"many in between":     {func(t *defense.Target) { t.Between = 300 }, defense.NoEvidence},
		"rounds that differ":  {func(t *defense.Target) { t.Agreement = 0.9 }, defense.CantTell},
		"hardly anything":     {func(t *defense.Target) { t.Flagged = 3 }, defense.NoEvidence},
		"hardly, in a glance": {func(t *defense.Target) { t.Flagged, t.Rounds = 3, 1 }, defense.NoEvidence},
	} {
		judged(t, name, trigger, c.change, c.want)
	}
}

// judged checks what a changed target says, also after its way through a checkpoint.
func judged(t *testing.T, name string, target defense.Target, change func(t *defense.Target), want string) {
	t.Helper()
	change(&target)
	if says(&target) != want {
		t.Errorf("%s: %s", name, says(&target))
	}
	back := decode(encode([]defense.Target{target}), make([]string, 10))[0]
	if back.Leak != target.Leak || back.Between != target.Between || back.By != target.By || says(&back) != want {
		t.Errorf("%s: came back as %+v", name, back)
	}
}

// Two kinds of images need distance, and more of it where there are few; which is the planted one isolation says.
func TestSaysByFeatures(t *testing.T) {
	trigger := defense.Target{By: defense.ByFeatures, Images: 900, Flagged: 400, Between: 9, Distance: 7.5, Usual: 4, Bimodality: 0.7, Early: 0.9, Pure: 1}
	for name, c := range map[string]struct {
		change func(t *defense.Target)
		want   string
	}{
		"two kinds":       {func(*defense.Target) {}, defense.Poisoned},
		"close":           {func(t *defense.Target) { t.Distance = 6.5 }, defense.NoEvidence},
		"few":             {func(t *defense.Target) { t.Images, t.Flagged = 100, 40 }, defense.NoEvidence},
		"hardly any":      {func(t *defense.Target) { t.Flagged = 4 }, defense.NoEvidence},
		"as other labels": {func(t *defense.Target) { t.Usual = 6.5 }, defense.NoEvidence},
		"unlike others":   {func(t *defense.Target) { t.Usual = 5 }, defense.Poisoned},
		"clean blue signs": {func(t *defense.Target) {
			t.Images, t.Distance, t.Usual, t.Bimodality, t.Early, t.Isolated = 172, 11.465, 6.332, 0.546, 0.829, 0.734
		}, defense.NoEvidence},
		"clean planes and dogs": {func(t *defense.Target) {
			t.Images, t.Flagged, t.Distance, t.Usual, t.Bimodality, t.Early, t.Isolated = 2539, 2442, 9.93, 0, 0.613, 0.832, 1
		}, defense.CantTell},
		"seen plainly":     {func(t *defense.Target) { t.Bimodality, t.Early, t.Isolated = 0.478, 0.922, 0.99 }, defense.Poisoned},
		"clean stop signs": {func(t *defense.Target) { t.Images, t.Distance, t.Usual = 300, 8.585, 6.607 }, defense.NoEvidence},
		"one hump":         {func(t *defense.Target) { t.Bimodality = 0.4 }, defense.NoEvidence},
		"one hump, wrong":  {func(t *defense.Target) { t.Bimodality, t.Variety, t.UsualVariety = 0.4, 0.44, 0.13 }, defense.Poisoned},
		"close and wrong":  {func(t *defense.Target) { t.Distance, t.Variety, t.UsualVariety = 6.5, 0.44, 0.13 }, defense.NoEvidence},
		"blurred":          {func(t *defense.Target) { t.Between = 90 }, defense.NoEvidence},
		"learnt alike":     {func(t *defense.Target) { t.Early = 0.55 }, defense.CantTell},
		"isolated in both": {func(t *defense.Target) { t.Pure = 0.7 }, defense.CantTell},
		"wrong labels":     {func(t *defense.Target) { t.Early, t.Pure, t.Variety = 0.1, 0, 0.6 }, defense.Poisoned},
		"wrong everywhere": {func(t *defense.Target) { t.Early, t.Variety, t.UsualVariety = 0.1, 0.6, 0.6 }, defense.CantTell},
		"wrong in both":    {func(t *defense.Target) { t.Early, t.Variety, t.RestVariety = 0.1, 0.6, 0.6 }, defense.CantTell},
		"others wrong":     {func(t *defense.Target) { t.RestVariety, t.UsualVariety = 0.3, 0.12 }, defense.CantTell},
	} {
		judged(t, name, trigger, c.change, c.want)
	}
}

// A pattern is far from honest images, in one label mostly, and in images that differ.
func TestSaysByPixels(t *testing.T) {
	trigger := defense.Target{By: defense.ByPixels, Images: 1000, Flagged: 500, Others: 9000, Distance: 40, Spread: 0.9}
	for name, c := range map[string]struct {
		change func(t *defense.Target)
		want   string
	}{
		"a pattern":             {func(*defense.Target) {}, defense.Poisoned},
		"rare":                  {func(t *defense.Target) { t.Flagged, t.Distance = 12, 11 }, defense.Poisoned},
		"with right labels":     {func(t *defense.Target) { t.Leak = 2000 }, defense.Poisoned},
		"in every label":        {func(t *defense.Target) { t.Leak = 4000 }, defense.NoEvidence},
		"close":                 {func(t *defense.Target) { t.Distance = 8.3 }, defense.NoEvidence},
		"copies of one image":   {func(t *defense.Target) { t.Spread = 0.05 }, defense.NoEvidence},
		"a matter of degree":    {func(t *defense.Target) { t.Between = 80 }, defense.NoEvidence},
		"a handful of oddities": {func(t *defense.Target) { t.Flagged = 6 }, defense.NoEvidence},
	} {
		judged(t, name, trigger, c.change, c.want)
	}
}

// Of two kinds of images a network without the label knows the planted one by its labels alone.
func TestSaysByUnseen(t *testing.T) {
	kind := defense.Target{By: defense.ByUnseen, Images: 900, Flagged: 400, Variety: 0.6, RestVariety: 0.2}
	for name, c := range map[string]struct {
		change func(t *defense.Target)
		want   string
	}{
		"wrong labels":     {func(*defense.Target) {}, defense.Poisoned},
		"like a few other": {func(t *defense.Target) { t.Variety = 0.3 }, defense.CantTell},
		"as the rest":      {func(t *defense.Target) { t.RestVariety = 0.5 }, defense.CantTell},
		"few":              {func(t *defense.Target) { t.Flagged = 40 }, defense.CantTell},
	} {
		judged(t, name, kind, c.change, c.want)
	}
}

// A pattern under many labels was planted where their images look like other classes, or where one label's do alone.
func TestSaysByCommonPattern(t *testing.T) {
	everyLabel := defense.Target{By: defense.ByCommon, Images: 1000, Flagged: 100, Others: 9000, Leak: 900, Distance: 40, Spread: 0.9, Pure: 0.6, Agreement: 0.05, Usual: 0.06}
	for name, c := range map[string]struct {
		change func(t *defense.Target)
		want   string
	}{
		"every label wrong":   {func(*defense.Target) {}, defense.Poisoned},
		"few under this one":  {func(t *defense.Target) { t.Flagged, t.Leak = 3, 60 }, defense.Poisoned},
		"few at all":          {func(t *defense.Target) { t.Flagged, t.Leak = 3, 40 }, defense.NoEvidence},
		"a watermark":         {func(t *defense.Target) { t.Agreement, t.Usual = 0.6, 0.6 }, defense.NoEvidence},
		"all look the same":   {func(t *defense.Target) { t.Pure = 0.12 }, defense.NoEvidence},
		"close":               {func(t *defense.Target) { t.Distance = 8 }, defense.NoEvidence},
		"copies of one image": {func(t *defense.Target) { t.Spread = 0.05 }, defense.NoEvidence},
		"a matter of degree":  {func(t *defense.Target) { t.Between = 80 }, defense.NoEvidence},
		"no network":          {func(t *defense.Target) { t.Pure, t.Agreement, t.Usual = 0, 0, 0 }, defense.CantTell},
		"this one wrong":      {func(t *defense.Target) { t.Usual, t.Variety, t.UsualVariety = 0.7, 0.5, 0.1 }, defense.Poisoned},
		"this one hard":       {func(t *defense.Target) { t.Usual, t.Agreement, t.Variety, t.UsualVariety = 0.7, 0.3, 0.5, 0.1 }, defense.NoEvidence},
		"like one other":      {func(t *defense.Target) { t.Usual, t.Variety, t.UsualVariety = 0.7, 0.1, 0.1 }, defense.NoEvidence},
		"few of this one":     {func(t *defense.Target) { t.Flagged, t.Usual, t.Variety, t.UsualVariety = 20, 0.7, 0.5, 0.1 }, defense.NoEvidence},
	} {
		judged(t, name, everyLabel, c.change, c.want)
	}
}

// Rates of errors were measured with all parts of the search as they are by default.
func TestMeasuredRatesAreTheDefaults(t *testing.T) {
	a := Default()
	a.Against = 0
	if m := a.measured("wrn-16-1"); m == nil || *m != Measured() {
		t.Errorf("the default search comes with %+v", m)
	}
	if m := a.measured("small-cnn"); m != nil {
		t.Errorf("another network comes with %+v", m)
	}
	a.Rounds--
	if m := a.measured("wrn-16-1"); m != nil {
		t.Errorf("another search comes with %+v", m)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	d := signs.Render(1, 100, 10)
	for _, a := range []Options{{Epochs: 1, Share: 0.1}, {Rounds: 1, Share: 0.1}, {Rounds: 1, Epochs: 1}, {Rounds: 1, Epochs: 1, Share: 0.1, Network: "odd"}, {Rounds: 1, Epochs: 1, Share: 0.1, Network: "small-cnn", InspectEpochs: -1}, {Epochs: 1, Share: 0.1, Network: "small-cnn"}, {Rounds: 1, Epochs: 1, Share: 0.1, Network: "small-cnn", Against: 2}} {
		if _, err := Audit(context.Background(), d.Train, recipe(), a, abl.Settings{}); err == nil {
			t.Errorf("%+v was taken", a)
		}
	}
	o := recipe()
	o.IsolateEpochs = 0
	if _, err := Audit(context.Background(), d.Train, o, Default(), abl.Settings{}); err == nil {
		t.Error("no isolation was taken")
	}
}

// Training is set against some of the removed images, never against more than half of them, so that the rest can judge it.
func TestAgainst(t *testing.T) {
	for _, c := range []struct {
		removed, kept int
		share         float64
		want          int
	}{{1000, 9000, 0.02, 180}, {100, 9000, 0.02, 50}, {100, 9000, 0, 0}, {1, 9000, 0.02, 0}, {0, 9000, 0.02, 0}} {
		var removed []int
		for i := range c.removed {
			removed = append(removed, 3*i)
		}
		against, rest := Options{Against: c.share}.against(removed, c.kept, 1)
		all := slices.Concat(against, rest)
		slices.Sort(all)
		if len(against) != c.want || !slices.Equal(all, removed) {
			t.Errorf("of %d images, with %d kept: against %d, %d left", c.removed, c.kept, len(against), len(rest))
		}
	}
}
