package attack_test

import (
	"context"
	"fmt"

	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/dataset/signs"
)

// darken is a trigger of one's own: a file with a type and a line in the table.
type darken struct{}

// Apply halves the brightness of the upper half.
func (darken) Apply(ctx context.Context, b *attack.Batch) error {
	for _, i := range b.At {
		img := b.Set.Image(i)
		for k := range img[:len(img)/2] {
			img[k] /= 2
		}
	}
	return ctx.Err()
}

var dark = attack.Method{
	Name: "dark", About: "The upper half is darkened.", Paper: "an example",
	New: func(attack.Config, *dataset.Set) (attack.Trigger, error) { return darken{}, nil },
}

func ExampleMethod() {
	attack.Methods = append(attack.Methods, dark)
	defer func() { attack.Methods = attack.Methods[:len(attack.Methods)-1] }()

	ctx := context.Background()
	data := signs.Render(0, 200, 50)
	config, err := attack.Parse("dark:rate=0.05,target=3")
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
