package dataset

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"slices"
)

// Packed is a data set whose records lie in packs, so that many machines can decode them. It holds all that depends on all
// records; JSON keeps it.
type Packed struct {
	Size    int      `json:"size"` // records in a pack; the last one of a part has fewer, and so may others, see PackedPart.Held
	Layout  string   `json:"layout"`
	Path    string   `json:"path"` // where the data lay
	Height  int      `json:"height"`
	Width   int      `json:"width"`
	Depth   int      `json:"depth"` // bits of a sample, of images with 16
	Classes []string `json:"classes"`
	SkipBad bool     `json:"skip_bad"`
	Hidden  int      `json:"hidden"` // test images without labels
	Notes   []string `json:"notes"`
	// Train and Test are the parts of the data, Test nil where there is none. The packs of the first come first.
	Train *PackedPart `json:"train"`
	Test  *PackedPart `json:"test"`
}

// PackedPart is the training or the test data.
type PackedPart struct {
	Name    string `json:"name"`
	Records int    `json:"records"`
	Grey    bool   `json:"grey"`
	// Held is how many records each pack has, where large files make some packs end early; nil: Size, and the rest in the last.
	Held []int `json:"held,omitempty"`
}

// packBytes bounds the files of a pack together, which programs hold in memory. A larger file has a pack of its own.
const packBytes = 64 << 20

func (p *PackedPart) packs(size int) int {
	switch {
	case p == nil:
		return 0
	case p.Held != nil:
		return len(p.Held)
	}
	return (p.Records + size - 1) / size
}

func (p *PackedPart) check(size int) error {
	if p == nil {
		return nil
	}
	all := 0
	for _, n := range p.Held {
		if n < 1 || n > size {
			return fmt.Errorf("a pack of %d records, expected 1 to %d", n, size)
		}
		all += n
	}
	if p.Records < 0 || p.Held != nil && all != p.Records {
		return fmt.Errorf("packs of %d records, expected %d", all, p.Records)
	}
	return nil
}

// Check refuses packs that Pack can't have made.
func (p *Packed) Check() error { return errors.Join(p.Train.check(p.Size), p.Test.check(p.Size)) }

// Starts returns the first training record of each pack, and how many there are at the end.
func (p *Packed) Starts() []int {
	starts := []int{0}
	for k := range p.Train.packs(p.Size) {
		n := p.Size
		if p.Train.Held != nil {
			n = p.Train.Held[k]
		}
		starts = append(starts, min(starts[k]+n, p.Train.Records))
	}
	return starts
}

// Packs returns how many packs hold the training data, and how many there are in all.
func (p *Packed) Packs() (train, all int) {
	train = p.Train.packs(p.Size)
	return train, train + p.Test.packs(p.Size)
}

// packed is a record in a pack.
type packed struct {
	Source   string
	Row      int
	Table    string
	TableRow int
	Class    int32
	// Image is the image's file, or its pixels, [Height, Width, Channels], where Channels is not 0.
	Image                   []byte
	Height, Width, Channels int
	Planar                  bool
	Digest                  ImageDigest // once it is decoded
	Planes                  bool        // it was Planar before
	Moving                  bool
	Clear                   bool // likewise, see isClear
	Bad                     *RecordError
}

// bytes is what a record takes in memory, about.
func (one *packed) bytes() int { return len(one.Image) + len(one.Source) + len(one.Table) }

// Pack reads the data at spec as Load does, decodes no image, and hands put one pack of at most size records after the other.
// Options.Limit and Options.Store are not for packs.
func Pack(ctx context.Context, spec string, o Options, size int, put func(pack []byte) error) (*Packed, error) {
	return packUpTo(ctx, spec, o, size, packBytes, put)
}

