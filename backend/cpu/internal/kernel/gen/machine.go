package main

// machine computes with the vectors of one instruction set. V is an operand: a register or, on x86, memory. A result
// is a new register; what ends in To changes its last operand instead.
type machine[V any] interface {
	copy(v V) V
	add(a, b V) V            // a + b
	sub(a, b V) V            // a − b
	mul(a, b V) V            // a · b
	addTo(v, to V)           // to += v
	subTo(v, to V)           // to −= v
	fmaTo(a, b, to V)        // to += a·b, rounded once
	relu(v, zero V) V        // max(v, 0), NaN for NaN; v is lost
	keep(v, where, zero V) V // v where where ≥ 0, else 0; where is lost
}

// tile is a tile's pixels and positions as one of Winograd's transforms sees them.
type tile[V any] interface {
	machine[V]
	pixel(row, col int) V
	setPixel(v V, row, col int)
	position(col int) V // in the current row of positions
	setPosition(v V, col int)
	nextRow() // of positions
}

// line is a tile's values in one direction, before and after a one-dimensional transform.
type line[V any] interface {
	machine[V]
	value(i int) V // in a register of its own
	set(v V, i int)
	four() V // 4 in every element
}
