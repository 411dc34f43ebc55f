package kernel

// native returns the NEON kernels: every 64-bit ARM processor has them.
func native() []*Set { return []*Set{&neonSet} }

var neonSet = Set{
	Name: "neon",
	conv: [3][]raw{
		1: {2: convNEONB1P2, convNEONB1P3, convNEONB1P4, convNEONB1P5, convNEONB1P6},
	},
	tile: []Tile{
		{1, 6, 1, weightGradNEONK1C6B1},
		{1, 4, 1, weightGradNEONK1C4B1},
	},
	product: [3][]raw{
		1: {2: productNEONB1R2, productNEONB1R3, productNEONB1R4, productNEONB1R5, productNEONB1R6},
	},
	Winograd:      true,
	winogradInput: winogradInputNEON, winogradGrad: winogradGradNEON, winogradOutput: winogradOutputNEON,
	winogradLineIn: winogradLineInNEON, winogradLineOut: winogradLineOutNEON,

	affine:     affineNEON,
	affineRelu: affineReluNEON,
	affine2:    affine2NEON,
	affine2Add: affine2AddNEON,
	affineMask: affineMaskNEON,
	sum:        sumNEON,
	sumSquares: sumSquaresNEON,
	gradSums:   gradSumsNEON,
	add:        addNEON,
	sub:        subNEON,
	mul:        mulNEON,
	addScalar:  addScalarNEON,
	mulScalar:  mulScalarNEON,
	relu:       reluNEON,
	reluGrad:   reluGradNEON,

	peak: peakNEON, peakSums: 28 * 4,
}
