package model

// PyTorch keeps convolution kernels as [out, in, height, width] and linear weights as [out, in].

// permutation returns, for each axis of PyTorch's layout, the axis of ours.
func permutation(rank int) []int {
	switch rank {
	case 4:
		return []int{3, 2, 0, 1}
	case 2:
		return []int{1, 0}
	}
	return nil
}

// PyTorchDims returns the tensor's shape in PyTorch's layout.
func (t *Tensor) PyTorchDims() []int {
	perm := permutation(len(t.Dims))
	if perm == nil {
		return t.Dims
	}
	dims := make([]int, len(perm))
	for i, a := range perm {
		dims[i] = t.Dims[a]
	}
	return dims
}

// PyTorch returns the tensor's shape and elements in PyTorch's layout.
func (t *Tensor) PyTorch() (dims []int, data []float32) {
	dims = t.PyTorchDims()
	perm := permutation(len(t.Dims))
	if perm == nil {
		return dims, t.Data
	}
	data = make([]float32, len(t.Data))
	t.walk(perm, dims, func(torch, ours int) { data[torch] = t.Data[ours] })
	return dims, data
}

// SetPyTorch fills the tensor, whose shape is known, from elements in PyTorch's layout.
func (t *Tensor) SetPyTorch(data []float32) {
	perm := permutation(len(t.Dims))
	if perm == nil {
		copy(t.Data, data)
		return
	}
	t.walk(perm, t.PyTorchDims(), func(torch, ours int) { t.Data[ours] = data[torch] })
}

// walk visits all elements in PyTorch's order with both indices.
func (t *Tensor) walk(perm, dims []int, visit func(torch, ours int)) {
	stride := make([]int, len(t.Dims))
	n := 1
	for i := len(t.Dims) - 1; i >= 0; i-- {
		stride[i], n = n, n*t.Dims[i]
	}
	idx := make([]int, len(dims))
	for torch := range n {
		ours := 0
		for i, x := range idx {
			ours += x * stride[perm[i]]
		}
		visit(torch, ours)
		for i := len(idx) - 1; i >= 0; i-- {
			if idx[i]++; idx[i] < dims[i] {
				break
			}
			idx[i] = 0
		}
	}
}
