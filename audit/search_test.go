package audit

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/look/pixels"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/base/sysinfo"
	"github.com/unpoison/unpoison/isolate"
	"github.com/unpoison/unpoison/train"
)

// counter is a look that counts how often it is asked.
type counter struct{ asked int }

func (*counter) Name() look.Name { return "counter" }

func (l *counter) Ask(context.Context, *look.Case) ([]look.Evidence, error) {
	l.asked++
	return []look.Evidence{{Look: "counter", Facts: look.Counts{}}}, nil
}

// A look that was asked before a stop is not asked again when the stage goes on.
func TestLooksAreAskedOnce(t *testing.T) {
	set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"a", "b"}, Labels: []int32{0, 1}, Pixels: make([]uint8, 6)}
	r := &train.Run{Data: set, Seconds: map[string]float64{}}
	l := &counter{}
	for range 2 {
		c, err := look.NewCase(r, look.Settings{}) // as from a checkpoint
		if err != nil {
			t.Fatal(err)
		}
		if err := (stage{looks: []look.Look{l}}).run(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
	if l.asked != 1 {
		t.Errorf("asked %d times", l.asked)
	}
	c, err := look.NewCase(r, look.Settings{})
	if err != nil || len(c.Evidence()) != 1 {
		t.Errorf("%d pieces of evidence, %v", len(c.Evidence()), err)
	}
}

// A verdict names the looks that are not asked, as they are called.
func TestLooksThatAreOff(t *testing.T) {
	for _, a := range []Options{Default(), {Content: true}, {Pixels: true}} {
		for _, is := range []look.Name{look.ByContent, look.ByPixels} {
			asked := slices.ContainsFunc(a.stages(nil), func(s stage) bool {
				return slices.ContainsFunc(s.looks, func(l look.Look) bool { return l.Name() == is })
			})
			if asked == (&Verdict{Off: a.off()}).Without(is) {
				t.Errorf("%+v: %s is asked: %t; off: %q", a, is, asked, a.off())
			}
		}
	}
}

// A look that has another one's name would never be asked.
func TestLooksHaveNamesOfTheirOwn(t *testing.T) {
	for name, more := range map[string][]look.Look{"counter": {&counter{}, &counter{}}, "pixels": {pixels.Look{}}} {
		if err := distinct(Default().stages(more[:1])); (err == nil) != (name == "counter") {
			t.Errorf("one more look, %q: %v", name, err)
		}
		if _, err := Search(t.Context(), &train.Run{}, Setup{More: more}, Default()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("two looks called %q: %v", name, err)
		}
	}
}

// teller is a look that says what it is given.
type teller struct{ said look.Evidence }

func (teller) Name() look.Name { return "teller" }

func (l teller) Ask(context.Context, *look.Case) ([]look.Evidence, error) {
	return []look.Evidence{l.said}, nil
}

// What a look says is of a label that there is, and of all images or of none.
func TestLooksSpeakOfTheData(t *testing.T) {
	set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"a", "b"}, Labels: []int32{0, 1}, Pixels: make([]uint8, 6)}
	for _, c := range []struct {
		said look.Evidence
		want string // of the error; empty: none
	}{
		{look.Evidence{Label: 1}, ""},
		{look.Evidence{Carriers: []float32{1, 0}}, ""},
		{look.Evidence{Label: 2}, `"teller" speaks of the label 2`},
		{look.Evidence{Label: -1}, "label -1"},
		{look.Evidence{Carriers: []float32{1}}, "1 carriers"},
		{look.Evidence{Carriers: []float32{}}, "0 carriers"},
		{look.Evidence{Own: []float32{1}}, ""},
		{look.Evidence{Own: []float32{1, 0}}, "2 carriers"},
		{look.Evidence{Score: math.NaN()}, "the score NaN"},
		{look.Evidence{Strength: math.Inf(1)}, "the strength +Inf"},
		{look.Evidence{Carriers: []float32{0, float32(math.NaN())}}, "a carrier of NaN"},
		{look.Evidence{Own: []float32{float32(math.Inf(-1))}}, "a carrier of -Inf"},
		{look.Evidence{Says: 9}, "says Says(9)"},
	} {
		of, err := look.NewCase(&train.Run{Data: set, Seconds: map[string]float64{}}, look.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		err = stage{looks: []look.Look{teller{c.said}}}.run(t.Context(), of)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, expected %q", c.said, err, c.want)
		}
	}
}

// More probabilities than there is memory for are refused before anything is trained.
func TestProbabilitiesHaveRoom(t *testing.T) {
	if sysinfo.AvailableMemory() == 0 {
		t.Skip("nothing says how much memory there is")
	}
	const many = 2_000_000
	set := &dataset.Set{Height: 1, Width: 1, Classes: make([]string, many), Labels: make([]int32, many)}
	of, err := Options{Content: true}.open(&train.Run{Data: set}, Setup{})
	if of == nil || err == nil || !strings.HasPrefix(err.Error(), "the probabilities of 2000000 classes for 2000000 images take 15258789 MB") {
		t.Error(err)
	}
	if _, err := (Options{}).open(&train.Run{Data: set}, Setup{}); err != nil {
		t.Errorf("without them: %v", err)
	}
}

// The list of suspects begins with the removed images, the surest first; then come those that stand out where it can't be told.
func TestSuspectsInOrder(t *testing.T) {
	f := &Found{Verdict: &Verdict{}, Probability: []float32{0.1, 0.6, 0.2, 1, 0, 0}, Doubtful: []float32{0, 1, 0.6, 1, 0.4, 1}}
	want := []isolate.Suspect{
		{Index: 3, Probability: 1, Isolated: true},
		{Index: 1, Probability: 0.6, Isolated: true},
		{Index: 5, Doubtful: true},
		{Index: 2, Probability: 0.2, Doubtful: true},
		{Index: 0, Probability: 0.1},
		{Index: 4},
	}
	if got := f.Suspects(); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	f.Doubtful, f.Own = nil, []float64{1, 1, 1, 1, 0.9, 0.2}
	if got := f.Suspects(); got[2].Index != 2 || got[2].Doubtful || got[4].Index != 5 {
		t.Errorf("without doubt %+v", got)
	}
}
