package dataset

import "context"

// ReadImages reads image files as RGB bytes of height × width, one after the other, as they would be read in a data set:
// depth is how many bits samples of 16 really have, 8 to 16, or 0: judged by the brightest of all files. notes are
// sentences about what was found.
func ReadImages(ctx context.Context, files []string, height, width, depth int) (pixels []uint8, notes []string, err error) {
	b := newBuilder(ctx, Options{Depth: depth})
	if err := b.check(); err != nil {
		return nil, nil, err
	}
	s := &store{} // errors name files as they were given
	records := func(yield func(Record) error) error {
		for _, f := range files {
			if err := yield(s.fileRecord(f)); err != nil {
				return err
			}
		}
		return nil
	}
	all, err := b.scan(&Part{Records: records})
	if err != nil {
		return nil, nil, err
	}
	if err := b.judgeDepth(all); err != nil {
		return nil, nil, err
	}
	set := &Set{Height: height, Width: width}
	err = records(func(rec Record) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		r := &reading{record: rec, read: rec.File, done: make(chan struct{})}
		r.finish(func(r *reading) error { return b.decode(r, set) })
		pixels = append(pixels, r.pixels...)
		b.moving += bit(r.moving)
		return r.err
	})
	b.noteMoving()
	return pixels, b.notes, err
}
