package model_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset/signs"
	"github.com/unpoison/unpoison/model"
	"github.com/unpoison/unpoison/train"
)

// plain is a network of one's own: two convolutions.
var plain = &model.Architecture{
	Name: "plain",
	Build: func(b *model.Builder, x *Node, classes int) *Node {
		x = b.Relu(b.BatchNorm("bn1", b.Conv("conv1", x, 16, 3, 2)))
		x = b.Relu(b.BatchNorm("bn2", b.Conv("conv2", x, 32, 3, 2)))
		x = b.Tap("features", b.GlobalPool(x)) // what audits look at
		return b.Linear("fc", x, classes)
	},
}

func ExampleArchitecture() {
	data := signs.Render(0, 200, 1).Train
	o := abl.Demo()
	o.Network, o.Architecture = plain.Name, plain
	o.IsolateEpochs, o.TuneEpochs, o.Unlearn = 1, 1, "none"
	result, err := abl.Train(context.Background(), data, o, train.Settings{})
	if err != nil {
		panic(err)
	}

	folder, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "model.safetensors")
	info := checkpoint.Info{Arch: plain.Name, Classes: data.Classes, Height: data.Height, Width: data.Width}
	if err := checkpoint.Save(file, result.Model, info); err != nil {
		panic(err)
	}
	_, state, _, err := checkpoint.Load(file, plain)
	if err != nil {
		panic(err)
	}
	fmt.Println(state.Parameters(), "parameters")
	// Output: 5466 parameters
}
