package main

// Winograd's F(2×2, 3×3) with the interpolation points 0, 1, -1 and infinity:
//
//	Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A
//
//	Bᵀ = 1  0 -1  0     G = 1    0    0      Aᵀ = 1  1  1  0
//	     0  1  1  0         1/2  1/2  1/2         0  1 -1  1
//	     0 -1  1  0         1/2 -1/2  1/2
//	     0 -1  0  1         0    0    1
//
// The transforms below work on one vector of channels: a tile's pixels on one side, its 4×4 positions on the other.

// winogradInput is Bᵀ d B: 4×4 pixels to positions.
func winogradInput[V any](t tile[V]) {
	for i, pair := range []struct {
		a, b int
		f    func(a, b V) V
	}{{0, 2, t.sub}, {1, 2, t.add}, {2, 1, t.sub}, {3, 1, t.sub}} {
		var d [4]V
		for c := range d {
			d[c] = pair.f(t.pixel(pair.a, c), t.pixel(pair.b, c))
		}
		for c, v := range []V{t.sub(d[0], d[2]), t.add(d[1], d[2]), t.sub(d[2], d[1]), t.sub(d[3], d[1])} {
			t.setPosition(v, c)
		}
		if i < 3 {
			t.nextRow()
		}
	}
}

// winogradGrad is A e Aᵀ: 2×2 output gradients to positions.
func winogradGrad[V any](t tile[V]) {
	var e [2][2]V
	for r := range e {
		for c := range e[r] {
			e[r][c] = t.copy(t.pixel(r, c))
		}
	}
	for i := range 4 {
		var d [2]V
		for c := range d {
			switch i {
			case 0:
				d[c] = e[0][c]
			case 1:
				d[c] = t.add(e[0][c], e[1][c])
			case 2:
				d[c] = t.sub(e[0][c], e[1][c])
			case 3:
				d[c] = e[1][c]
			}
		}
		for c, v := range []V{d[0], t.add(d[0], d[1]), t.sub(d[0], d[1]), d[1]} {
			t.setPosition(v, c)
		}
		if i < 3 {
			t.nextRow()
		}
	}
}

// winogradOutput is Aᵀ m A: positions to 2×2 pixels.
func winogradOutput[V any](t tile[V]) {
	var sum, alt [4]V // of each column: m0+m1+m2 and m1-m2+m3
	for i := range 4 {
		for c := range 4 {
			switch i {
			case 0:
				sum[c] = t.copy(t.position(c))
			case 1:
				alt[c] = t.copy(t.position(c))
				t.addTo(alt[c], sum[c])
			case 2:
				v := t.copy(t.position(c))
				t.addTo(v, sum[c])
				t.subTo(v, alt[c])
			case 3:
				t.addTo(t.position(c), alt[c])
			}
		}
		if i < 3 {
			t.nextRow()
		}
	}
	for r, m := range [][4]V{sum, alt} {
		t.setPixel(t.add(t.add(m[0], m[1]), m[2]), r, 0)
		t.setPixel(t.add(t.sub(m[1], m[2]), m[3]), r, 1)
	}
}
