package attack

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/unpoison/unpoison/augment"
	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/internal/base/gx"
	"github.com/unpoison/unpoison/internal/base/version"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/rng"
	"github.com/unpoison/unpoison/train"
)

func testLab(t *testing.T) *Lab {
	t.Helper()
	l, err := newLab(Config{Method: Method{Name: "test"}}, Env{}, &dataset.Set{Height: 16, Width: 16})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// The gradient that attacks follow through a frozen network is that of finite differences, batch
// norm's running statistics included.
func TestGradientThroughFrozenNetwork(t *testing.T) {
	l := testLab(t)
	n, err := model.New("small-cnn", 4, 16, 16)
	if err != nil {
		t.Fatal(err)
	}
	state := n.Init(1)
	r := rng.Stream(1, "test")
	for _, s := range state {
		if s.Kind == model.Buffer { // statistics as of a trained network
			for i := range s.Data {
				s.Data[i] = 0.2 + r.Float32()
			}
		}
	}
	f, err := l.frozen("gradient", n, state, func(g *Graph, net func(*Node) *model.Graphed) []*Node {
		x := gx.Input(g, "x", 2, 16, 16, 3)
		y := Parameter(g, "y", shapes.Make(dtypes.Int32, 2))
		loss := ReduceAllSum(train.CrossEntropy(net(x).Logits, y))
		return []*Node{loss, Gradient(loss, x)[0]}
	})
	if err != nil {
		t.Fatal(err)
	}
	x, y, grad := make([]float32, 2*16*16*3), []int32{1, 3}, make([]float32, 2*16*16*3)
	for i := range x {
		x[i] = r.Float32()
	}
	value := func() float64 {
		t.Helper()
		if err := f.Call(len(state), x, y); err != nil {
			t.Fatal(err)
		}
		v, err := f.Number(0)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	value()
	if err := f.Get(1, grad); err != nil {
		t.Fatal(err)
	}
	dot, norm, length := 0.0, 0.0, 0.0 // along random directions, where single pixels drown in rounding
	const h = 1e-2
	for range 5 {
		dir := make([]float32, len(x))
		want := 0.0
		for i := range dir {
			dir[i] = float32(r.NormFloat64()) * h
			want += float64(dir[i] * grad[i])
		}
		move := func(s float32) {
			for i := range x {
				x[i] += s * dir[i]
			}
		}
		move(1)
		up := value()
		move(-2)
		got := (up - value()) / 2
		move(1)
		dot, norm, length = dot+got*want, norm+got*got, length+want*want
	}
	if cos := dot / math.Sqrt(norm*length); cos < 0.98 || math.Abs(norm/length-1) > 0.1 {
		t.Errorf("gradient and differences agree to a cosine of %g, squared lengths %g and %g", cos, length, norm)
	}
}

// Of images that are perturbed it is told how many are, and no loss, which nobody knows.
func TestPerturbedImagesAreCounted(t *testing.T) {
	set := small().Train
	l, stream := testLab(t), rng.Stream(1, "test")
	var told []train.Event
	l.Watch = func(e train.Event) { told = append(told, e) }
	p := newPerturbation(8, 1)
	p.prepare = func([]float32, []int) error { return nil }
	p.gradient = func(int, []float32, []float32) error { return nil }
	at := rng.Iota(min(set.Len(), perturbBatch))
	if err := p.run(ctx, l, &Batch{Set: set.Clone(), At: at, Stream: func(int) *rand.Rand { return stream }}); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || !told[0].Progress.Images || told[0].Progress.Step != len(at) || told[0].Progress.Steps != len(at) {
		t.Errorf("%+v", told)
	}
}

// What is random in an attacker's networks follows from the attack's seed and what the network is for: two purposes share
// nothing, no purpose shares with a victim of the same or of another seed, and attacks that ask for the same share all.
func TestAttackersStreams(t *testing.T) {
	set := small().Train
	trained := func(attack, purpose string, seed uint64) []float32 {
		l, err := newLab(Config{Method: Method{Name: attack}, Common: Common{Seed: seed}, Own: &CL{Surrogate: Surrogate{Network: "small-cnn"}}}, Env{}, set)
		if err != nil {
			t.Fatal(err)
		}
		_, s, err := l.Train(ctx, purpose, set, nil, 0, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		return s[0].Data
	}
	n, err := model.New("small-cnn", len(set.Classes), set.Height, set.Width)
	if err != nil {
		t.Fatal(err)
	}
	own := trained("cl", "clean", 1)
	if !slices.Equal(own, trained("lba", "clean", 1)) {
		t.Error("two attacks' clean networks differ")
	}
	for name, other := range map[string][]float32{
		"another purpose": trained("cl", "aware", 1), "another seed": trained("cl", "clean", 2),
		"the victim": n.Init(1)[0].Data, "a victim of a related seed": n.Init(1 ^ 0xA77AC4)[0].Data,
	} {
		if slices.Equal(own, other) {
			t.Errorf("the attacker's network starts as that of %s", name)
		}
	}
	l := testLab(t)
	if l.seed("init", 0) == l.seed("init", 1) || l.seed("init", 1) == l.seed("other", 1) {
		t.Error("two purposes have the same seed")
	}
}

func TestPairTakesTheNearestFree(t *testing.T) {
	out := make([]float32, 4)
	pair([]float32{0, 0, 1, 1}, []float32{0.9, 0.9, 5, 5}, out, 2)
	if out[0] != 0.9 || out[2] != 5 {
		t.Errorf("paired with %v", out)
	}
}

// What moves images in the generator's graph is what augmentation does to a victim's images.
func TestMovedAgreesWithAugmentation(t *testing.T) {
	const n, side = 3, 8
	l := testLab(t)
	f, err := gx.NewFunction(l.Backend, "move", 0, func(g *Graph) []*Node {
		return []*Node{moved(gx.Input(g, "x", n, side, side, 3), gx.Input(g, "down", side, side), gx.Input(g, "across", side, side))}
	})
	if err != nil {
		t.Fatal(err)
	}
	r := rng.Stream(1, "test")
	src := make([]uint8, n*side*side*3)
	for i := range src {
		src[i] = uint8(r.IntN(256))
	}
	o := augment.Options{Pad: 2, Flip: true}
	x, got, want := make([]float32, len(src)), make([]float32, len(src)), make([]float32, len(src))
	augment.Plain(x, src)
	down, across := make([]float32, side*side), make([]float32, side*side)
	for seed := range uint64(20) {
		size := side * side * 3
		for j := range n {
			o.Apply(want[j*size:(j+1)*size], src[j*size:(j+1)*size], side, side, rng.Stream(seed, "move"))
		}
		same := rng.Stream(seed, "move")
		shift(down, side, same.IntN(2*o.Pad+1)-o.Pad, false)
		dx := same.IntN(2*o.Pad+1) - o.Pad
		shift(across, side, dx, same.IntN(2) == 1)
		if err := f.Call(0, x, down, across); err != nil {
			t.Fatal(err)
		}
		if err := f.Get(0, got); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if math.Abs(float64(got[i]-want[i])) > 1e-6 {
				t.Fatalf("seed %d: value %d is %g, expected %g", seed, i, got[i], want[i])
			}
		}
	}
}

// Big data take long to digest: an attacker's training that is stopped before says so.
func TestStoppedBeforeTheAttackersTraining(t *testing.T) {
	stopped, stop := context.WithCancel(ctx)
	stop()
	l := testLab(t)
	l.Cache, l.Surrogate = t.TempDir(), Surrogate{Network: "small-cnn"}
	if _, _, err := l.Train(stopped, "test", signs.Render(1, 40, 0).Train, nil, 1, 0.1); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(l.Cache); len(left) > 0 {
		t.Fatal("left in the cache: ", left)
	}
}

// What an attacker's training left in the cache for another version is trained again.
func TestNetworksOfAnotherVersionAreTrainedAgain(t *testing.T) {
	b, err := cpu.New("")
	if err != nil {
		t.Fatal(err)
	}
	l := testLab(t)
	l.Backend, l.Cache, l.Surrogate = b, t.TempDir(), Surrogate{Network: "small-cnn"}
	learn := func() model.State {
		t.Helper()
		_, state, err := l.Train(ctx, "test", signs.Render(1, 40, 0).Train, nil, 1, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	want := learn()
	files, err := filepath.Glob(filepath.Join(l.Cache, "network-*", "*.safetensors"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	arrays, meta, err := checkpoint.ReadArrays(files[0])
	if err != nil {
		t.Fatal(err)
	}
	old := strings.ReplaceAll(meta["progress"], version.Number, "0.0.1")
	if old == meta["progress"] {
		t.Fatalf("no version in %s", old)
	}
	if err := checkpoint.WriteArrays(files[0], arrays, map[string]string{"progress": old}); err != nil {
		t.Fatal(err)
	}
	for k, tensor := range learn() {
		if !slices.Equal(tensor.Data, want[k].Data) {
			t.Fatalf("%s differs", tensor.Name)
		}
	}
}
