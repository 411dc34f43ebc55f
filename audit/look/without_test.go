package look

import (
	"context"
	"strings"
	"testing"
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
