//go:build linux

package dataset

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// Images of 224 pixels that the system's memory doesn't have, read from a mapped file in any order: in one go each, and page by page.
func BenchmarkReadAtRandom(b *testing.B) {
	const n, images = 224 * 224 * 3, 400
	name := filepath.Join(b.TempDir(), "images")
	testfile.Write(b, name, make([]byte, n*images))
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	m, pixels, err := mapFile(f, n*images)
	if err != nil {
		b.Fatal(err)
	}
	advise(pixels, true)
	for _, way := range []struct {
		name string
		read func(image []byte)
	}{
		{"fetched", func(image []byte) { fetch(image); m.look(image) }},
		{"by page", m.look},
	} {
		b.Run(way.name, func(b *testing.B) {
			for k := range b.N {
				if k%images == 0 {
					b.StopTimer()
					discard(pixels)
					if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				i := rand.IntN(images)
				way.read(pixels[i*n : (i+1)*n])
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
