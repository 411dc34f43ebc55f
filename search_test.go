package unpoison

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/testkit/planted"
	"github.com/unpoison/unpoison/train"
)

// few shortens the trainings.
func few() look.Steps { return look.Steps{Round: 60, Plain: 100} }

// recipe is one under which signs take some seconds.
func recipe() abl.Options {
	o := abl.Demo()
	o.TuneEpochs = 3
	return o
}

// within searches a set by these settings, in so many steps. What signs show is known: no network is trained for it.
func within(ctx context.Context, set *dataset.Set, o abl.Options, a audit.Options, s train.Settings, steps look.Steps, full bool) (*Result, error) {
	return run(ctx, &dataset.Data{Layout: "folder", Train: set}, Options{
		Recipe: &o.Recipe, Search: &a, Settings: s, Features: shown{len(set.Classes)}, steps: steps,
	}, full)
}

// with searches in few steps.
func with(ctx context.Context, set *dataset.Set, o abl.Options, a audit.Options, s train.Settings, full bool) (*Result, error) {
	return within(ctx, set, o, a, s, few(), full)
}

// A sticker is found without a look at the pixels too: the verdict, the label, nearly all images that carry it and hardly
// any others.
func TestFindsASticker(t *testing.T) {
	d := planted.Render(t, 1, 800, 10)
	a := audit.Default()
	a.Pixels = false
	r, err := with(context.Background(), d.Train, recipe(), a, train.Settings{}, false)
	if err != nil {
		t.Fatal(err)
	}
	v := r.Verdict
	if v.Says != look.Poisoned || v.Targets[0].Label != planted.Target || v.Remaining != nil {
		t.Errorf("the verdict is %+v", v)
	}
	hit, miss := 0, 0
	for _, s := range r.Suspects[:v.Removed] {
		if !s.Isolated || s.Probability <= look.Flagged {
			t.Fatalf("a suspect of probability %g is among the removed ones", s.Probability)
		}
		if d.Poisoned[s.Index] {
			hit++
		} else {
			miss++
		}
	}
	if hit < 72 || miss > 8 { // of 80 and 720
		t.Errorf("%d poisoned and %d clean ones removed", hit, miss)
	}
}

// Clean signs are not called poisoned, and nothing is removed.
func TestFindsNothingInCleanSigns(t *testing.T) {
	r, err := with(context.Background(), signs.Render(1, 800, 10).Train, recipe(), audit.Default(), train.Settings{}, false)
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict.Says != look.NoEvidence || r.Verdict.Removed != 0 || len(r.Verdict.Targets) == 0 {
		t.Errorf("the verdict is %+v", r.Verdict)
	}
}

