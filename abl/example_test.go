package abl_test

import (
	"context"
	"fmt"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/attack"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/train"
)

// Training on data that somebody has poisoned. With images of one's own, dataset.Load reads them.
func ExampleTrain() {
	ctx := context.Background()
	data := signs.Render(0, 300, 1)
	conf, err := attack.Parse("badnets:target=9,patch_size=5")
	if err != nil {
		panic(err)
	}
	planted, err := attack.New(ctx, conf, data.Train, attack.Env{})
	if err != nil {
		panic(err)
	}
	poisoned, _, err := planted.Poison(ctx, data.Train)
	if err != nil {
		panic(err)
	}

	o := abl.Demo()
	o.IsolateEpochs, o.TuneEpochs, o.UnlearnSteps = 2, 2, 10
	result, err := abl.Train(ctx, poisoned, o, train.Settings{})
	if err != nil {
		panic(err)
	}
	fmt.Println(result.Model.Parameters(), "parameters,", len(result.Suspects), "images ranked")
	// Output: 33626 parameters, 300 images ranked
}
