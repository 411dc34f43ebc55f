package dataset

import (
	"bufio"
	"os"
	"path/filepath"
	"runtime"
)

const (
	manyScaled  = 64 << 20 // bytes of images from which on they are no longer held in memory, where their set is not
	scaledAtOne = 64       // images that a processor scales before they are written
)

// Scaled returns the images at another size, with the set's labels and no sources. Those of a set that is mapped are mapped too if
// they are many: from a file beside the set's, or among temporary files where that has no room, which has no name any more and is gone
// with the process.
func (s *Set) Scaled(height, width int) *Set {
	t := &Set{Height: height, Width: width, Classes: s.Classes, Labels: s.Labels}
	if s.mapped != nil && s.Len()*t.ImageBytes() >= manyScaled {
		for _, folder := range []string{filepath.Dir(s.mapped.file.Name()), os.TempDir()} {
			if t.mapScaled(s, folder) == nil {
				return t
			}
		}
	}
	t.Pixels = make([]uint8, 0, s.Len()*t.ImageBytes())
	_ = s.scaled(height, width, func(pixels []uint8) error { // which has no error
		t.Pixels = append(t.Pixels, pixels...)
		return nil
	})
	return t
}

// scaled gives each image at another size to take, in order. All processors work on them.
func (s *Set) scaled(height, width int, take func(pixels []uint8) error) error {
	part := make([][]uint8, runtime.GOMAXPROCS(0)*scaledAtOne)
	for first := 0; first < s.Len(); first += len(part) {
		some := part[:min(len(part), s.Len()-first)]
		Each(len(some), func(k int) { some[k] = Resize(s.Image(first+k), s.Height, s.Width, height, width) })
		for _, pixels := range some {
			if err := take(pixels); err != nil {
				return err
			}
		}
	}
	return nil
}

// mapScaled makes the set of another one's images at its own size, in a file of a folder.
func (s *Set) mapScaled(from *Set, folder string) (err error) {
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
	err = from.scaled(s.Height, s.Width, func(pixels []uint8) error {
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
