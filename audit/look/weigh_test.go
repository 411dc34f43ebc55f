package look

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

// seen returns a case whose content is given: each image's class that it shows.
func seen(t *testing.T, labels []int32, shows []int, classes []string) *Case {
	t.Helper()
	set := &dataset.Set{Height: 1, Width: 1, Classes: classes, Labels: labels, Pixels: make([]uint8, 3*len(labels))}
	c, err := NewCase(&train.Run{Data: set}, Settings{Content: true})
	if err != nil {
		t.Fatal(err)
	}
	c.content = &Content{Labels: labels}
	var logs [][]float32
	for i, s := range shows {
		p := make([]float64, len(classes))
		for k := range p {
			p[k] = 0.02
		}
		p[s] = 1 - 0.02*float64(len(classes)-1)
		logs = append(logs, logsOf(p))
		c.content.Own = append(c.content.Own, p[labels[i]])
	}
	c.content.P = stat.NewSoftmax(logs, 1)
	return c
}

func logsOf(p []float64) []float32 {
	logs := make([]float32, len(p))
	for k, v := range p {
		logs[k] = float32(math.Log(v))
	}
	return logs
}

// Evidence is poisoned where labels contradict what images show, and open where they are right: nothing is found then.
func TestEvidenceIsJudgedByContent(t *testing.T) {
	labels := make([]int32, 60)
	wrong, right := make([]int, 60), make([]int, 60)
	carriers := make([]float32, 60)
	for i := range labels {
		carriers[i] = -1
		if labels[i] = int32(i % 3); labels[i] == 0 {
			carriers[i] = 0
			if i < 30 {
				carriers[i] = 1
				wrong[i] = 1 + i%2
			}
			continue
		}
		wrong[i], right[i] = int(labels[i]), int(labels[i])
	}
	for name, k := range map[string]struct {
		shows []int
		want  Says
	}{"wrong": {wrong, Poisoned}, "right": {right, CantTell}} {
		c := seen(t, labels, k.shows, []string{"a", "b", "c"})
		if err := c.Add(context.Background(), Evidence{Look: "some", Says: Poisoned, Carriers: carriers}); err != nil {
			t.Fatal(err)
		}
		e := c.Evidence()[0]
		if e.Says != k.want || e.Right == nil || e.Right.Contradicted() != (k.want == Poisoned) {
			t.Errorf("%s: %+v", name, e)
		}
		if found := c.Found()[0] > Flagged; found != (k.want == Poisoned) {
			t.Errorf("%s: found is %v", name, found)
		}
		if err := c.Settle(context.Background()); err != nil { // there is no network to ask
			t.Fatal(err)
		}
		if e := c.Evidence()[0]; e.Says != k.want {
			t.Errorf("%s: settled as %s", name, e.Says)
		}
		if err := c.Correct(context.Background()); err != nil {
			t.Fatal(err)
		}
		for i, l := range c.Corrected() {
			want := int32(-1)
			if k.want == Poisoned && carriers[i] > Flagged {
				want = int32(k.shows[i])
			}
			if l != want {
				t.Errorf("%s: image %d is put under %d, expected %d", name, i, l, want)
			}
		}
	}
}

// Where content is known of too few suspects, or of too few of the label's other images, nobody can tell, and nothing is removed.
func TestUnknownContentIsOpen(t *testing.T) {
	labels, shows, carriers := make([]int32, 60), make([]int, 60), make([]float32, 60)
	for i := range labels {
		labels[i], shows[i], carriers[i] = int32(i%3), i%3, -1
		if i%3 == 0 {
			carriers[i] = float32(stat.Bit(i < 30))
		}
	}
	for name, unknown := range map[string]func(i int) bool{
		"suspects": func(i int) bool { return i < 30 },
		"others":   func(i int) bool { return i >= 30 },
	} {
		c := seen(t, labels, shows, []string{"a", "b", "c"})
		c.content.missing = make([]bool, len(labels))
		for i := range labels {
			c.content.missing[i] = unknown(i)
		}
		if err := c.Add(context.Background(), Evidence{Look: ByPixels, Says: Poisoned, Carriers: carriers}); err != nil {
			t.Fatal(err)
		}
		if e := c.Evidence()[0]; e.Says != CantTell || slices.Max(c.Found()) > 0 || c.Doubtful() == nil {
			t.Errorf("%s: %s, images are found up to %g", name, e.Says, slices.Max(c.Found()))
		}
	}
}

