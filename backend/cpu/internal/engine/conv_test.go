package engine

import (
	"testing"

	"github.com/unpoison/unpoison/backend/cpu/internal/kernel"
)

// TestTilesCoverOnce: of every kernel column, input channel and block of output channels one tile keeps the sum, and
// none lies before the first channel; past the last only where there are fewer channels than any tile has.
func TestTilesCoverOnce(t *testing.T) {
	for name, tiles := range map[string][]kernel.Tile{
		"of vectors": {{Cols: 1, Channels: 6, Blocks: 1}, {Cols: 1, Channels: 4, Blocks: 1}},
		"of columns": {{Cols: 3, Channels: 4, Blocks: 2}, {Cols: 3, Channels: 2, Blocks: 1}, {Cols: 1, Channels: 4, Blocks: 1}, {Cols: 1, Channels: 1, Blocks: 1}},
	} {
		for cols := 1; cols <= 7; cols += 2 {
			for channels := 1; channels <= 50; channels++ {
				for blocks := 1; blocks <= 3; blocks++ {
					kept := map[[3]int]int{}
					cover(func(g gradTile) {
						skip, keep := g.skip, g.keep
						if keep == 0 {
							keep = g.Channels
						}
						if g.ci < 0 || g.ci+g.Channels > max(channels, 4) {
							t.Fatalf("%s: %d of %d channels: a tile of %d at %d", name, keep, channels, g.Channels, g.ci)
						}
						for k := range g.Cols {
							for c := range keep {
								for b := range g.Blocks {
									kept[[3]int{g.kx + k, g.ci + skip + c, g.co/16 + b}]++
								}
							}
						}
					}, tiles, 0, 0, cols, 0, channels, 0, blocks)
					for place, n := range kept {
						if n != 1 || place[0] >= cols || place[1] >= channels || place[2] >= blocks {
							t.Fatalf("%s: column, channel, block %v is kept %d times of %d×%d×%d", name, place, n, cols, channels, blocks)
						}
					}
					if len(kept) != cols*channels*blocks {
						t.Fatalf("%s: %d kept of %d×%d×%d", name, len(kept), cols, channels, blocks)
					}
				}
			}
		}
	}
}
