package dataset

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"runtime"

	"github.com/unpoison/unpoison/internal/base/sysinfo"
)

const (
	manyScaled  = 64 << 20 // bytes of images from which on they are no longer held in memory, where their set is not
	scaledAtOne = 64       // images that a processor scales before they are written
)

// Scaled returns the images at another size, with the set's labels and no sources. Those of a set that is mapped are mapped too if
// they are many: from a file beside the set's, or among temporary files where that has no room, which has no name any more and is gone
// with the process, or once it is released. watch is told now and then how many are done; nil: nobody.
func (s *Set) Scaled(ctx context.Context, height, width int, watch func(done int)) (*Set, error) {
	t := &Set{Height: height, Width: width, Classes: s.Classes, Labels: s.Labels}
	need := int64(s.Len()) * int64(t.ImageBytes())
	if s.ScaledBytes(height, width) > 0 {
		for _, folder := range []string{filepath.Dir(s.mapped.file.Name()), os.TempDir()} {
			if free := diskFree(folder); free >= 0 && free < need {
				continue
			}
			if t.mapScaled(ctx, s, folder, watch) == nil {
				return t, nil
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		if err := sysinfo.Fits(need, "the smaller images", ", and no disk has room for them; --store DIR takes another folder"); err != nil {
			return nil, err
		}
	} else if need >= manyScaled {
		if err := sysinfo.Fits(need, "the smaller images", "; --store DIR keeps them in files, --limit N takes fewer images"); err != nil {
			return nil, err
		}
	}
	t.Pixels = make([]uint8, 0, need)
	err := s.scaled(ctx, height, width, watch, func(pixels []uint8) error {
		t.Pixels = append(t.Pixels, pixels...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Smaller is the size of images that are averaged down to a shorter side: their own where that is not longer. 0: their own.
func Smaller(height, width, side int) (h, w int) {
	if own := min(height, width); side > 0 && own > side {
		return height * side / own, width * side / own
	}
	return height, width
}

// ScaledBytes is how many bytes of a disk Scaled takes; 0 where the images are held in memory.
func (s *Set) ScaledBytes(height, width int) int64 {
	need := int64(s.Len()) * int64(height*width*3)
	if s.mapped == nil || need < manyScaled {
		return 0
	}
	return need
}

// Release gives back what a set takes that Scaled made, and that nobody reads any more: it has no images then.
func (s *Set) Release() {
	if s.mapped != nil {
		s.mapped.release(s.Pixels)
	}
	s.mapped, s.Pixels = nil, nil
}

// scaled gives each image at another size to take, in order. All processors work on them.
func (s *Set) scaled(ctx context.Context, height, width int, watch func(done int), take func(pixels []uint8) error) error {
	part := make([][]uint8, runtime.GOMAXPROCS(0)*scaledAtOne)
	for first := 0; first < s.Len(); first += len(part) {
		if err := ctx.Err(); err != nil {
			return err
		}
		some := part[:min(len(part), s.Len()-first)]
		Each(len(some), func(k int) { some[k] = Resize(s.Image(first+k), s.Height, s.Width, height, width) })
		for _, pixels := range some {
			if err := take(pixels); err != nil {
				return err
			}
		}
		if watch != nil {
			watch(first + len(some))
		}
	}
	return nil
}

// mapScaled makes the set of another one's images at its own size, in a file of a folder.
func (s *Set) mapScaled(ctx context.Context, from *Set, folder string, watch func(done int)) (err error) {
	f, err := os.CreateTemp(folder, ".decoded.*"+decodedPart)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = from.scaled(ctx, s.Height, s.Width, watch, func(pixels []uint8) error {
		_, err := w.Write(pixels)
		return err
	})
	if err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	s.mapped, s.Pixels, err = mapFile(f, from.Len()*s.ImageBytes())
	return err
}