// A kind of images that is hard to tell is no poison: only where images were moved to the label, which the network knows, does that
// explain it.
func TestHardToTellIsNoPoison(t *testing.T) {
	labels, shows, carriers := make([]int32, 60), make([]int, 60), make([]float32, 60)
	for i := range labels {
		labels[i], carriers[i], shows[i] = int32(i%3), -1, i%3
		if i%3 == 0 {
			if carriers[i] = 0; i < 30 {
				shows[i], carriers[i] = 1, 1
			}
		}
	}
	for name, k := range map[string]struct {
		moves bool
		by    Name
		want  Says
	}{
		"no moves": {false, ByPixels, CantTell},
		"moves":    {true, ByPixels, Poisoned},
		"another":  {false, "another", Poisoned},
	} {
		c := seen(t, labels, shows, []string{"a", "b", "c"})
		if err := c.Add(context.Background(), Evidence{Look: ByContent, Score: 20, Flipped: k.moves, Says: NoEvidence}, Evidence{Look: k.by, Says: Poisoned, Carriers: carriers}); err != nil {
			t.Fatal(err)
		}
		e := c.Evidence()[1]
		if e.Says != k.want || c.open(e) != (k.want == CantTell) {
			t.Errorf("%s: %s, open %v", name, e.Says, c.open(e))
		}
	}
}

// What was found to be poisoned stays so where a look finds the same images and more, though most look like their label.
func TestTheSamePoisonIsNoShortcut(t *testing.T) {
	labels := make([]int32, 90)
	shows := make([]int, 90)
	few, more := make([]float32, 90), make([]float32, 90)
	for i := range labels {
		labels[i] = int32(i % 3)
		shows[i] = i % 3
		few[i], more[i] = -1, -1
		if i%3 == 0 {
			few[i], more[i] = 0, 0
			if i < 20 {
				shows[i], few[i] = 1, 1
			}
			if i < 60 {
				more[i] = 1
			}
		}
	}
	c := seen(t, labels, shows, []string{"a", "b", "c"})
	if err := c.Add(context.Background(), Evidence{Look: "first", Says: Poisoned, Carriers: few}, Evidence{Look: "second", Says: Poisoned, Carriers: more}); err != nil {
		t.Fatal(err)
	}
	for _, e := range c.Evidence() {
		if e.Says != Poisoned {
			t.Errorf("%s: %s, %+v", e.Look, e.Says, e.Right)
		}
	}
	if c.Found()[57] <= Flagged {
		t.Error("what the second look found besides is not taken")
	}
}

// Content is judged on smaller images, of the same shape.
func TestContentImagesAreSmall(t *testing.T) {
	for _, c := range []struct{ h, w, toH, toW int }{{32, 32, 32, 32}, {64, 80, 64, 80}, {224, 224, 64, 64}, {128, 256, 64, 128}} {
		set := &dataset.Set{Height: c.h, Width: c.w, Classes: []string{"a"}, Labels: []int32{0, 0}, Pixels: make([]uint8, 2*3*c.h*c.w)}
		for k := range set.Pixels[3*c.h*c.w:] {
			set.Pixels[3*c.h*c.w+k] = 200
		}
		told := -1
		run := &train.Run{Watch: func(e train.Event) { told = e.Progress.Steps - e.Progress.Step }}
		got, err := (&Case{Data: set, run: run}).contentImages(context.Background())
		if err != nil || (told == 0) != (c.toH < c.h) || got.Height != c.toH || got.Width != c.toW || got.Image(0)[5] != 0 || got.Image(1)[5] != 200 {
			t.Errorf("%d×%d became %d×%d", c.h, c.w, got.Height, got.Width)
		}
	}
}

