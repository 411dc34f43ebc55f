package dataset

import "context"

// EachImage reads image files as RGB bytes of height × width, as they would be read in a data set, several at a time. It calls visit
// for each, in order, with its pixels or with what is wrong with it; an error of visit's ends the reading. depth is how many bits
// samples of 16 really have, 8 to 16, or 0: judged by the brightest of all files. notes are sentences about what was found.
func EachImage(ctx context.Context, files []string, height, width, depth int, visit func(i int, pixels []uint8, bad error) error) (notes []string, err error) {
	b := newBuilder(ctx, Options{Depth: depth})
	if err := b.check(); err != nil {
		return nil, err
	}
	s, one := &store{}, Number(0) // errors name files as they were given; a label, since readers ask for one
	part := &Part{Records: func(yield func(Record) error) error {
		for _, f := range files {
			r := s.fileRecord(f)
			r.Label = one
			if err := yield(r); err != nil {
				return err
			}
		}
		return nil
	}}
	if b.depth = depth; depth == 0 {
		all, err := b.scan(part)
		if err != nil {
			return nil, err
		}
		if err := b.judgeDepth(all); err != nil {
			return nil, err
		}
	}
	set, next := &Set{Height: height, Width: width}, 0
	take := func(r *reading) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.err == nil {
			b.moving += bit(r.moving)
			b.transparent(r)
		}
		next++
		return visit(next-1, r.pixels, r.err)
	}
	numbering := classesOf(map[Label]bool{one: true})
	begin := func(rec Record) (*reading, error) { return b.begin(rec, numbering), nil }
	err = b.each(part, begin, func(r *reading) error { return b.decode(r, set) }, take)
	b.noteSeen()
	return b.notes, err
}
