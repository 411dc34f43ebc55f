package checkpoint

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/unpoison/unpoison/model"
)

// maxClasses bounds the classes of a network that a file describes.
const maxClasses = 1 << 16

// probes are the networks for two classes, made once.
var probes = sync.OnceValues(func() ([]*model.Network, error) {
	var all []*model.Network
	for _, arch := range model.Names() {
		n, err := usual(arch, 2, 1)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
})

// usual returns a network for its usual input size, which is as much larger as the patches of its stem.
func usual(arch string, classes, stem int) (*model.Network, error) {
	size := 32 * stem
	if arch == "resnet-34" {
		size = 224
	}
	return model.NewStem(arch, classes, size, size, stem)
}

// stemIn returns the side of the patches that the stem among tensors takes; 1 if there is none.
func stemIn(arrays tensors) int {
	if a := arrays[model.StemWeight]; len(a.dims) == 4 && a.dims[2] > 1 && a.dims[2] <= 32 {
		return a.dims[2]
	}
	return 1
}

// recognise finds the network that tensors belong to by their names and shapes. Files of other programs
// do not say classes and input size: the classes are counted, the size is the network's usual one.
func recognise(arrays tensors) (*model.Network, error) {
	all, err := probes()
	if err != nil {
		return nil, err
	}
	var best *model.Network
	var wrong []string
	for _, n := range all {
		if w := misfits(n, arrays); best == nil || len(w) < len(wrong) {
			best, wrong = n, w
		}
	}
	// The classifier's shape depends on the classes.
	weight, _ := best.Spec().Classifier()
	if a := arrays[weight.Name]; len(a.dims) == 2 && a.dims[0] >= 2 && a.dims[0] < maxClasses {
		if best, err = usual(best.Arch, a.dims[0], stemIn(arrays)); err != nil {
			return nil, err
		}
		wrong = misfits(best, arrays)
	}
	if len(wrong) == 0 {
		return best, nil
	}
	return nil, fmt.Errorf("the tensors are of no network that is known (%s); the closest is %s, but for\n  %s",
		strings.Join(model.Names(), ", "), best.Arch, few(wrong))
}

// misfits lists the tensors that a network lacks, has in another shape, or does not know.
func misfits(n *model.Network, arrays tensors) []string {
	var wrong []string
	known := map[string]bool{}
	for _, t := range n.Spec() {
		known[t.Name] = true
		dims := t.PyTorchDims()
		a, ok := arrays[t.Name]
		switch {
		case !ok:
			wrong = append(wrong, t.Name+" is missing")
		case !slices.Equal(dims, a.dims):
			wrong = append(wrong, fmt.Sprintf("%s has the shape %v, expected %v", t.Name, a.dims, dims))
		}
	}
	var extra []string
	for name := range arrays {
		if !known[name] && !strings.HasSuffix(name, "num_batches_tracked") && name != "n_averaged" {
			extra = append(extra, name+" is not known")
		}
	}
	slices.Sort(extra)
	return append(wrong, extra...)
}
