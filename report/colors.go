package report

import "image/color"

// Told apart in colour, in grey and by most colour-blind readers.
var (
	blue   = color.RGBA{0x1f, 0x5f, 0x9f, 0xff}
	orange = color.RGBA{0xe0, 0x7b, 0x1a, 0xff}
)
