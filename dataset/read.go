package dataset

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
)

// reading is a record on its way into a set.
type reading struct {
	record Record
	label  int32
	raw    []byte                 // of its image, as stored
	buffer []byte                 // that raw lies in, to be used again; nil: its own
	read   func() ([]byte, error) // what raw is to be; nil: it is there
	passed bool                   // it is none of those that are read
	image  bool                   // the record has one, readable or not

	pixels    []uint8 // as the set has them
	digest    ImageDigest
	moving    bool
	clear     bool       // see isClear
	head      *imageHead // of a first look; nil: it can't be read
	brightest int        // the largest sample likewise, of 16 bits
	err       error
	done      chan struct{} // closed when all of these are there
}

// each goes through a part's records. begin makes a reading of each while the record is the reader's; nil: there is nothing to do, and
// an error ends the reading. work is called for each that has an image and no error, for several at a time; take sees all in order, and
// its first error ends the reading.
func (b *builder) each(p *Part, begin func(rec Record) (*reading, error), work, take func(r *reading) error) error {
	workers := runtime.GOMAXPROCS(0)
	todo, queue := make(chan *reading, 2*workers), make(chan *reading, 2*workers)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for r := range todo {
				r.finish(work)
			}
		})
	}
	stop, taken := make(chan struct{}), error(nil)
	wg.Go(func() {
		for r := range queue {
			<-r.done
			if taken != nil {
				continue
			}
			if taken = take(r); taken != nil {
				close(stop)
			}
			if r.buffer != nil {
				b.buffers.Put(&r.buffer)
			}
		}
	})
	err := p.Records(func(rec Record) error {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		r, err := begin(rec)
		if r == nil || err != nil {
			return err
		}
		select {
		case <-stop:
			return errEnough
		case queue <- r:
		}
		if r.image && r.err == nil {
			todo <- r
		} else {
			close(r.done)
		}
		return nil
	})
	close(todo)
	close(queue)
	wg.Wait()
	if taken != nil {
		return taken
	}
	return err
}

// records goes through those of a part with their labels' numbers: see each.
func (b *builder) records(s *scanned, numbering *classes, work, take func(r *reading) error) error {
	k := -1
	return b.each(s.part, func(rec Record) (*reading, error) {
		k++
		r := labelled(rec, numbering)
		switch r.passed = !s.chooses(k); {
		case r.err != nil || s.bare:
		case !r.passed:
			b.open(r)
		case rec.Raw != nil: // rows are read one after the other, and tell where the file is cut off
			_, err := rec.Raw.Pixels()
			r.err = r.unreadable(err)
		}
		return r, nil
	}, work, take)
}

// begin does what has to be done while the record is the reader's.
func (b *builder) begin(rec Record, numbering *classes) *reading {
	r := labelled(rec, numbering)
	if r.err == nil {
		b.open(r)
	}
	return r
}

// labelled numbers a record's label.
func labelled(rec Record, numbering *classes) *reading {
	r := &reading{record: rec, done: make(chan struct{})}
	if rec.Err != nil {
		r.err = rec.Err
		return r
	}
	var ok bool
	if r.label, ok = numbering.of(rec.Label); !ok {
		alike := numbering.lookAlike(rec.Label)
		e := &RecordError{rec.Source, rec.Row, numbering.want(rec.Label), rec.Label.describe() + alike}
		switch {
		case rec.LabelSource != "":
			e.File = rec.LabelSource
		case rec.Table != "":
			e.File, e.Row = rec.Table, rec.TableRow
		}
		r.err = labelError{e, alike != ""}
	}
	return r
}

// open reads what lies in no file of its own.
func (b *builder) open(r *reading) {
	rec := &r.record
	r.image = true
	switch {
	case rec.Raw != nil:
		var raw []byte
		raw, r.err = rec.Raw.Pixels()
		of := *rec.Raw
		r.buffer = b.copied(raw)
		r.raw, rec.Raw = r.buffer, &of
	case rec.File == nil:
		r.err = &RecordError{rec.Source, rec.Row, "an image", "none"}
	case rec.apart:
		r.read = rec.File
	default:
		r.raw, r.err = rec.File()
	}
	r.err = r.unreadable(r.err)
}

// copied returns a copy of an image's bytes, in a buffer of an image that was taken, if there is one.
func (b *builder) copied(raw []byte) []byte {
	if old, ok := b.buffers.Get().(*[]byte); ok {
		return append((*old)[:0], raw...)
	}
	return slices.Clone(raw)
}

// finish reads a file of its own and does the work.
func (r *reading) finish(work func(r *reading) error) {
	defer close(r.done)
	defer func() {
		if p := recover(); p != nil { // of a decoder
			r.err = r.unreadable(fmt.Errorf("damaged: %v", p))
		}
	}()
	if r.read != nil {
		if r.raw, r.err = r.read(); r.err != nil {
			r.err = r.unreadable(r.err)
			return
		}
	}
	r.err = r.unreadable(work(r))
	r.raw = nil
}

