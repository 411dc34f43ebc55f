package detect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/rng"
)

// cleanImages are so many test images, at most, that detectors get which need clean ones. Of few they get half: the rest measures.
const cleanImages = 500

// made is a data set that was made from its line.
type made struct {
	train *dataset.Set // with what was planted
	truth []Truth
	clean *dataset.Set // for detectors
	test  *dataset.Set // the other clean images; may be nil
	flips bool         // whether images may be swapped left and right
	// labels are those that planted images carry.
	labels []int
	attack *attack.Attack // nil for a clean set
}

// mostBytes is how much of the families' images is kept in memory, unless one alone has more.
const mostBytes = 1 << 30

// sources reads families and keeps those that were read last.
type sources struct {
	folders map[string]string // DIR or layout:DIR by family
	say     func(format string, args ...any)
	mu      sync.Mutex
	last    []*source
}

type source struct {
	name         string
	size, images int
	data         *dataset.Data
}

// has reports whether sets of a family can be made.
func (s *sources) has(family string) bool { return family == "signs" || s.folders[family] != "" }

// load returns a family's images at a size, which are not to be changed.
func (s *sources) load(ctx context.Context, family string, size, images int) (*dataset.Data, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if family != "signs" {
		images = 0 // signs alone are as many as one wants
	}
	for _, l := range s.last {
		if l.name == family && l.size == size && l.images == images {
			return l.data, nil
		}
	}
	var d *dataset.Data
	var err error
	if family == "signs" {
		if size != signs.Side {
			return nil, fmt.Errorf("rendered signs have %d pixels a side, not %d", signs.Side, size)
		}
		d = signs.Render(0, cmp.Or(images, 10_000), 2*cleanImages)
	} else if d, err = dataset.Load(ctx, s.folders[family], dataset.Options{Size: size}); err != nil {
		return nil, fmt.Errorf("family %s: %w", family, err)
	} else if err := s.isOf(family, d); err != nil {
		return nil, err
	}
	if d.Test == nil || d.Test.Len() < 2 {
		d = holdOut(d)
	}
	s.last = append(s.last, &source{family, size, images, d})
	for len(s.last) > 1 && s.bytes() > mostBytes {
		s.last = s.last[1:]
	}
	return d, nil
}

// isOf refuses data that are not in a family's layout, unless they were given in the one that they are in, and says where they are not as
// many images as the family has: sets made of them are others.
func (s *sources) isOf(family string, d *dataset.Data) error {
	all, err := Families()
	if err != nil {
		return err
	}
	k := slices.IndexFunc(all, func(f Family) bool { return f.Name == family })
	if k < 0 {
		return nil
	}
	f, test := all[k], 0
	if d.Test != nil {
		test = d.Test.Len()
	}
	if d.Layout != f.Layout && !strings.HasPrefix(s.folders[family], d.Layout+":") {
		return fmt.Errorf("family %s: expected the layout %s in %s, found %s, %d images of %d classes; %s:DIR reads it as that", family, f.Layout, d.Path, d.Layout, d.Train.Len(), len(d.Train.Classes), d.Layout)
	}
	if n := d.Train.Len(); n != f.Images && n+test != f.Images && s.say != nil {
		s.say("family %s: %d training and %d test images, expected %d in all; sets of others stand beside no results that are kept", family, n, test, f.Images)
	}
	return nil
}

func (s *sources) bytes() int {
	n := 0
	for _, l := range s.last {
		n += len(l.data.Train.Pixels) + len(l.data.Test.Pixels)
	}
	return n
}

// holdOut takes test images from the training set, a tenth at most.
func holdOut(d *dataset.Data) *dataset.Data {
	n := d.Train.Len()
	order := rng.Shuffle(0, "detect hold out", n)
	k := min(2*cleanImages, n/10)
	test, rest := order[:k], order[k:]
	slices.Sort(test)
	slices.Sort(rest)
	out := *d
	out.Test, out.Train = d.Train.Subset(test), d.Train.Subset(rest)
	return &out
}

// make makes a set from its line.
func (r *Runner) make(ctx context.Context, s *Set) (*made, error) {
	images := s.Images
	if r.Quick {
		images = min(cmp.Or(images, r.most), r.most)
	}
	d, err := r.sources.load(ctx, s.Family, s.Size, images)
	if err != nil {
		return nil, err
	}
	v, err := s.variation()
	if err != nil {
		return nil, err
	}
	v.Limit = images / max(1, v.Copies)
	if d, err = v.apply(d, s.Seed); err != nil {
		return nil, err
	}
	m := &made{train: d.Train, truth: make([]Truth, d.Train.Len()), flips: dataset.Flips(d.Layout)}
	most := cleanImages
	if r.Quick {
		most = r.most / 10
	}
	order := rng.Shuffle(s.Seed, "detect clean", d.Test.Len())
	m.clean = d.Test.Subset(order[:min(most, (len(order)+1)/2)])
	if rest := order[m.clean.Len():]; len(rest) > 0 {
		m.test = d.Test.Subset(rest)
	}
	if !s.Poisoned() {
		return m, nil
	}
	return m, r.plant(ctx, s, m)
}

// plant poisons a set's training images, which are its own.
func (r *Runner) plant(ctx context.Context, s *Set, m *made) error {
	c, err := s.Config()
	if err != nil {
		return err
	}
	if own := c.Surrogate(); own != nil {
		own.Network, own.NoFlip = r.recipe(m).Network, !m.flips
		if r.Quick {
			own.Epochs = 1
		}
	}
	a, err := attack.New(ctx, c, m.train, attack.Env{Backend: r.Backend, Cache: r.Cache})
	if err != nil {
		return err
	}
	m.attack = a
	truth, err := a.PoisonInPlace(ctx, m.train, nil)
	if err != nil {
		return err
	}
	for i := range m.truth {
		switch l := int(m.train.Labels[i]); {
		case truth.Poisoned[i]:
			m.truth[i] = Planted
			if !slices.Contains(m.labels, l) {
				m.labels = append(m.labels, l)
			}
		case truth.Covered[i]:
			m.truth[i] = Covered
		}
	}
	return nil
}

// count returns how many images are so.
func (m *made) count(t Truth) int {
	n := 0
	for _, v := range m.truth {
		if v == t {
			n++
		}
	}
	return n
}
