package main

// Winograd's F(4, 3) with the interpolation points 0, 1, -1, 2, -2 and infinity (Lavin and Gray, CVPR 2016). Its
// two-dimensional transforms are one-dimensional ones down the columns and then along the rows, or the other way round:
//
//	Bᵀ = 4  0 -5  0  1  0     G = 1/4    0    0       Aᵀ = 1  1  1  1  1  0
//	     0 -4 -4  1  1  0        -1/6 -1/6  -1/6           0  1 -1  2 -2  0
//	     0  4 -4 -1  1  0        -1/6  1/6  -1/6           0  1  1  4  4  0
//	     0 -2 -1  2  1  0         1/24  1/12  1/6          0  1 -1  8 -8  1
//	     0  2 -1 -2  1  0         1/24 -1/12  1/6
//	     0  4  0 -5  0  1         0     0     1

// winogradLineIn is Bᵀ d: six values to six positions.
func winogradLineIn[V any](t line[V]) {
	var d [6]V
	for i := range d {
		d[i] = t.value(i)
	}
	four := t.four()
	even, odd := t.sub(d[4], t.mul(d[2], four)), t.sub(d[3], t.mul(d[1], four))
	t.set(t.add(even, odd), 1)
	t.set(t.sub(even, odd), 2)
	even, odd = t.sub(d[4], d[2]), t.sub(d[3], d[1])
	twice := t.add(odd, odd)
	t.set(t.add(even, twice), 3)
	t.set(t.sub(even, twice), 4)
	t.fmaTo(t.sub(d[0], d[2]), four, even)
	t.set(even, 0)
	last := t.sub(d[5], d[3])
	t.fmaTo(t.sub(d[1], d[3]), four, last)
	t.set(last, 5)
}

// winogradLineOut is Aᵀ m: six positions to four values.
func winogradLineOut[V any](t line[V]) {
	var m [6]V
	for i := range m {
		m[i] = t.value(i)
	}
	sum, diff := t.add(m[1], m[2]), t.sub(m[1], m[2])
	sum2, diff2 := t.add(m[3], m[4]), t.sub(m[3], m[4])
	t.addTo(sum, m[0])
	t.addTo(sum2, m[0])
	t.set(m[0], 0)
	t.addTo(diff2, diff2)
	t.addTo(diff, m[5])
	t.set(t.add(diff, diff2), 1)
	t.fmaTo(sum2, t.four(), sum)
	t.set(sum, 2)
	t.fmaTo(diff2, t.four(), m[5])
	t.set(m[5], 3)
}
