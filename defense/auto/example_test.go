package auto_test

import (
	"context"
	"fmt"

	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/defense/abl"
	"github.com/unpoison/unpoison/defense/auto"
)

// A clean network from a folder of images, and the images that were left out.
func ExampleTrain() {
	ctx := context.Background()
	data, err := dataset.Load(ctx, "images", dataset.Options{Size: 32})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := auto.Train(ctx, data.Train, abl.Default(), auto.Default(), abl.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Verdict.Says)
	for _, s := range result.Suspects[:result.Verdict.Removed] {
		fmt.Println(data.Train.Source(s.Index), s.Probability)
	}
}
