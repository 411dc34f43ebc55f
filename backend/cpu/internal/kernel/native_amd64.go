//go:build amd64

package kernel

import "golang.org/x/sys/cpu"

func native() []*Set {
	var sets []*Set
	avx2 := cpu.X86.HasAVX2 && cpu.X86.HasFMA
	if avx2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ {
		sets = append(sets, &avx512Set)
	}
	if avx2 {
		sets = append(sets, &avx2Set)
	}
	return sets
}

var avx512Set = Set{
	Name: "avx512",
	conv: [3][]raw{
		1: {nil, convAVX512B1P1, convAVX512B1P2, convAVX512B1P3, convAVX512B1P4, convAVX512B1P5, convAVX512B1P6, convAVX512B1P7, convAVX512B1P8, convAVX512B1P9, convAVX512B1P10, convAVX512B1P11, convAVX512B1P12, convAVX512B1P13, convAVX512B1P14, convAVX512B1P15, convAVX512B1P16},
		2: {nil, convAVX512B2P1, convAVX512B2P2, convAVX512B2P3, convAVX512B2P4, convAVX512B2P5, convAVX512B2P6, convAVX512B2P7, convAVX512B2P8, convAVX512B2P9, convAVX512B2P10, convAVX512B2P11, convAVX512B2P12, convAVX512B2P13, convAVX512B2P14},
	},
	tile: []Tile{
		{3, 8, 1, weightGradAVX512K3C8B1},
		{3, 4, 2, weightGradAVX512K3C4B2},
		{3, 3, 1, weightGradAVX512K3C3B1},
		{1, 16, 1, weightGradAVX512K1C16B1},
		{1, 8, 2, weightGradAVX512K1C8B2},
		{1, 1, 1, weightGradAVX512K1C1B1},
		{1, 4, 1, weightGradAVX512K1C4B1},
	},
	product: [3][]raw{
		1: {nil, productAVX512B1R1, productAVX512B1R2, productAVX512B1R3, productAVX512B1R4, productAVX512B1R5, productAVX512B1R6, productAVX512B1R7, productAVX512B1R8, productAVX512B1R9, productAVX512B1R10, productAVX512B1R11, productAVX512B1R12, productAVX512B1R13, productAVX512B1R14, productAVX512B1R15, productAVX512B1R16},
		2: {nil, productAVX512B2R1, productAVX512B2R2, productAVX512B2R3, productAVX512B2R4, productAVX512B2R5, productAVX512B2R6, productAVX512B2R7, productAVX512B2R8, productAVX512B2R9, productAVX512B2R10, productAVX512B2R11, productAVX512B2R12, productAVX512B2R13, productAVX512B2R14},
	},
	Winograd:      true,
	winogradInput: winogradInputAVX512, winogradGrad: winogradGradAVX512, winogradOutput: winogradOutputAVX512,
	winogradLineIn: winogradLineInAVX512, winogradLineOut: winogradLineOutAVX512,

	affine:     affineAVX512,
	affineRelu: affineReluAVX512,
	affine2:    affine2AVX512,
	affine2Add: affine2AddAVX512,
	affineMask: affineMaskAVX512,
	sum:        sumAVX512,
	sumSquares: sumSquaresAVX512,
	gradSums:   gradSumsAVX512,
	add:        addAVX512,
	sub:        subAVX512,
	mul:        mulAVX512,
	addScalar:  addScalarAVX512,
	mulScalar:  mulScalarAVX512,
	relu:       reluAVX512,
	reluGrad:   reluGradAVX512,

	peak: peakAVX512, peakSums: 28 * 16,
}

var avx2Set = Set{
	Name: "avx2",
	conv: [3][]raw{
		1: {nil, convAVX2B1P1, convAVX2B1P2, convAVX2B1P3, convAVX2B1P4, convAVX2B1P5, convAVX2B1P6},
	},
	tile: []Tile{
		{3, 2, 1, weightGradAVX2K3C2B1},
		{1, 6, 1, weightGradAVX2K1C6B1},
		{1, 4, 1, weightGradAVX2K1C4B1},
		{1, 1, 1, weightGradAVX2K1C1B1},
	},
	product: [3][]raw{
		1: {nil, productAVX2B1R1, productAVX2B1R2, productAVX2B1R3, productAVX2B1R4, productAVX2B1R5, productAVX2B1R6},
	},
	Winograd:      true,
	winogradInput: winogradInputAVX2, winogradGrad: winogradGradAVX2, winogradOutput: winogradOutputAVX2,
	winogradLineIn: winogradLineInAVX2, winogradLineOut: winogradLineOutAVX2,

	affine:     affineAVX2,
	affineRelu: affineReluAVX2,
	affine2:    affine2AVX2,
	affine2Add: affine2AddAVX2,
	affineMask: affineMaskAVX2,
	sum:        sumAVX2,
	sumSquares: sumSquaresAVX2,
	gradSums:   gradSumsAVX2,
	add:        addAVX2,
	sub:        subAVX2,
	mul:        mulAVX2,
	addScalar:  addScalarAVX2,
	mulScalar:  mulScalarAVX2,
	relu:       reluAVX2,
	reluGrad:   reluGradAVX2,

	peak: peakAVX2, peakSums: 12 * 8,
}
