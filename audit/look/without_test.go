package look

import (
	"context"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

// What networks said of labels that were found leaves the checkpoint once these are corrected: it is as large as what they say of all.
func TestCorrectForgets(t *testing.T) {
	labels, shows, carriers := make([]int32, 200), make([]int, 200), make([]float32, 200)
	for i := range labels {
		labels[i], shows[i] = int32(i%2), i%2
		if i < 80 && i%2 == 0 {
			shows[i], carriers[i] = 1, 1
		}
	}
	c := seen(t, labels, shows, []string{"a", "b", "c"})
	c.leave(0, make([]bool, len(labels)))
	c.without.content = c.content
	c.run.Arrays[foldKey(withoutKey(0), 1)] = make([]float32, len(labels))
	if err := c.Add(context.Background(), Evidence{Look: "some", Says: Poisoned, Carriers: carriers}); err != nil {
		t.Fatal(err)
	}
	if err := c.Correct(context.Background()); err != nil {
		t.Fatal(err)
	}
	if c.Corrected()[0] != 1 {
		t.Error("nothing was corrected")
	}
	for array := range c.run.Arrays {
		if strings.HasPrefix(array, withoutKey(0)) {
			t.Errorf("%s stays", array)
		}
	}
}

// A network that learnt nothing of some images, whose training was interrupted, is not one that learnt nothing of others: a label may be
// asked about with others before.
func TestOthersLeftOutStartOver(t *testing.T) {
	c := seen(t, []int32{0, 1, 0, 1}, []int{0, 1, 0, 1}, []string{"a", "b"})
	c.run.Seconds = map[string]float64{}
	n, err := model.New(pupilNetwork, 2, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	b, err := engines.New("cpu", 0)
	if err != nil {
		t.Fatal(err)
	}
	start := func() bool {
		r := &train.Run{Backend: b, Network: n, Within: c.run, Name: foldKey(withoutKey(0), 0)}
		resumed, err := r.Start(true)
		if err == nil {
			err = r.Save()
		}
		if err != nil {
			t.Fatal(err)
		}
		return resumed
	}
	for k, x := range []struct {
		left    []bool
		resumed bool
	}{
		{[]bool{true, false, false, false}, false},
		{[]bool{true, false, false, false}, true},
		{[]bool{false, false, true, false}, false},
	} {
		if c.leave(0, x.left); start() != x.resumed {
			t.Errorf("%d: a training was resumed: %v", k, !x.resumed)
		}
	}
}
