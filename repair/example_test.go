package repair_test

import (
	"context"
	"fmt"
	"math"

	"github.com/unpoison/unpoison/backend/cpu"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/repair"
)

// small is a defence of one's own: weights near zero are set to it.
var small = repair.Method{
	Name: "small",
	Run: func(ctx context.Context, j *repair.Job) (*repair.Outcome, error) {
		s, zeroed := j.State.Clone(), 0.0
		for _, t := range s {
			for k, w := range t.Data {
				if t.Kind == model.Weight && w != 0 && math.Abs(float64(w)) < j.Options.Tolerance {
					t.Data[k] = 0
					zeroed++
				}
			}
		}
		return &repair.Outcome{State: s, Chose: map[string]float64{"zeroed": zeroed}}, ctx.Err()
	},
}

func ExampleMethod() {
	clean := signs.Render(0, 100, 10).Train
	backend, err := cpu.New("")
	if err != nil {
		panic(err)
	}
	network, err := model.New("small-cnn", len(clean.Classes), clean.Height, clean.Width)
	if err != nil {
		panic(err)
	}
	options := repair.Defaults("small", clean.Len())
	options.Tolerance = 0.01
	out, err := repair.Run(context.Background(), small, &repair.Job{
		Backend: backend, Network: network, State: network.Init(0), Clean: clean, Options: options,
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(out.Chose["zeroed"] > 0)
	// Output: true
}
