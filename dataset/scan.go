package dataset

import (
	"fmt"
	"sync"
)

// The first pass through the records: for all that depends on all of them.

// scanned is what the first pass learnt of a part.
type scanned struct {
	part        *Part
	records     int
	labels      map[Label]bool
	missing     int // records without a label
	minus       int // of these the ones with −1
	sizes       sizes
	colour      bool // an image has colours
	deep        bool // an image has 16 bits a sample
	brightest   int  // the largest such sample
	brightestAt string
	taken       int // records that were read so far

	only   []bool // which records are read, see choose; nil: all
	chosen int    // how many these are
	bare   bool   // no image is opened: labels and sources are enough
	counts []int  // records of each class that were gone through, read or not
}

func (s *scanned) channels() int {
	if s.colour {
		return 3
	}
	return 1
}

// scan goes through a part for labels, sizes, colours and depth. Several image files are looked at at a time. What is wrong with a
// record is said when it is read in earnest.
func (b *builder) scan(p *Part) (*scanned, error) {
	s := &scanned{part: p, labels: map[Label]bool{}, sizes: sizes{}}
	if b.Size == 0 && b.Store == "" && !canMap {
		if err := tooLarge(p.Claim, "as stored"); err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	var sizing sync.Mutex
	sized := func(h, w int, colour bool) {
		sizing.Lock()
		defer sizing.Unlock()
		s.sizes[measure{h, w}]++
		s.colour = s.colour || colour
	}
	begin := func(r Record) (*reading, error) {
		if err := s.count(&r, b.SkipBad); err != nil {
			return nil, err
		}
		switch {
		case r.Err != nil:
		case r.Raw != nil:
			sized(r.Raw.Height, r.Raw.Width, r.Raw.Channels > 1)
		case r.File != nil:
			return beginLook(r), nil
		}
		return nil, nil
	}
	take := func(r *reading) error {
		if h := r.head; h != nil {
			sized(h.height, h.width, !h.grey)
			if s.deep = s.deep || h.deep; r.brightest > s.brightest {
				s.brightest, s.brightestAt = r.brightest, r.record.Source
			}
		}
		return nil
	}
	err := b.each(p, begin, b.look, take)
	if err == nil {
		err = b.ctx.Err()
	}
	if err == nil && p.notes != nil {
		b.notes = append(b.notes, p.notes()...)
	}
	return s, err
}

// count notes that there is a record, and its label. A bad one is an error, unless those are passed over.
func (s *scanned) count(r *Record, skipBad bool) error {
	s.records++
	if r.Label.kind != noLabel {
		s.labels[r.Label] = true
	}
	if r.Err != nil {
		if skipBad {
			return nil
		}
		return r.Err
	}
	s.missing += bit(r.Label.kind == noLabel)
	s.minus += bit(r.Label == minusOne)
	return nil
}

// beginLook begins to look at an image file. It reads what can be read by nobody but the records' reader.
func beginLook(rec Record) *reading {
	r := &reading{record: rec, image: true, done: make(chan struct{})}
	if r.read = rec.enough; !rec.apart {
		r.raw, r.err = rec.enough()
		r.read = nil
	}
	return r
}

// enough returns as much of an image file as tells its head, and all of one with 16 bits a sample.
func (r *Record) enough() (raw []byte, err error) {
	if r.Head == nil {
		return r.File()
	}
	if raw, err = r.Head(); err != nil {
		return nil, err
	}
	if head, err := headOf(raw); err != nil || head.deep || len(raw) == headBytes && !headIsEnough(raw) {
		return r.File()
	}
	return raw, nil
}

// look notes what the head of an image file says, and the brightest sample of one with 16 bits a sample where that matters: not
// where they are taken to have all 16, nor where no image is decoded.
func (b *builder) look(r *reading) error {
	head, err := headOf(r.raw)
	if err != nil {
		return err
	}
	r.head = &head
	if !head.deep || b.Depth == 16 || b.undecoded {
		return nil
	}
	leave, err := b.enter(head)
	if err != nil {
		return err
	}
	defer leave()
	r.brightest, err = brightest(r.raw)
	return err
}

// enter waits until there is room to decode an image: each takes up to 11 bytes a pixel, and one alone may have as many pixels as all
// together.
func (b *builder) enter(h imageHead) (leave func(), err error) {
	pixels := int64(h.height * h.width)
	return func() { b.room.Release(pixels) }, b.room.Acquire(b.ctx, pixels)
}

// judgeDepth finds how many bits the samples of 16-bit images have: the fewest of the depths that cameras have which hold
// the brightest of all images.
func (b *builder) judgeDepth(all ...*scanned) error {
	b.depth = b.Depth
	most, at, deep := 0, "", false
	for _, s := range all {
		if s != nil && s.deep {
			deep = true
			if s.brightest > most {
				most, at = s.brightest, s.brightestAt
			}
		}
	}
	if !deep {
		return nil
	}
	if b.Depth > 0 {
		if most >= 1<<b.Depth {
			return &RecordError{at, -1, fmt.Sprintf("samples of %d bits, up to %d", b.Depth, 1<<b.Depth-1), fmt.Sprint(most)}
		}
		return nil
	}
	for _, b.depth = range []int{8, 10, 12, 14, 16} {
		if most < 1<<b.depth {
			break
		}
	}
	b.note("images with 16 bits a sample are read as of %d bits, as the brightest sample is %d; --depth N says otherwise", b.depth, most)
	return nil
}
