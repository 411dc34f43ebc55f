package engine

import (
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// The image paths of pooling and its gradient give the general forms' bits, for any geometry.
func TestImagePoolsAgreeWithGeneralForms(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	for range 100 {
		n, h, w, c := 1+r.IntN(3), 3+r.IntN(8), 3+r.IntN(8), 1+r.IntN(5)
		a := &WindowAttr{
			Window: []int{1, 1 + r.IntN(3), 1 + r.IntN(3), 1}, Strides: []int{1, 1 + r.IntN(3), 1 + r.IntN(3), 1},
			Pads: [][2]int{{}, {r.IntN(2), r.IntN(2)}, {r.IntN(2), r.IntN(2)}, {}}, Min: r.IntN(2) == 0,
			Reduce: []Op{OpReduceMax, OpReduceMin, OpReduceSum}[r.IntN(3)],
		}
		dims := []int{n, h, w, c}
		out := slices.Clone(dims)
		for i := 1; i <= 2; i++ {
			out[i] = (dims[i]+a.Pads[i][0]+a.Pads[i][1]-a.Window[i])/a.Strides[i] + 1
		}
		in, small := Shape{Float32, dims}, Shape{Float32, out}
		x, v := make([]float32, in.Size()), make([]float32, small.Size())
		for i := range x {
			x[i] = float32(r.IntN(5)) // ties
		}
		for i := range v {
			v[i] = r.Float32()
		}
		pool := &Node{Op: OpPool, Shape: small, Attr: a, In: []*Node{{Shape: in}}}
		general, _ := poolOf[float32](pool, a)
		geometry, ok := imagePoolOf(a, in, small)
		if !ok {
			t.Fatalf("%+v is not taken for a pooling of images", a)
		}
		fast, _ := imagePoolFn(geometry, a.Reduce)
		same(t, a, small, n, fast, general, x)

		scatter := &Node{Op: OpScatterPool, Shape: in, Attr: a, In: []*Node{{Shape: in}, {Shape: small}}}
		same(t, a, in, n, imageScatterFn(geometry, a.Min), scatterPoolOf[float32](scatter), x, v)
	}
}

func same(t *testing.T, what any, s Shape, rows int, fast, general fn, in ...[]float32) {
	t.Helper()
	var p []unsafe.Pointer
	for _, v := range in {
		p = append(p, unsafe.Pointer(unsafe.SliceData(v)))
	}
	got, want := make([]float32, s.Size()), make([]float32, s.Size())
	fast(&worker{}, unsafe.Pointer(unsafe.SliceData(got)), p, rows)
	general(&worker{}, unsafe.Pointer(unsafe.SliceData(want)), p, rows)
	if !slices.Equal(got, want) {
		t.Fatalf("%+v: %v, want %v", what, got, want)
	}
}

// TestPortions: every task is in one portion, and a goroutine has the same rows of a loop whichever way it
// runs.
func TestPortions(t *testing.T) {
	for _, loop := range []int{0, 1, 2, 16, 31} {
		for goroutines := 1; goroutines <= 5; goroutines++ {
			var j job
			owners := [2][]int{make([]int, loop), make([]int, loop)}
			for way, backwards := range []bool{false, true} {
				tasks := tasks{list: make([]task, 3+loop+2), from: 3, to: 3 + loop, backwards: backwards}
				j.divide(tasks, goroutines)
				var done []int
				for i := range j.portions {
					p := &j.portions[i]
					for k := int(p.next.Load()); k < int(p.end); k++ {
						done = append(done, k)
						if row := k - tasks.from; row >= 0 && row < loop {
							if backwards {
								row = loop - 1 - row
							}
							owners[way][row] = i
						}
					}
				}
				slices.Sort(done)
				for k := range tasks.list {
					if k >= len(done) || done[k] != k || len(done) != len(tasks.list) {
						t.Fatalf("%d rows, %d goroutines: tasks %v are done, expected each of %d once", loop, goroutines, done, len(tasks.list))
					}
				}
			}
			if !slices.Equal(owners[0], owners[1]) {
				t.Errorf("%d rows, %d goroutines: the rows are %v's, backwards %v's", loop, goroutines, owners[0], owners[1])
			}
		}
	}
}
