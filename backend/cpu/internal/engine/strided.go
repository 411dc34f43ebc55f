package engine

import "unsafe"

// A transposition goes in tiles of so many elements that lie one after another in the source, and of so many that do in the result: a
// cache has their lines until all are used. Few lines lie a power of two apart in the source, since caches keep few of these.
const tileSrc, tileDst = 16, 8

// strided copies dims elements from src to dst, both with their own strides (in elements).
func strided[T any](dst, src unsafe.Pointer, dims, dstStrides, srcStrides []int) {
	for _, d := range dims {
		if d == 0 {
			return
		}
	}
	var zero T
	size := int(unsafe.Sizeof(zero))
	var rooms [4][maxRank]int
	dims, dstStrides, srcStrides = merged(&rooms, dims, dstStrides, srcStrides)
	inner, last := 1, len(dims)-1
	if last > 0 && dstStrides[last] == 1 && srcStrides[last] != 1 && srcStrides[last-1] == 1 {
		inner = 2
	}
	outer := len(dims) - inner
	idx := indices(&rooms[3], outer)
	d, s := 0, 0
	for {
		if to, from := unsafe.Add(dst, d), unsafe.Add(src, s); inner == 2 {
			transposed[T](to, from, dims[outer:], dstStrides[outer], srcStrides[last])
		} else {
			line[T](to, from, dims[last], dstStrides[last], srcStrides[last])
		}
		axis := outer - 1
		for ; axis >= 0; axis-- {
			idx[axis]++
			d += dstStrides[axis] * size
			s += srcStrides[axis] * size
			if idx[axis] < dims[axis] {
				break
			}
			d -= dims[axis] * dstStrides[axis] * size
			s -= dims[axis] * srcStrides[axis] * size
			idx[axis] = 0
		}
		if axis < 0 {
			return
		}
	}
}

// merged returns the axes with neighbours made one where both sides walk through them as through one, without those of length 1; but
// at least one axis.
func merged(rooms *[4][maxRank]int, dims, dstStrides, srcStrides []int) (n, ds, ss []int) {
	n, ds, ss = indices(&rooms[0], len(dims)+1)[:0], indices(&rooms[1], len(dims)+1)[:0], indices(&rooms[2], len(dims)+1)[:0]
	for k, d := range dims {
		last := len(n) - 1
		switch {
		case d == 1:
		case last >= 0 && ds[last] == d*dstStrides[k] && ss[last] == d*srcStrides[k]:
			n[last], ds[last], ss[last] = n[last]*d, dstStrides[k], srcStrides[k]
		default:
			n, ds, ss = append(n, d), append(ds, dstStrides[k]), append(ss, srcStrides[k])
		}
	}
	if len(n) == 0 {
		n, ds, ss = append(n, 1), append(ds, 1), append(ss, 1)
	}
	return n, ds, ss
}

// line copies n elements.
func line[T any](dst, src unsafe.Pointer, n, dstStride, srcStride int) {
	var zero T
	size := int(unsafe.Sizeof(zero))
	switch {
	case dstStride == 1 && srcStride == 1:
		copy(slice[T](dst, n), slice[T](src, n))
	case dstStride == 1 && srcStride == 0:
		to := slice[T](dst, n)
		to[0] = *(*T)(src)
		for done := 1; done < n; done *= 2 {
			copy(to[done:], to[:done])
		}
	default:
		ds, ss := dstStride*size, srcStride*size
		for i := range n {
			*(*T)(unsafe.Add(dst, i*ds)) = *(*T)(unsafe.Add(src, i*ss))
		}
	}
}

// transposed copies a matrix, [dims], whose rows lie one after another in the result and whose columns do in the source.
func transposed[T any](dst, src unsafe.Pointer, dims []int, dstStride, srcStride int) {
	var zero T
	size := int(unsafe.Sizeof(zero))
	ds, ss := dstStride*size, srcStride*size
	for i0 := 0; i0 < dims[0]; i0 += tileSrc {
		for j0 := 0; j0 < dims[1]; j0 += tileDst {
			for i := i0; i < min(i0+tileSrc, dims[0]); i++ {
				to, from := unsafe.Add(dst, i*ds), unsafe.Add(src, i*size)
				for j := j0; j < min(j0+tileDst, dims[1]); j++ {
					*(*T)(unsafe.Add(to, j*size)) = *(*T)(unsafe.Add(from, j*ss))
				}
			}
		}
	}
}
