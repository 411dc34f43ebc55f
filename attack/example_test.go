package attack_test

import (
	"context"
	"fmt"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
)

// Dark are the settings of a trigger of one's own.
type Dark struct {
	Share float64 `json:"share" range:"(0,1]"` // of the image, from above
}

// Trigger halves the brightness of the upper part.
func (d *Dark) Trigger(attack.Common, *dataset.Set) (attack.Trigger, error) { return d, nil }

// Apply implements attack.Trigger.
func (d *Dark) Apply(ctx context.Context, b *attack.Batch) error {
	for _, i := range b.At {
		img := b.Set.Image(i)
		for k := range img[:int(d.Share*float64(len(img)))] {
			img[k] /= 2
		}
	}
	return ctx.Err()
}

var dark = attack.Method{
	Name: "dark", About: "The upper part is darkened.", Paper: "an example",
	Settings: func() attack.Settings { return &Dark{Share: 0.5} },
}

func ExampleMethod() {
	ctx := context.Background()
	data := signs.Render(0, 200, 50)
	attacks := append(attack.Builtin(), dark)
	config, err := attacks.Parse("dark:rate=0.05,target=3,share=0.25")
	if err != nil {
		panic(err)
	}
	planted, err := attack.New(ctx, config, data.Train, attack.Env{})
	if err != nil {
		panic(err)
	}
	_, truth, err := planted.Poison(ctx, data.Train)
	if err != nil {
		panic(err)
	}
	n := 0
	for _, p := range truth.Poisoned {
		if p {
			n++
		}
	}
	fmt.Println(n, "images of", data.Train.Len())
	// Output: 10 images of 200
}