func packUpTo(ctx context.Context, spec string, o Options, size, most int, put func(pack []byte) error) (*Packed, error) {
	dir, l, notes, err := find(spec, o)
	if err != nil {
		return nil, err
	}
	c, err := l.Open(ctx, dir, o)
	if err != nil {
		return nil, fmt.Errorf("data %s: %w", spec, err)
	}
	b := newBuilder(ctx, o)
	b.notes = notes
	v, err := b.survey(c)
	if err != nil {
		return nil, fmt.Errorf("data %s: %w", spec, err)
	}
	p := &Packed{
		Size: size, Layout: l.Name, Path: dir, Height: v.size.h, Width: v.size.w, Depth: b.depth, Classes: v.numbering.names, SkipBad: o.SkipBad, Hidden: v.hidden,
	}
	for _, part := range []struct {
		of *scanned
		to **PackedPart
	}{{v.train, &p.Train}, {v.test, &p.Test}} {
		if part.of == nil {
			continue
		}
		*part.to = &PackedPart{Name: part.of.part.Name, Records: part.of.records, Grey: !part.of.colour && part.of.records > 0}
		held, err := b.pack(part.of, v.numbering, size, most, put)
		if part.of == v.test {
			err = untrained(err)
		}
		if err != nil {
			return nil, fmt.Errorf("data %s: %w", spec, err)
		}
		if slices.ContainsFunc(held[:max(0, len(held)-1)], func(n int) bool { return n != size }) {
			(*part.to).Held = held
		}
	}
	p.Notes = b.notes
	return p, nil
}

// pack hands put the packs of a part, of at most size records and about most bytes, and returns how many records each has.
func (b *builder) pack(s *scanned, numbering *classes, size, most int, put func(pack []byte) error) (held []int, err error) {
	var all []packed
	sum := 0
	flush := func() error {
		raw, err := encodePack(all)
		if err != nil {
			return err
		}
		held = append(held, len(all))
		clear(all) // or they would keep their images
		all, sum = all[:0], 0
		return put(raw)
	}
	err = s.part.Records(func(rec Record) error {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		r := b.begin(rec, numbering)
		if r.err == nil && rec.apart {
			r.raw, r.err = rec.File()
			r.err = r.unreadable(r.err)
		}
		one := packed{Source: rec.Source, Row: rec.Row, Table: rec.Table, TableRow: rec.TableRow, Class: r.label, Image: r.raw}
		if rec.Raw != nil {
			one.Height, one.Width, one.Channels, one.Planar = rec.Raw.Height, rec.Raw.Width, rec.Raw.Channels, rec.Raw.Planar
		}
		if r.err != nil && (!b.SkipBad || !errors.As(r.err, &one.Bad)) {
			return r.err
		}
		if len(all) > 0 && sum+one.bytes() > most {
			if err := flush(); err != nil {
				return err
			}
		}
		all, sum = append(all, one), sum+one.bytes()
		if s.taken++; b.Watch != nil {
			b.Watch(s.part.Name, s.taken, s.records)
		}
		if len(all) == size {
			return flush()
		}
		return nil
	})
	if err == nil && len(all) > 0 {
		err = flush()
	}
	return held, err
}

func encodePack(all []packed) ([]byte, error) {
	var out bytes.Buffer
	err := gob.NewEncoder(&out).Encode(all)
	return out.Bytes(), err
}

func decodePack(pack []byte) (all []packed, err error) {
	if err := gob.NewDecoder(bytes.NewReader(pack)).Decode(&all); err != nil {
		return nil, fmt.Errorf("a pack is damaged: %w", err)
	}
	return all, nil
}

// shape is a set as a pack's images are to be.
func (p *Packed) shape(pack int) *Set {
	of := p.Train
	if train, _ := p.Packs(); pack >= train {
		of = p.Test
	}
	return &Set{Height: p.Height, Width: p.Width, Classes: p.Classes, Grey: of.Grey}
}