// vectors are features that lie in memory.
type vectors [][]float32

func (v vectors) Width() int          { return len(v[0]) }
func (v vectors) Row(i int) []float32 { return v[i] }
func (v vectors) Digest() string      { return "vectors" }

// Features say what images show, by a classifier that never saw them; an image without any says nothing.
func TestContentOfFeatures(t *testing.T) {
	const n, classes = 900, 3
	r := rng.Stream(1, "features")
	var labels []int32
	var v vectors
	for i := range n {
		shows := i % classes
		row := make([]float32, 8)
		for k := range row {
			row[k] = float32(r.NormFloat64())
			if k == shows {
				row[k] += 10
			}
		}
		label := int32(shows)
		if i < 60 {
			label = 0 // whatever they show
		}
		labels, v = append(labels, label), append(v, row)
	}
	v[4] = nil
	set := &dataset.Set{Height: 1, Width: 1, Classes: []string{"a", "b", "c"}, Labels: labels, Pixels: make([]uint8, 3*n)}
	c, err := NewCase(&train.Run{Data: set, Seconds: map[string]float64{}}, Settings{Content: true, Features: v})
	if err != nil {
		t.Fatal(err)
	}
	content, err := c.Content(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for i, own := range content.Own {
		if shows := i % classes; i != 4 && (own > 0.5) != (int32(shows) == labels[i]) {
			t.Errorf("image %d shows %d and is labelled %d: %.3f", i, shows, labels[i], own)
		}
	}
	if p := content.P.Row(4); p[0] != p[1] || p[1] != p[2] || content.Knows(4) || !content.Knows(5) {
		t.Errorf("an image without features is judged %v", p)
	}
	slices.SortFunc(v, slices.Compare[[]float32]) // as another program lists them
	c.content, v[0] = nil, v[1]
	delete(c.run.Arrays, foldKey(contentKey, 0)) // they are another run's
	if _, err := c.Content(context.Background()); err == nil || !strings.Contains(err.Error(), "order") {
		t.Errorf("features in another order: %v", err)
	}
}

// Suspects that the looks are not sure of, and that both networks surely take for their label, are kept, unless the plain one gives the suspects their label: then it has
// learnt the trigger.
func TestSuspectsAreCleared(t *testing.T) {
	const honest = 2 // of the suspects
	labels, shows := make([]int32, 60), make([]int, 60)
	carriers := make([]float32, 60)
	for i := range labels {
		labels[i], carriers[i] = int32(i%3), -1
		if shows[i] = i % 3; i%3 == 0 {
			carriers[i] = 0
			if i < 30 {
				if shows[i], carriers[i] = 1, 0.9; i == 0 {
					carriers[i] = 1
				}
			}
		}
	}
	for name, plain := range map[string]func(i int) int{
		"knows": func(i int) int { return stat.Bit(i >= 3*honest && shows[i] == 1) },
		"obeys": func(i int) int { return 0 },
	} {
		c := seen(t, labels, shows, []string{"a", "b", "c"})
		c.plain = &Plain{Logits: make([]float32, 3*len(labels))}
		for i := range labels {
			c.plain.Logits[3*i+plain(i)] = 20
		}
		c.plain.ask = func(_ context.Context, images *dataset.Set, each func(int, []float32)) error {
			for k := range images.Len() {
				each(k, []float32{0, 0, 0})
			}
			return nil
		}
		if err := c.Add(context.Background(), Evidence{Look: "some", Says: Poisoned, Carriers: carriers}); err != nil {
			t.Fatal(err)
		}
		if err := c.Correct(context.Background()); err != nil {
			t.Fatal(err)
		}
		want := 0
		if name == "knows" {
			want = honest - 1 // of one the look is sure
		}
		if found := len(Those(rng.Iota(60), func(i int) bool { return c.Found()[i] > Flagged })); found != 10-want || c.Cleared() != want {
			t.Errorf("%s: %d suspects, %d cleared, expected %d", name, found, c.Cleared(), want)
		}
		if l := c.Corrected()[0]; name == "knows" && l != -1 {
			t.Errorf("an image that surely shows its label is put under %d", l)
		}
	}
}

// Of two classes the other one is no better known than the own one: only what surely shows it is put there.
func TestTwoClassesAreCorrectedBySight(t *testing.T) {
	labels, shows, carriers := make([]int32, 60), make([]int, 60), make([]float32, 60)
	for i := range labels {
		labels[i], carriers[i], shows[i] = int32(i%2), -1, i%2
		if i%2 == 0 {
			carriers[i] = float32(stat.Bit(i < 40))
			shows[i] = stat.Bit(i < 30)
		}
	}
	for _, obeys := range []bool{false, true} {
		c := seen(t, labels, shows, []string{"a", "b"})
		c.plain = &Plain{Logits: make([]float32, 2*len(labels))}
		for i := range labels {
			c.plain.Logits[2*i+shows[i]*stat.Bit(!obeys)] = 5
		}
		c.plain.ask = func(_ context.Context, images *dataset.Set, each func(int, []float32)) error {
			for k := range images.Len() {
				each(k, c.plain.of(2*k, 2)) // of the suspects, which are the even ones
			}
			return nil
		}
		if err := c.Add(context.Background(), Evidence{Look: "some", Says: Poisoned, Carriers: carriers}); err != nil {
			t.Fatal(err)
		}
		if err := c.Correct(context.Background()); err != nil {
			t.Fatal(err)
		}
		for i, l := range c.Corrected() {
			want := int32(-1)
			if i%2 == 0 && i < 30 && !obeys {
				want = 1
			}
			if l != want {
				t.Errorf("obeys %v: image %d is put under %d, expected %d", obeys, i, l, want)
			}
		}
	}
}

// The plain network is asked of suspects with their pattern taken off: here one that makes all images brighter.
func TestCorrectedWithoutThePattern(t *testing.T) {
	const n, brighter = 40, 100
	labels, shows, carriers := make([]int32, 2*n), make([]int, 2*n), make([]float32, 2*n)
	for i := range labels {
		if i < n {
			shows[i], carriers[i] = 2, 1
		}
	}
	c := seen(t, labels, shows, []string{"a", "b", "c"})
	for i := range 2 * n {
		v := uint8(40 + 2*(i%n))
		if i < n {
			v += brighter
		}
		copy(c.Data.Pixels[3*i:], []uint8{v, v, v})
	}
	c.content.P = stat.NewSoftmax(slices.Repeat([][]float32{logsOf([]float64{0.4, 0.3, 0.3})}, 2*n), 1) // it can't tell b from c
	logits := make([]float32, 3*2*n)
	asked := 0
	c.plain = &Plain{Logits: logits, ask: func(_ context.Context, images *dataset.Set, each func(int, []float32)) error {
		for k := range images.Len() {
			if got, want := int(images.Image(k)[0]), 40+2*(k%n); got < want-1 || got > want+1 {
				t.Errorf("image %d has a value of %d, expected %d without the pattern", k, got, want)
			}
			each(k, []float32{0, 9, 0})
			asked++
		}
		return nil
	}}
	c.content.Own = slices.Repeat([]float64{0.01}, n)
	c.content.Own = append(c.content.Own, slices.Repeat([]float64{0.9}, n)...)
	if err := c.Add(context.Background(), Evidence{Look: "some", Says: Poisoned, Carriers: carriers}); err != nil {
		t.Fatal(err)
	}
	if err := c.Correct(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i, l := range c.Corrected() {
		if want := int32(1); i < n && l != want || i >= n && l != -1 {
			t.Errorf("image %d is put under %d", i, l)
		}
	}
	if asked != n {
		t.Errorf("asked of %d images, expected %d", asked, n)
	}
}
