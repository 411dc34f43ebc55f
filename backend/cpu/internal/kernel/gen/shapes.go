package main

import "fmt"

// isa describes one instruction set: its name, the floats in a vector register and the number of registers.
type isa struct {
	name  string
	lanes int
	regs  int
	wide  bool // embedded broadcast and masks (AVX-512)
}

var (
	x86Sets = []isa{{"AVX512", 16, 32, true}, {"AVX2", 8, 16, false}}
	neonSet = isa{"NEON", 4, 32, false}
)

// convPixels lists how many pixels a convolution kernel computes at once, for blocks of 16*n channels: as many as
// registers hold the sums of, beside weights and inputs. NEON computes a single pixel twice: its four sums wait for
// their additions so long that four more cost nothing.
func (s isa) convPixels(blocks int) []int {
	least, most := 1, 6
	switch {
	case s.wide && blocks == 1:
		most = 16
	case s.wide:
		most = 14
	case blocks > 1:
		return nil // no gain over two calls: so many registers a pixel leave room for few pixels
	case s.lanes == 4:
		least = 2
	}
	var p []int
	for i := least; i <= most; i++ {
		p = append(p, i)
	}
	return p
}

func (s isa) convName(blocks, pixels int) string {
	return fmt.Sprintf("conv%sB%dP%d", s.name, blocks, pixels)
}

func (s isa) productName(blocks, rows int) string {
	return fmt.Sprintf("product%sB%dR%d", s.name, blocks, rows)
}

// weightGradTiles lists {kernel columns, input channels, blocks of 16 output channels} of the tiles.
func (s isa) weightGradTiles() [][3]int {
	switch {
	case s.wide:
		return [][3]int{{3, 8, 1}, {3, 4, 2}, {3, 3, 1}, {1, 16, 1}, {1, 8, 2}, {1, 1, 1}, {1, 4, 1}}
	case s.lanes == 4: // one load brings four channels of a pixel, and any of them multiplies: fewer would waste it
		return [][3]int{{1, 6, 1}, {1, 4, 1}}
	}
	return [][3]int{{3, 2, 1}, {1, 6, 1}, {1, 4, 1}, {1, 1, 1}}
}

func (s isa) weightGradName(cols, channels, blocks int) string {
	return fmt.Sprintf("weightGrad%sK%dC%dB%d", s.name, cols, channels, blocks)
}

// peakSums is how many sums the peak's loop adds to: more than a processor has multiplications in flight.
func (s isa) peakSums() int { return s.regs - 4 }

// passes returns in how many passes a channel-wise loop goes over its groups, so that a pass's coefficients and
// sums, perVector a vector, stay in registers.
func (s isa) passes(perVector int) int {
	passes := 1
	for perVector*group/s.lanes/passes > s.regs-4 && passes < 8 {
		passes *= 2
	}
	return passes
}