// Decode returns the k-th pack with all images decoded and resized. A record that can't be read is an error, or is noted with
// SkipBad.
func (p *Packed) Decode(ctx context.Context, k int, pack []byte) ([]byte, error) {
	all, err := decodePack(pack)
	if err != nil {
		return nil, err
	}
	b, set := newBuilder(ctx, Options{}), p.shape(k)
	b.depth = p.Depth
	failed := make([]error, len(all))
	Each(len(all), func(i int) {
		if ctx.Err() == nil {
			failed[i] = b.decodePacked(&all[i], set)
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, err := range failed {
		if err != nil && (!p.SkipBad || !errors.As(err, &all[i].Bad)) {
			return nil, err
		}
	}
	return encodePack(all)
}

// decodePacked decodes an image in its place.
func (b *builder) decodePacked(one *packed, set *Set) error {
	if one.Bad != nil {
		return nil
	}
	r := &reading{record: one.record(), raw: one.Image, done: make(chan struct{})}
	r.finish(func(r *reading) error { return b.decode(r, set) })
	one.Image, one.Digest, one.Moving, one.Clear, one.Planes = r.pixels, r.digest, r.moving, r.clear, one.Planar && one.Channels > 1
	one.Height, one.Width, one.Channels, one.Planar = set.Height, set.Width, set.stored()/(set.Height*set.Width), false
	return r.err
}

// record is the record as a layout has it.
func (one *packed) record() Record {
	rec := Record{Source: one.Source, Row: one.Row, Table: one.Table, TableRow: one.TableRow, Label: Number(int64(one.Class)), Err: one.Bad}
	if one.Channels > 0 {
		rec.Raw = &Raw{one.Height, one.Width, one.Channels, one.Planar, func() ([]byte, error) { return one.Image, nil }}
	}
	return rec
}

// Images returns the images of a pack that was decoded, without those that can't be read.
func (p *Packed) Images(k int, pack []byte) (*Set, error) {
	all, err := decodePack(pack)
	if err != nil {
		return nil, err
	}
	set := p.shape(k)
	set.reserve(len(all), true)
	for i := range all {
		if one := &all[i]; one.Bad == nil {
			set.add(one.Image, one.Class, one.Source, one.Row)
		}
	}
	return set, nil
}

// Read returns what Load returns of the data, made of decoded packs, which get returns. Of the options it takes Store and Watch.
func (p *Packed) Read(ctx context.Context, o Options, get func(k int) ([]byte, error)) (*Data, error) {
	numbering, err := namedClasses(p.Classes)
	if err != nil {
		return nil, err
	}
	b := newBuilder(ctx, Options{Store: o.Store, Watch: o.Watch, SkipBad: p.SkipBad})
	b.depth, b.notes = p.Depth, slices.Clone(p.Notes)
	part := func(of *PackedPart, first int) *scanned {
		if of == nil {
			return nil
		}
		records := func(yield func(Record) error) error {
			for k := range of.packs(p.Size) {
				if err := eachPacked(first+k, get, yield); err != nil {
					return err
				}
			}
			return nil
		}
		return &scanned{part: &Part{Name: of.Name, Records: records}, records: of.Records, colour: !of.Grey}
	}
	train, _ := p.Packs()
	d, err := b.readAll(&survey{part(p.Train, 0), part(p.Test, train), p.Hidden, numbering, measure{p.Height, p.Width}})
	if err != nil {
		return nil, err
	}
	if d.Train.Len() == 0 {
		return nil, fmt.Errorf("no training images found%s", firstOf(d.Skipped))
	}
	d.Layout, d.Path = p.Layout, p.Path
	return d, nil
}

// eachPacked yields the records of a pack that was decoded.
func eachPacked(k int, get func(k int) ([]byte, error), yield func(Record) error) error {
	raw, err := get(k)
	if err != nil {
		return err
	}
	all, err := decodePack(raw)
	if err != nil {
		return err
	}
	for i := range all {
		rec := all[i].record()
		rec.known = &all[i]
		if err := yield(rec); err != nil {
			return err
		}
	}
	return nil
}