// unreadable names the record in an error that does not.
func (r *reading) unreadable(err error) error {
	var bad *RecordError
	if err == nil || errors.As(err, &bad) {
		return err
	}
	var deep *depthError
	if errors.As(err, &deep) {
		return &RecordError{r.record.Source, r.record.Row, deep.want(), strconv.Itoa(deep.sample)}
	}
	return &RecordError{r.record.Source, r.record.Row, "a readable image", reason(err)}
}

// read makes a set of a part, in memory or in a file of the store.
func (b *builder) read(s *scanned, numbering *classes, size measure) (*Set, error) {
	set := &Set{Height: size.h, Width: size.w, Classes: numbering.names, Grey: !s.colour && s.records > 0}
	s.counts = make([]int, len(set.Classes))
	if b.undecoded || s.bare {
		set.reserve(s.wanted(), false)
		return set, b.records(s, numbering, (*reading).identify, func(r *reading) error { return b.take(s, set, r, func() error { return nil }) })
	}
	if b.store != "" {
		return set, b.readStored(s, numbering, set)
	}
	set.reserve(s.wanted(), true)
	err := b.records(s, numbering, func(r *reading) error { return b.decode(r, set) }, func(r *reading) error {
		return b.take(s, set, r, func() error {
			set.Pixels = append(set.Pixels, r.pixels...)
			return nil
		})
	})
	return set, err
}

// take adds a record to a set, whose pixels keep adds, or passes over a bad one.
func (b *builder) take(s *scanned, set *Set, r *reading, keep func() error) error {
	if b.ctx.Err() != nil {
		return b.ctx.Err()
	}
	if r.passed && r.err == nil {
		s.counts[r.label]++
		return nil
	}
	if s.taken++; b.Watch != nil && !s.bare {
		b.Watch(s.part.Name, s.taken, s.wanted())
	}
	if r.err != nil {
		return b.bad(r.err, s.part.Name, &r.record)
	}
	if err := keep(); err != nil {
		return err
	}
	b.moving += bit(r.moving)
	b.transparent(r)
	s.counts[r.label]++
	set.from(r.label, r.record.Source, r.record.Row)
	if !s.bare {
		set.digests = append(set.digests, r.digest)
	}
	set.listed(r.record.Table, r.record.TableRow)
	return nil
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// identify notes an image's digest, and whether it moves.
func (r *reading) identify() error {
	if k := r.record.known; k != nil {
		r.digest, r.moving = k.Digest, k.Moving
		return nil
	}
	if p := r.record.Raw; p != nil {
		if len(r.raw) != p.Height*p.Width*p.Channels {
			return fmt.Errorf("%d bytes for %d×%d pixels of %d channels", len(r.raw), p.Width, p.Height, p.Channels)
		}
		r.digest = digestPixels(r.raw, p.Height, p.Width)
		return nil
	}
	r.digest = digestFile(r.raw)
	r.moving = animated(r.raw)
	return nil
}

// decode makes the pixels of an image as the set has them.
func (b *builder) decode(r *reading, set *Set) error {
	if err := r.identify(); err != nil {
		return err
	}
	if r.record.Raw != nil {
		r.pixels, r.clear = r.record.Raw.image(r.raw, set), r.record.isClear(r.raw)
		return nil
	}
	if head, err := headOf(r.raw); err == nil {
		leave, err := b.enter(head)
		if err != nil {
			return err
		}
		defer leave()
	}
	pixels, h, w, clear, err := decodeDepth(r.raw, b.depth)
	if err != nil {
		return err
	}
	r.clear = clear
	pixels = Resize(pixels, h, w, set.Height, set.Width)
	if set.Grey {
		pixels = firstChannel(pixels)
	}
	r.pixels = pixels
	return nil
}

// isClear is that of pixels that lie in no image file.
func (r *Record) isClear(raw []byte) bool {
	switch p := r.Raw; {
	case r.known != nil:
		return r.known.Clear
	case p.Channels != 4:
		return false
	case p.Planar:
		return clearPixels(raw, 1, p.Height*p.Width)
	}
	return clearPixels(raw, 4, 1)
}

// image returns pixels as they are stored as the set has them.
func (p *Raw) image(raw []byte, set *Set) []uint8 {
	same := p.Height == set.Height && p.Width == set.Width
	if same && (p.Channels == 1 && set.Grey || p.Channels == 3 && !set.Grey && !p.Planar) {
		return raw
	}
	area := p.Height * p.Width
	out := make([]uint8, 3*area)
	sample := func(k, channel int) uint8 {
		if p.Planar {
			return raw[channel*area+k]
		}
		return raw[k*p.Channels+channel]
	}
	for k := range area {
		for c := range 3 {
			out[3*k+c] = sample(k, min(c, p.Channels-1))
			if p.Channels == 4 { // on black, as in files
				out[3*k+c] = uint8(uint32(out[3*k+c]) * uint32(sample(k, 3)) * 0x101 / 0xff >> 8)
			}
		}
	}
	out = Resize(out, p.Height, p.Width, set.Height, set.Width)
	if set.Grey {
		out = firstChannel(out)
	}
	return out
}
