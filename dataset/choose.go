package dataset

import (
	"slices"

	"github.com/unpoison/unpoison/rng"
)

// Which images are decoded: of those that nobody wants labels and sources are enough.

// The parts that Options.Only names.
const (
	OnlyTrain = "train"
	OnlyTest  = "test"
)

// choose says which images of which part are read. With Options.SkipBad images have to be decoded to tell which of them are bad and
// thus count for nothing, so that the training images of Options.Limit are not chosen yet, and the test images are read even where
// training images alone are wanted.
func (b *builder) choose(v *survey) {
	v.train.bare = b.Only == OnlyTest && v.test != nil
	if v.test != nil {
		v.test.bare = b.Only == OnlyTrain && !b.SkipBad
	}
	if n := v.train.records; b.Limit > 0 && b.Limit < n && (!b.SkipBad || v.train.bare) {
		v.train.only, v.train.chosen = make([]bool, n), b.Limit
		for _, k := range firstShuffled(b.Options, n) {
			v.train.only[k] = true
		}
	}
}

// firstShuffled are those of n images that Options.Limit keeps, in order.
func firstShuffled(o Options, n int) []int {
	pick := rng.Shuffle(o.Seed, "limit", n)[:o.Limit]
	slices.Sort(pick)
	return pick
}

// chooses reports whether a record is read.
func (s *scanned) chooses(k int) bool { return s.only == nil || k < len(s.only) && s.only[k] }

// wanted returns how many records are read.
func (s *scanned) wanted() int {
	if s.only != nil {
		return s.chosen
	}
	return s.records
}

// readTest reads the test images, and the training images where none of those can be read.
func (b *builder) readTest(v *survey, d *Data) (err error) {
	if d.Test, err = b.read(v.test, v.numbering, v.size); err != nil {
		return untrained(err)
	}
	if d.Test.Len() == 0 {
		v.train.bare, v.train.only = false, nil
		if err := b.place(v.size, v.train); err != nil {
			return err
		}
	}
	d.Train, err = b.read(v.train, v.numbering, v.size)
	return err
}
