package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/unpoison/unpoison/internal/base/sysinfo"
)

// A builder makes sets of a layout's records. It goes through each part twice, first for labels and sizes, so that only
// the images as they are kept lie in memory.
type builder struct {
	Options
	ctx     context.Context //nolint:containedctx // lives for one call of Load
	skipped []error
	bads    []badRecord // what skipped speaks of, one for each
	notes   []string
	moving  int                 // images of which the first frame was read
	clear   int                 // images that are clear, see isClear
	clearAt string              // the first of them
	depth   int                 // bits of a sample of images with 16
	store   string              // folder of the files with decoded images; empty: they are in memory
	buffers sync.Pool           // *[]byte of images that were taken
	room    *semaphore.Weighted // pixels of images that are decoded at a time
}

func newBuilder(ctx context.Context, o Options) *builder {
	return &builder{Options: o, ctx: ctx, room: semaphore.NewWeighted(maxPixels)}
}

// survey is what is known of a data set once its records were gone through, before an image is decoded.
type survey struct {
	train, test *scanned // test may be nil
	hidden      int      // test images without labels
	numbering   *classes
	size        measure
}

func (b *builder) build(c *Contents) (*Data, error) {
	v, err := b.survey(c)
	if err != nil {
		return nil, err
	}
	return b.readAll(v)
}

// survey goes through the records for all that depends on all of them.
func (b *builder) survey(c *Contents) (*survey, error) {
	b.notes = append(b.notes, c.Notes...)
	if c.Train == nil {
		return nil, errors.New("no training images found")
	}
	v := &survey{}
	var err error
	if v.train, err = b.scan(c.Train); err != nil {
		return nil, err
	}
	if v.test, v.hidden, err = b.scanTest(c); err != nil {
		return nil, err
	}
	if v.numbering, err = b.classes(c.Classes, v.train); err != nil {
		return nil, err
	}
	if err := b.judgeDepth(v.train, v.test); err != nil {
		return nil, err
	}
	v.size = b.size(v.train, c.Size)
	return v, nil
}

// readAll decodes the images.
func (b *builder) readAll(v *survey) (*Data, error) {
	b.choose(v)
	d := &Data{Unlabelled: v.hidden, Depth: b.depth}
	d.parts[0] = v.train.part.Name
	if v.test != nil {
		d.parts[1] = v.test.part.Name
	}
	if err := b.place(v.size, v.train, v.test); err != nil {
		return nil, err
	}
	read := b.readParts
	if v.train.bare {
		read = b.readTest
	}
	if err := read(v, d); err != nil {
		return nil, err
	}
	b.noteEmpty(d.Train.Classes, v.train.counts)
	b.noteSeen()
	d.Notes, d.Skipped, d.bads = b.notes, b.skipped, b.bads
	return d, nil
}

func (b *builder) readParts(v *survey, d *Data) (err error) {
	if d.Train, err = b.read(v.train, v.numbering, v.size); err == nil && v.test != nil {
		d.Test, err = b.read(v.test, v.numbering, v.size)
		err = untrained(err)
	}
	return err
}

// untrained says of a test image of a class that there is no training image of what to do.
func untrained(err error) error {
	var bad labelError
	switch {
	case !errors.As(err, &bad):
		return err
	case bad.alike:
		return fmt.Errorf("%w: give both one name", err)
	}
	return fmt.Errorf("%w: the training images are of no such class; take these test images out, or pass over them with --skip-bad", err)
}

// counted is "1 image" or "n images".
func counted(n int) string {
	if n == 1 {
		return "1 image"
	}
	return fmt.Sprintf("%d images", n)
}

// noteSeen says of which images other programs may see more than is read.
func (b *builder) noteSeen() {
	if b.moving > 0 {
		b.note("%s animated or of several pages: the first frame is read", counted(b.moving))
	}
	if b.clear > 0 {
		b.note("%s with transparent pixels, the first is %s; read on black, while programs that leave transparency out, as Pillow's convert(\"RGB\") does, see other colours there", counted(b.clear), b.clearAt)
	}
}

// transparent counts an image that is clear.
func (b *builder) transparent(r *reading) {
	if !r.clear {
		return
	}
	name := r.record.Source
	if r.record.Row >= 0 {
		name = fmt.Sprintf("%s:%d", name, r.record.Row)
	}
	b.clear, b.clearAt = b.clear+1, cmp.Or(b.clearAt, name)
}

func (b *builder) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

// scanTest picks the test data: those that are called so, or the validation data where these have no labels.
func (b *builder) scanTest(c *Contents) (test *scanned, hidden int, err error) {
	for _, p := range []*Part{c.Test, c.Validation} {
		if p == nil {
			continue
		}
		if test != nil {
			b.note("%s is not read, as %s holds the test images", p.Name, test.part.Name)
			continue
		}
		s, err := b.scan(p)
		if err != nil {
			return nil, 0, err
		}
		if s.records == 0 {
			b.note("%s holds no image that is read", p.Name)
			continue
		}
		if s.missing == s.records {
			hidden += s.records
			b.note("the %d images of %s have no labels: accuracy is not measured on them", s.records, p.Name)
			continue
		}
		test = s
	}
	return test, hidden, nil
}

// classes numbers the classes by the layout's names or the training labels.
func (b *builder) classes(names []string, train *scanned) (*classes, error) {
	var c *classes
	var err error
	if names != nil {
		if c, err = namedClasses(names); err != nil {
			return nil, err
		}
	} else {
		c = classesOf(train.labels)
	}
	minus := ""
	if train.minus > 0 {
		minus = fmt.Sprintf("; %d images have the label −1, which means none", train.minus)
	}
	if train.records > 0 && train.missing == train.records {
		if train.part.unlabelled != nil {
			minus += train.part.unlabelled()
		}
		return nil, fmt.Errorf("none of the %d images of %s has a label%s", train.records, train.part.Name, minus)
	}
	if len(c.names) < 2 {
		return nil, fmt.Errorf("expected labels of at least two classes, found %d %q%s", len(c.names), c.names, minus)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	b.notes = append(b.notes, c.alike()...)
	return c, nil
}

func tooLarge(need int64, how string) error {
	return sysinfo.Fits(need, "the images "+how, "; --size N makes them smaller")
}

// badRecord is one that was passed over, by what it was called.
type badRecord struct {
	part, source string
	row          int
	table        string
	tableRow     int
}

// bad returns what is wrong with a record of a part, or notes it and returns nil if bad records are to be passed over.
func (b *builder) bad(err error, part string, r *Record) error {
	var rec *RecordError
	if b.SkipBad && errors.As(err, &rec) {
		b.skipped = append(b.skipped, err)
		b.bads = append(b.bads, badRecord{part, r.Source, r.Row, r.Table, r.TableRow})
		return nil
	}
	return err
}

// noteEmpty names the classes without a training image.
func (b *builder) noteEmpty(classes []string, counts []int) {
	var empty []string
	for c, n := range counts {
		if n == 0 {
			empty = append(empty, fmt.Sprintf("%q", classes[c]))
		}
	}
	if n := len(empty); n > 0 {
		b.note("%d of %d classes have no training image: %s", n, len(classes), strings.Join(empty[:min(n, 6)], ", "))
	}
}
