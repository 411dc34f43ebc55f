package attack

import (
	"context"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
)

// An attack refuses images of another size, of other classes or of labels that there are not.
func TestImagesOfAnotherSetAreRefused(t *testing.T) {
	ctx := context.Background()
	d := signs.Render(1, 120, 20)
	wrong := func(change func(s *dataset.Set)) *dataset.Set {
		s := d.Train.Clone()
		change(s)
		return s
	}
	bad := wrong(func(s *dataset.Set) { s.Labels[3] = 99 })
	sets := map[string]*dataset.Set{
		"the label 99": bad, "9 classes": wrong(func(s *dataset.Set) { s.Classes = s.Classes[:9] }),
		"64×16 pixels": wrong(func(s *dataset.Set) { s.Height, s.Width = 16, 64 }), "found nil": nil,
	}
	for _, name := range []string{"badnets", "blend", "cba", "wanet"} {
		a, err := New(ctx, Defaults(name), d.Train, Env{})
		if err != nil {
			t.Fatal(err)
		}
		for want, s := range sets {
			_, _, poison := a.Poison(ctx, s)
			_, inPlace := a.PoisonInPlace(ctx, s, nil)
			_, triggered := a.Triggered(ctx, s)
			errs := []error{poison, inPlace, triggered}
			if !a.Composes() {
				_, marked := a.Marked(ctx, s)
				errs = append(errs, marked)
			}
			for k, err := range errs {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s, %d: %v, expected %q", name, k, err, want)
				}
			}
		}
		if _, err := a.PoisonInPlace(ctx, d.Train.Clone(), make([]bool, 5)); err == nil {
			t.Errorf("%s: marks of 5 images are taken for those of all", name)
		}
	}
	if _, err := New(ctx, Defaults("badnets"), bad, Env{}); err == nil {
		t.Error("an attack was made ready for a label that there is not")
	}
	if err := Plant(ctx, []Config{Defaults("badnets")}, nil, nil, Env{}, func(int, *Attack, *Truth) {}); err == nil {
		t.Error("an attack was planted in nothing")
	}
}
