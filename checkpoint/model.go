package checkpoint

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/unpoison/unpoison/model"
)

// Info is what a model file says about its network.
type Info struct {
	Arch    string
	Classes []string
	Height  int
	Width   int
	Version string // of unpoison
}

// NumberClasses names the classes of a model made elsewhere, which has no names, by their numbers.
func (i *Info) NumberClasses(n *model.Network) {
	for c := len(i.Classes); c < n.Classes; c++ {
		i.Classes = append(i.Classes, strconv.Itoa(c))
	}
}

// Save stores a network's tensors under PyTorch's names and in its layout, with Info as metadata.
// A state with a NaN or an infinity is refused, so that it can't replace a good model.
func Save(path string, s model.State, info Info) error {
	if err := s.Finite(); err != nil {
		return fmt.Errorf("model not written to %s: %w", path, err)
	}
	classes, err := json.Marshal(info.Classes)
	if err != nil {
		return err
	}
	arrays := map[string]Array{}
	for _, t := range s {
		dims, data := t.PyTorch()
		arrays[t.Name] = Array{dims, data}
	}
	return WriteArrays(path, arrays, map[string]string{
		"format": "pt", "architecture": info.Arch, "classes": string(classes),
		"height": strconv.Itoa(info.Height), "width": strconv.Itoa(info.Width), "unpoison": info.Version,
	})
}

// Load reads a model file and its network: what Save wrote, safetensors of other programs, or a PyTorch
// checkpoint. Only Save's files name the classes; of others Info.Classes is empty. own are architectures of one's own that
// Save's files may name, beside those of package model.
func Load(path string, own ...*model.Architecture) (*model.Network, model.State, *Info, error) {
	arrays, meta, err := readAny(path)
	if err != nil {
		return nil, nil, nil, err
	}
	info := &Info{Arch: meta["architecture"], Version: meta["unpoison"]}
	if info.Arch == "" {
		n, err := recognise(arrays)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		info.Arch, info.Height, info.Width = n.Arch, n.Height, n.Width
		s, err := fill(n, arrays)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		return n, s, info, nil
	}
	if err := json.Unmarshal([]byte(meta["classes"]), &info.Classes); err != nil {
		return nil, nil, nil, fmt.Errorf("%s: expected a list of class names, found %q", path, meta["classes"])
	}
	for key, v := range map[string]*int{"height": &info.Height, "width": &info.Width} {
		if *v, err = strconv.Atoi(meta[key]); err != nil || *v < 1 || *v > 4096 {
			return nil, nil, nil, fmt.Errorf("%s: expected the input's %s, found %q", path, key, meta[key])
		}
	}
	build := func(classes, height, width int) (*model.Network, error) {
		return model.New(info.Arch, classes, height, width)
	}
	for _, a := range own {
		if a.Name == info.Arch {
			build = a.New
		}
	}
	n, err := build(len(info.Classes), info.Height, info.Width)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	s, err := fill(n, arrays)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return n, s, info, nil
}

// readAny tells PyTorch's files from safetensors by their first bytes.
func readAny(path string) (map[string]Array, map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	var head [8]byte
	n, _ := io.ReadFull(f, head[:])
	f.Close()
	if n == 8 && (string(head[:4]) == "PK\x03\x04" || head[0] == 0x80 && head[1] <= 5) && !(head[7] == 0 && head[6] == 0 && head[5] == 0) {
		arrays, err := ReadPyTorch(path)
		return arrays, nil, err
	}
	return ReadArrays(path)
}

// fill copies arrays in PyTorch's layout into a state of the network.
func fill(n *model.Network, arrays map[string]Array) (model.State, error) {
	s := n.Init(0)
	for _, t := range s {
		a, ok := arrays[t.Name]
		if !ok {
			return nil, fmt.Errorf("%s needs a tensor %s, there is none", n.Arch, t.Name)
		}
		if dims, _ := t.PyTorch(); !slices.Equal(dims, a.Dims) {
			return nil, fmt.Errorf("tensor %s: expected the shape %v, found %v", t.Name, dims, a.Dims)
		}
		t.SetPyTorch(a.Data)
	}
	return s, nil
}
