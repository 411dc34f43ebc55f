package cpu_test

import (
	"fmt"

	"github.com/gomlx/gomlx/backends"
	. "github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/unpoison/unpoison/backend/cpu"
)

// A convolution over an image of MNIST's size, and its gradient.
func Example() {
	backend, err := backends.NewWithConfig(cpu.Name)
	if err != nil {
		panic(err)
	}
	exec := MustNewExec(backend, func(image, kernel *Node) []*Node {
		y := Convolve(image, kernel).PadSame().Done()
		loss := ReduceAllSum(Max(y, ScalarZero(y.Graph(), y.DType())))
		return []*Node{loss, Gradient(loss, kernel)[0]}
	})
	image := make([][][][]float32, 1)
	image[0] = make([][][]float32, 28)
	for y := range image[0] {
		image[0][y] = make([][]float32, 28)
		for x := range image[0][y] {
			image[0][y][x] = []float32{1}
		}
	}
	kernel := [][][][]float32{{{{1}}, {{1}}, {{1}}}, {{{1}}, {{1}}, {{1}}}, {{{1}}, {{1}}, {{1}}}}
	out := exec.MustExec(image, kernel)
	fmt.Println(out[0].Value(), out[1].Shape())
	// Output: 6724 (Float32)[3 3 1 1]
}
