package dataset

import (
	"bufio"
	"os"
	"path/filepath"
)

// manyScaled are bytes of images from which on they are no longer held in memory, where their set is not.
const manyScaled = 64 << 20

// Scaled returns the images at another size, with the set's labels and no sources. Those of a set that is mapped are mapped too if
// they are many: from a file beside the set's, which has no name any more and is gone with the process.
func (s *Set) Scaled(height, width int) *Set {
	t := &Set{Height: height, Width: width, Classes: s.Classes, Labels: s.Labels}
	if s.mapped != nil && s.Len()*t.ImageBytes() >= manyScaled && t.mapScaled(s) == nil {
		return t
	}
	t.Pixels = make([]uint8, 0, s.Len()*t.ImageBytes())
	for i := range s.Labels {
		t.Pixels = append(t.Pixels, Resize(s.Image(i), s.Height, s.Width, height, width)...)
	}
	return t
}

// mapScaled makes the set of another one's images at its own size.
func (s *Set) mapScaled(from *Set) (err error) {
	f, err := os.CreateTemp(filepath.Dir(from.mapped.file.Name()), ".decoded.*"+decodedPart)
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
	for i := range from.Labels {
		if _, err := w.Write(Resize(from.Image(i), from.Height, from.Width, s.Height, s.Width)); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	s.mapped, s.Pixels, err = mapFile(f, from.Len()*s.ImageBytes())
	return err
}