// Where nothing is removed the model is that of plain training, to the bit: the search costs time and nothing else.
func TestWhatIsNotRemovedIsTrainedOnAsEver(t *testing.T) {
	set := signs.Render(1, 400, 10).Train
	o := recipe()
	o.Augment, o.IsolateEpochs, o.TuneEpochs = true, 0, 1
	searched, err := with(context.Background(), set, o, audit.Default(), train.Settings{}, true)
	if err != nil {
		t.Fatal(err)
	}
	if searched.Verdict.Removed > 0 {
		t.Fatalf("the verdict is %+v", searched.Verdict)
	}
	plain, err := abl.Train(context.Background(), set, o, train.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range plain.Model {
		if !slices.Equal(searched.Model[k].Data, want.Data) {
			t.Errorf("tensor %s differs", want.Name)
		}
	}
}

// shown are features from which any classifier tells what most signs show; see signs.Render. Some have none.
type shown struct{ classes int }

func (s shown) Width() int     { return s.classes }
func (s shown) Digest() string { return "what signs show" }
func (s shown) Row(i int) []float32 {
	if i/s.classes%8 == 7 {
		return nil
	}
	row := make([]float32, s.classes)
	row[i%s.classes] = 10
	return row
}

// A training that is stopped while it looks or trains goes on to the same model and the same verdict.
func TestGoesOnAfterAStop(t *testing.T) {
	d := planted.Render(t, 1, 600, 10)
	o, a := recipe(), audit.Default()
	o.TuneEpochs = 2
	search := func(ctx context.Context, s train.Settings) (*Result, error) {
		return within(ctx, d.Train, o, a, s, look.Steps{Round: 16, Plain: 40}, true)
	}
	whole, err := search(context.Background(), train.Settings{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, stop := range []string{"content", "inspect", "tune"} {
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		_, err := search(ctx, train.Settings{Folder: folder, Resume: true, Watch: func(e train.Event) {
			if e.Stage == stop && e.Progress != nil {
				if n++; n == 6 {
					cancel()
				}
			}
		}})
		cancel()
		if err == nil {
			t.Fatalf("%s: it was not stopped", stop)
		}
	}
	rest, err := search(context.Background(), train.Settings{Folder: folder, Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	for k := range whole.Model {
		if !slices.Equal(whole.Model[k].Data, rest.Model[k].Data) {
			t.Fatalf("tensor %s differs", whole.Model[k].Name)
		}
	}
	if !slices.Equal(whole.Suspects, rest.Suspects) || whole.Verdict.Says != rest.Verdict.Says || *whole.Verdict.Remaining != *rest.Verdict.Remaining || whole.Verdict.Corrected == 0 || whole.Verdict.Continued != 1 {
		t.Errorf("verdicts %+v and %+v", whole.Verdict, rest.Verdict)
	}
	if v := whole.Verdict; v.HeldBack != v.Removed-v.Corrected || v.HeldBack == 0 || v.RemainingAtMost <= *v.Remaining && *v.Remaining < 1 {
		t.Errorf("%d of %d removed images held back, of which %.2f %% keep their label, at most %.2f %%", v.HeldBack, v.Removed, 100**v.Remaining, 100*v.RemainingAtMost)
	}
}

// Every sign with a sticker is taken for the next one: planted. With its own label it only bears a mark.
func TestPatternsUnderAllLabels(t *testing.T) {
	clean := signs.Render(1, 800, 10).Train
	config, err := attack.Parse("badnets:all_to_all=true,patch_size=5")
	if err != nil {
		t.Fatal(err)
	}
	_, wrong, poisoned := planted.Poison(t, config, clean)
	right := *wrong
	right.Labels = clean.Labels
	for want, set := range map[look.Says]*dataset.Set{look.Poisoned: wrong, look.NoEvidence: &right} {
		r, err := with(context.Background(), set, recipe(), audit.Default(), train.Settings{}, false)
		if err != nil {
			t.Fatal(err)
		}
		c := r.Verdict.Common()
		if r.Verdict.Says != want || c == nil || c.Says != want || len(c.Labels) != len(set.Classes) || c.Images != 80 {
			t.Errorf("%s: says %s, %+v", want, r.Verdict.Says, c)
		}
		for _, s := range r.Suspects {
			if removed := s.Probability > look.Flagged; removed != (poisoned[s.Index] && want == look.Poisoned) {
				t.Errorf("%s: image %d, poisoned %v, has a probability of %g", want, s.Index, poisoned[s.Index], s.Probability)
			}
		}
	}
}

// Images that are all the same, or all of a class, are data too: every look that there is ends, and in a verdict that can be
// written.
func TestImagesWithoutDifferencesEndInAVerdict(t *testing.T) {
	for name, value := range map[string]func(class int) uint8{
		"all the same":       func(int) uint8 { return 77 },
		"a constant a class": func(class int) uint8 { return uint8(200 * class) },
	} {
		const side = 8
		set := &dataset.Set{Height: side, Width: side, Classes: []string{"a", "b"}}
		for i := range 100 {
			set.Labels = append(set.Labels, int32(i%2))
			set.Pixels = append(set.Pixels, bytes.Repeat([]uint8{value(i % 2)}, side*side*3)...)
		}
		a, o := audit.Default(), recipe()
		a.InspectEpochs, o.TuneEpochs = 1, 1
		r, err := run(context.Background(), &dataset.Data{Layout: "folder", Train: set}, Options{Recipe: &o.Recipe, Search: &a, steps: look.Steps{Round: 4, Plain: 4, Content: 4}}, true)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := json.Marshal(r.Verdict); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
