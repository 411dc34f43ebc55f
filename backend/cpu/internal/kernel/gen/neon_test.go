package main

import (
	"encoding/binary"
	"regexp"
	"strconv"
	"testing"

	"golang.org/x/arch/arm64/arm64asm"
)

// TestWordsAreWhatTheySay disassembles every instruction that is written as a number.
func TestWordsAreWhatTheySay(t *testing.T) {
	text, _ := neonKernels()
	words := regexp.MustCompile(`WORD \$(0x[0-9A-F]{8}) // (.*)`).FindAllStringSubmatch(text, -1)
	if len(words) < 1000 {
		t.Fatalf("%d words in the kernels, expected thousands", len(words))
	}
	for _, w := range words {
		code, err := strconv.ParseUint(w[1], 0, 32)
		if err != nil {
			t.Fatal(err)
		}
		i, err := arm64asm.Decode(binary.LittleEndian.AppendUint32(nil, uint32(code)))
		if err != nil {
			t.Fatalf("%s, %s: %v", w[1], w[2], err)
		}
		if got := arm64asm.GNUSyntax(i); got != w[2] {
			t.Errorf("%s is %s, the generator says %s", w[1], got, w[2])
		}
	}
}

func TestValuesThatLiveTooLongAreFound(t *testing.T) {
	n := &neon{isa: neonSet}
	n.start("test")
	n.pin(n.regs - 2)
	first, second := n.temp(), n.temp()
	n.addTo(first, second)
	n.temp()
	defer func() {
		if recover() == nil {
			t.Error("the generator used a register that holds another value")
		}
	}()
	n.addTo(first, second)
}
