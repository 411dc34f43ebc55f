package kernel

import "unsafe"

// Tap is one kernel position of a convolution: byte offsets into the input and the weights.
type Tap struct{ In, Weight int }

// ConvArgs describes a run of output pixels of a direct convolution. All strides are in bytes.
type ConvArgs struct {
	Out, In, Weight unsafe.Pointer
	Taps            *Tap
	Taps2           int // twice the number of taps
	InPix, OutPix   int // from one output pixel to the next, in the input and in the output
	WeightRow       int // from one input channel's weights to the next one's
	Accumulate      int // 1: add to what Out holds
	InChannels      int
}

// WeightGradArgs describes a tile of a convolution's weight gradient: kernel columns × input
// channels × output channels, summed over Rows×Cols output pixels. All strides are in bytes.
type WeightGradArgs struct {
	DW, X, DY      unsafe.Pointer
	Rows, Cols     int
	XPix, XRow     int
	DYPix, DYRow   int
	XCol           int // from one kernel column to the next, in the input
	DWCol, DWInput int // from one kernel column, one input channel to the next, in the gradient
}

// WinogradArgs describes a transform between the pixels of tiles, in an image of 16·Groups channels, and
// their 16 positions of Winograd's F(2×2, 3×3). The input's transform sees 4×4 pixels a tile, the others 2×2.
// All strides are in bytes.
type WinogradArgs struct {
	Dst, Src                  unsafe.Pointer
	Tiles, Groups             int
	PixelsNext, PositionsNext int // from a tile to the next, less the 64·Groups bytes of its channels
	Pixel, Row                int // from a pixel, a row of pixels to the next
	Position                  int // from a position to the next
}

// LineArgs describes a transform of Winograd's F(4, 3) in one direction: six values of every tile, of 16·Groups floats
// each, become six positions, or six positions four values. All strides are in bytes.
type LineArgs struct {
	Dst, Src         unsafe.Pointer
	Tiles, Groups    int
	DstNext, SrcNext int // from a tile to the next, less its 64·Groups bytes
	DstStep, SrcStep int // from a value or position of a tile to the next
}

// ProductArgs describes, for each of some positions, rows of inputs times a matrix of weights, In [rows,
// Channels] and Weight [Channels, 16·blocks]. The weights of all positions follow one another. Strides are in
// bytes.
type ProductArgs struct {
	Out, In, Weight unsafe.Pointer
	Positions       int
	InRow, OutRow   int
	WeightRow       int
	Channels        int
	InNext, OutNext int // from where a position's rows end to the next one's
}

// Group is the number of floats that a channel-wise or flat kernel handles at a time.
const Group = 64

// Args describes a channel-wise or flat loop over Count groups of 64 floats.
// Channel-wise kernels step by Stride bytes and read coefficients as rows of 64 floats at Coef;
// reductions add to rows of 64 floats at Sums.
type Args struct {
	Dst, Src0, Src1, Src2 unsafe.Pointer
	Count, Stride         int
	Coef, Sums            unsafe.Pointer
}
