package kernel

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/unpoison/unpoison/internal/testkit/testfile"
)

// loopCount counts the instructions of a loop.
type loopCount struct{ fmas, loads, stores, others int }

func (c loopCount) share() float64 {
	return float64(c.fmas) / float64(c.fmas+c.loads+c.stores+c.others)
}

// add counts one instruction of Go's assembler for arm64; FMLA by element is a word.
func (c *loopCount) add(line string) error {
	name, operands, _ := strings.Cut(line, " ")
	name, _, _ = strings.Cut(name, ".") // .P moves the pointer too
	switch name {
	case "WORD":
		code, err := strconv.ParseUint(operands[1:11], 0, 32)
		if err != nil {
			return err
		}
		if code&0xFFC0F400 != 0x4F801000 {
			c.others++
			return nil
		}
		c.fmas++
	case "VFMLA":
		c.fmas++
	case "VLD1", "VLD1R", "FLDPQ", "FMOVS", "FMOVQ", "MOVD", "LDP":
		if strings.HasPrefix(operands, "F") {
			c.stores++
		} else {
			c.loads++
		}
	case "VST1", "FSTPQ":
		c.stores++
	default:
		c.others++
	}
	return nil
}

// neonLoops returns the counts of each NEON kernel's main loop: of those without a loop inside, the one with the
// most multiplications.
func neonLoops(t *testing.T) map[string]loopCount {
	t.Helper()
	text := testfile.Read(t, "kernels_arm64.s")
	all := map[string]loopCount{}
	for _, kernel := range strings.Split(string(text), "\nTEXT ·")[1:] {
		name, body, _ := strings.Cut(kernel, "(SB)")
		lines := strings.Split(body, "\n")[1:]
		label := -1
		for i, line := range lines {
			line = strings.TrimSpace(line)
			if strings.HasSuffix(line, ":") {
				label = i
				continue
			}
			if label < 0 || line != "BNE "+strings.TrimSuffix(lines[label], ":") {
				continue
			}
			var c loopCount
			for _, l := range lines[label+1 : i+1] {
				if err := c.add(strings.TrimSpace(l)); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			if best, ok := all[name]; !ok || c.fmas > best.fmas {
				all[name] = c
			}
		}
	}
	return all
}

// TestPeakCountsItsSums compares what Peak takes a round of the peak's loop for with its instructions.
func TestPeakCountsItsSums(t *testing.T) {
	for _, c := range []struct {
		file, name, op string
		lanes, sums    int
	}{
		{"kernels_arm64.s", "peakNEON", "VFMLA", 4, 28 * 4},
		{"kernels_amd64.s", "peakAVX512", "VFMADD231PS", 16, 28 * 16},
		{"kernels_amd64.s", "peakAVX2", "VFMADD231PS", 8, 12 * 8},
	} {
		text := testfile.Read(t, c.file)
		_, body, _ := strings.Cut(string(text), "TEXT ·"+c.name+"(SB)")
		body, _, _ = strings.Cut(body, "RET")
		if n := strings.Count(body, c.op) * c.lanes; n != c.sums {
			t.Errorf("%s adds to %d sums, expected %d", c.name, n, c.sums)
		}
	}
	for _, s := range Sets() {
		if s.peak == nil {
			continue
		}
		if sums, ok := map[string]int{"neon": 28 * 4, "avx512": 28 * 16, "avx2": 12 * 8}[s.Name]; !ok || s.peakSums != sums {
			t.Errorf("%s: Peak counts %d sums, expected %d", s.Name, s.peakSums, sums)
		}
		if s.Peak() <= 0 {
			t.Errorf("%s: no peak", s.Name)
		}
	}
}

// TestNEONLoopsMostlyMultiply counts what the loops of convolutions, products and weight gradients are made of. A
// multiplication is of 4 numbers, a load of at most 16 weights or 8 inputs. So a loop over rows of inputs takes at
// least 4 multiplications a row, a load of weights and an eighth of a load a row: of two rows 86 % could be
// multiplications, of three 89.
func TestNEONLoopsMostlyMultiply(t *testing.T) {
	shape := regexp.MustCompile(`^(conv|product)NEONB1[PR](\d)$`)
	rowLoops, gradients := 0, 0
	for name, c := range neonLoops(t) {
		if c.fmas == 0 || !strings.Contains(name, "B1") {
			continue // loops that memory holds up, and transforms
		}
		t.Logf("%-22s %3d multiply-adds, %2d loads, %d others: %.1f %%, %.3f instructions a multiply-add", name, c.fmas, c.loads, c.others, 100*c.share(), 1/c.share()/4)
		if c.share() < 0.85 || c.stores > 0 || c.others > 2 {
			t.Errorf("%s: %+v, expected 85 %% multiplications, no stores, and an end of two instructions", name, c)
		}
		m := shape.FindStringSubmatch(name)
		if m == nil {
			gradients++
			continue
		}
		rowLoops++
		rows := int(m[2][0] - '0')
		if channels := c.fmas / (4 * rows); c.fmas != 4*rows*channels || channels < 4 {
			t.Errorf("%s multiplies %d times, expected 4 a row and channel, of 4 channels or more", name, c.fmas)
		}
	}
	if rowLoops != 10 || gradients != 2 {
		t.Errorf("%d loops of convolutions and products and %d of weight gradients, expected 10 and 2", rowLoops, gradients)
	}
}
