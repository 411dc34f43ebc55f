package model

import (
	"fmt"
	"strings"

	. "github.com/gomlx/gomlx/pkg/core/graph" //nolint:revive // graph operations read as mathematics
)

// Architecture is a network that is written once for any number of classes and any size of images.
type Architecture struct {
	Name string // what options and files call it
	// Build lays the network over images x, [N,H,W,3], with the builder's layers, and returns the logits, [N,classes]. Whoever
	// looks at the penultimate features, as most searches for poison do, needs them tapped as "features", [N,F].
	Build func(b *Builder, x *Node, classes int) *Node

	small bool // for images of about 32×32: larger ones get a stem
}

// architectures returns the table of networks, sorted by name; names are the field's.
func architectures() []Architecture {
	return []Architecture{
		{"preact-resnet-18", preActResNet18, true}, // pre-activation ResNet-18 for 32×32
		{"resnet-34", resNet34, false},             // ResNet-34 for photographs of 224×224
		{"small-cnn", smallCNN, true},              // four convolutions, for demonstrations and tests
		{"wrn-16-1", wideResNet(16, 1), true},      // wide residual network, depth 16, width 1 (the paper's for CIFAR-10 and GTSRB)
		{"wrn-40-1", wideResNet(40, 1), true},      // wide residual network, depth 40, width 1
	}
}

// Names lists the architectures, sorted.
func Names() []string {
	var n []string
	for _, a := range architectures() {
		n = append(n, a.Name)
	}
	return n
}

// New returns a network of the table for RGB images of height×width, with the stem that such images get; see StemFor. Sizes
// below 8 are refused.
func New(name string, classes, height, width int) (*Network, error) {
	return NewStem(name, classes, height, width, StemFor(name, height, width))
}

// NewStem is New with a stem that takes patches of stem×stem pixels; 1 is none.
func NewStem(name string, classes, height, width, stem int) (*Network, error) {
	for _, a := range architectures() {
		if a.Name == name {
			return a.stemmed(classes, height, width, stem)
		}
	}
	return nil, fmt.Errorf("no network %q; there are %s", name, strings.Join(Names(), ", "))
}

// New returns the network for RGB images of height×width, without a stem. Sizes below 8 are refused.
func (a *Architecture) New(classes, height, width int) (*Network, error) {
	return a.stemmed(classes, height, width, 1)
}

func (a *Architecture) stemmed(classes, height, width, side int) (*Network, error) {
	if classes < 2 {
		return nil, fmt.Errorf("a classifier needs at least 2 classes, got %d", classes)
	}
	if side < 1 {
		return nil, fmt.Errorf("a stem of %d×%d pixels", side, side)
	}
	if least := leastMap * side; height < least || width < least {
		return nil, fmt.Errorf("images of %d×%d pixels, width × height, are too small for %s: expected at least %d×%d", width, height, a.Name, least, least)
	}
	n := &Network{Arch: a.Name, Classes: classes, Height: height, Width: width, Stem: side, build: a.Build}
	if side > 1 {
		n.build = stem(side, a.Build)
	}
	return traced(n)
}

// Custom returns a network that is no classifier: whatever build makes of images [N,H,W,3].
func Custom(name string, height, width int, build func(b *Builder, x *Node) *Node) (*Network, error) {
	return traced(&Network{Arch: name, Height: height, Width: width, Stem: 1, build: func(b *Builder, x *Node, _ int) *Node { return build(b, x) }})
}

// wideResNet is Zagoruyko and Komodakis' network (2016), with tensors named as in the PyTorch
// implementations that use it.
func wideResNet(depth, width int) func(b *Builder, x *Node, classes int) *Node {
	return func(b *Builder, x *Node, classes int) *Node {
		blocks := (depth - 4) / 6
		x = b.Conv("conv1", x, 16, 3, 1)
		for g, channels := range []int{16 * width, 32 * width, 64 * width} {
			for i := range blocks {
				stride := 1
				if g > 0 && i == 0 {
					stride = 2
				}
				x = wideBlock(b, fmt.Sprintf("block%d.layer.%d", g+1, i), x, channels, stride)
			}
			b.Tap(fmt.Sprintf("group%d", g+1), x)
		}
		x = b.Tap("lastconv", b.Relu(b.BatchNorm("bn1", x)))
		x = b.Tap("features", b.GlobalPool(x))
		return b.Linear("fc", x, classes)
	}
}

