package audit_test

import (
	"context"
	"fmt"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/dataset"
)

// A clean network from a folder of images, and the images that were left out.
func ExampleTrain() {
	ctx := context.Background()
	data, err := dataset.Load(ctx, "images", dataset.Options{Size: 32})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := audit.Train(ctx, data.Train, abl.Default(), audit.Default(), abl.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Verdict.Says)
	for _, s := range result.Suspects[:result.Verdict.Removed] {
		fmt.Println(data.Train.Source(s.Index), s.Probability)
	}
}