func wideBlock(b *Builder, name string, x *Node, out, stride int) *Node {
	h := b.Relu(b.BatchNorm(name+".bn1", x))
	y := b.Conv(name+".conv1", h, out, 3, stride)
	y = b.Relu(b.BatchNorm(name+".bn2", y))
	y = b.Conv(name+".conv2", y, out, 3, 1)
	if x.Shape().Dimensions[3] != out { // the activated input is projected
		x = b.Conv(name+".convShortcut", h, out, 1, stride)
	}
	return b.Add(x, y)
}

// preActResNet18 is He et al.'s (2016b) for 32×32, with tensors named as in BackdoorBench.
func preActResNet18(b *Builder, x *Node, classes int) *Node {
	x = b.Conv("conv1", x, 64, 3, 1)
	for g, channels := range []int{64, 128, 256, 512} {
		for i := range 2 {
			stride := 1
			if g > 0 && i == 0 {
				stride = 2
			}
			name := fmt.Sprintf("layer%d.%d", g+1, i)
			h := b.Relu(b.BatchNorm(name+".bn1", x))
			shortcut := x
			if stride != 1 || x.Shape().Dimensions[3] != channels {
				shortcut = b.Conv(name+".shortcut.0", h, channels, 1, stride)
			}
			y := b.Conv(name+".conv1", h, channels, 3, stride)
			y = b.Conv(name+".conv2", b.Relu(b.BatchNorm(name+".bn2", y)), channels, 3, 1)
			x = b.Add(y, shortcut)
		}
		b.Tap(fmt.Sprintf("group%d", g+1), x)
	}
	b.Tap("lastconv", x)
	x = b.Tap("features", b.GlobalPool(x))
	return b.Linear("linear", x, classes)
}

// resNet34 is He et al.'s (2016a), with tensors named as in torchvision.
func resNet34(b *Builder, x *Node, classes int) *Node {
	x = b.Relu(b.BatchNorm("bn1", b.Conv("conv1", x, 64, 7, 2)))
	x = b.MaxPool(x, 3, 2, 1)
	for g, blocks := range []int{3, 4, 6, 3} {
		channels := 64 << g
		for i := range blocks {
			stride := 1
			if g > 0 && i == 0 {
				stride = 2
			}
			name := fmt.Sprintf("layer%d.%d", g+1, i)
			shortcut := x
			y := b.Relu(b.BatchNorm(name+".bn1", b.Conv(name+".conv1", x, channels, 3, stride)))
			y = b.BatchNorm(name+".bn2", b.Conv(name+".conv2", y, channels, 3, 1))
			if stride != 1 || x.Shape().Dimensions[3] != channels {
				shortcut = b.BatchNorm(name+".downsample.1", b.Conv(name+".downsample.0", x, channels, 1, stride))
			}
			x = b.Relu(b.Add(y, shortcut))
		}
		b.Tap(fmt.Sprintf("group%d", g+1), x)
	}
	b.Tap("lastconv", x)
	x = b.Tap("features", b.GlobalPool(x))
	return b.Linear("fc", x, classes)
}

// smallCNN is a plain network: 16, 32, 32 and 64 channels, halved three times.
func smallCNN(b *Builder, x *Node, classes int) *Node {
	for i, l := range []struct{ channels, stride int }{{16, 1}, {32, 2}, {32, 2}, {64, 2}} {
		x = b.Conv(fmt.Sprintf("conv%d", i+1), x, l.channels, 3, l.stride)
		x = b.Relu(b.BatchNorm(fmt.Sprintf("bn%d", i+1), x))
		b.Tap(fmt.Sprintf("group%d", i), x)
	}
	b.Tap("lastconv", x)
	x = b.Tap("features", b.GlobalPool(x))
	return b.Linear("fc", x, classes)
}
