package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/unpoison/unpoison/internal/base/sysinfo"
	"github.com/unpoison/unpoison/model"
)

// Info is what a model file says about its network.
type Info struct {
	Arch    string
	Classes []string
	Height  int
	Width   int
	Guessed bool   // the file does not say the images' size: it is the network's usual one
	Depth   int    // bits that samples of 16 had in the images that it learnt from; 0: there were none, or nobody knows
	Version string // of unpoison
	// Normalize is what the network does to images before its first layer; nil: nothing.
	Normalize *model.Normalize
	// Weights says where in a PyTorch checkpoint of several networks of one kind the weights were, Others where else there
	// are some. Empty for files of one.
	Weights string
	Others  []string
}

// NumberClasses names the classes of a model made elsewhere, which has no names, by their numbers.
func (i *Info) NumberClasses(n *model.Network) {
	for c := len(i.Classes); c < n.Classes; c++ {
		i.Classes = append(i.Classes, strconv.Itoa(c))
	}
}

// SeesLike tells whether two networks do the same to images before their first layer.
func (i *Info) SeesLike(o *Info) bool {
	if i.Normalize == nil || o.Normalize == nil {
		return i.Normalize == o.Normalize
	}
	return *i.Normalize == *o.Normalize
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
	meta := described(info.Arch, string(classes), info.Height, info.Width, info.Depth, model.StemOf(s))
	meta["format"], meta["unpoison"] = "pt", info.Version
	if n := info.Normalize; n != nil {
		mean, err := json.Marshal(n.Mean)
		if err != nil {
			return err
		}
		std, err := json.Marshal(n.Std)
		if err != nil {
			return err
		}
		meta["mean"], meta["std"] = string(mean), string(std)
	}
	return WriteArrays(path, arrays, meta)
}

// described is the metadata of a model in any format: what it is, and what images it is for.
func described(arch, classes string, height, width, depth, stem int) map[string]string {
	meta := map[string]string{"architecture": arch, "classes": classes, "height": strconv.Itoa(height), "width": strconv.Itoa(width)}
	if depth > 0 {
		meta["depth"] = strconv.Itoa(depth)
	}
	if stem > 1 {
		meta["stem"] = strconv.Itoa(stem)
	}
	return meta
}

// Load reads a model file and its network: what Save wrote, safetensors of other programs, or a PyTorch
// checkpoint. Only Save's files name the classes; of others Info.Classes is empty. own are architectures of one's own that
// Save's files may name, beside those of package model. Weights that are not finite are refused.
func Load(path string, own ...*model.Architecture) (*model.Network, model.State, *Info, error) {
	return LoadWeights(path, "", own...)
}

// LoadWeights is Load with the place of the weights in a PyTorch checkpoint of several networks, such as ema; empty: the
// first of them.
func LoadWeights(path, weights string, own ...*model.Architecture) (*model.Network, model.State, *Info, error) {
	n, s, info, err := load(path, weights, own)
	if err == nil {
		err = s.Finite()
	}
	if err != nil && !strings.Contains(err.Error(), path) {
		err = fmt.Errorf("%s: %w", path, err)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	return n, s, info, nil
}

func load(path, weights string, own []*model.Architecture) (*model.Network, model.State, *Info, error) {
	torch, err := isPyTorch(path)
	if err != nil {
		return nil, nil, nil, err
	}
	if torch {
		return loadPyTorch(path, weights)
	}
	if weights != "" {
		return nil, nil, nil, fmt.Errorf("only PyTorch checkpoints have several sets of weights, there is no %q", weights)
	}
	if strings.EqualFold(filepath.Ext(path), ".onnx") {
		return nil, nil, nil, errors.New("ONNX is written, and not read: give the model.safetensors or the PyTorch checkpoint that it was made of")
	}
	f, err := openArrays(path)
	if err != nil {
		return nil, nil, nil, err
	}
	defer f.Close()
	if _, ok := f.meta["progress"]; ok {
		return nil, nil, nil, errors.New("expected a model, found the progress of a training, from which --resume goes on: a finished run has its model.safetensors beside it")
	}
	info := &Info{Arch: f.meta["architecture"], Version: f.meta["unpoison"]}
	var n *model.Network
	if info.Arch == "" {
		if n, err = recognise(f.tensors); err == nil {
			info.Arch, info.Height, info.Width, info.Guessed = n.Arch, n.Height, n.Width, true
		}
	} else {
		n, err = info.network(f, own)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	s, err := fill(n, f)
	return n, s, info, err
}

// network makes the network that metadata name, if the tensors are its own.
func (i *Info) network(f *arrayFile, own []*model.Architecture) (n *model.Network, err error) {
	if err := json.Unmarshal([]byte(f.meta["classes"]), &i.Classes); err != nil {
		return nil, fmt.Errorf("expected a list of class names, found %.100q", f.meta["classes"])
	}
	for key, v := range map[string]*int{"height": &i.Height, "width": &i.Width} {
		if *v, err = strconv.Atoi(f.meta[key]); err != nil || *v < 1 || *v > 4096 {
			return nil, fmt.Errorf("expected the input's %s, found %.20q", key, f.meta[key])
		}
	}
	if text := f.meta["depth"]; text != "" {
		if i.Depth, err = strconv.Atoi(text); err != nil || i.Depth < 8 || i.Depth > 16 {
			return nil, fmt.Errorf("expected 8 to 16 bits a sample, found %.20q", text)
		}
	}
	if i.Normalize, err = normalize(f.meta["mean"], f.meta["std"]); err != nil {
		return nil, err
	}
	// What evaluating a batch takes at least: its images, and the input and output of a layer of 16 channels.
	const batch, floats = 128, 3 + 2*16
	if err := sysinfo.Fits(batch*int64(i.Height)*int64(i.Width)*floats*4, fmt.Sprintf("%d images of %d×%d, which it is for,", batch, i.Width, i.Height), ""); err != nil {
		return nil, err
	}
	stem := 1
	if text := f.meta["stem"]; text != "" {
		if stem, err = strconv.Atoi(text); err != nil || stem < 1 || stem > max(i.Height, i.Width) {
			return nil, fmt.Errorf("expected the side of the stem's patches, found %.20q", text)
		}
	}
	build := func(classes, height, width int) (*model.Network, error) {
		return model.NewStem(i.Arch, classes, height, width, stem)
	}
	for _, a := range own {
		if a.Name == i.Arch {
			build = a.New
		}
	}
	if len(i.Classes) >= maxClasses {
		return nil, fmt.Errorf("%d classes, expected fewer than %d", len(i.Classes), maxClasses)
	}
	if n, err = build(len(i.Classes), i.Height, i.Width); err != nil {
		return nil, err
	}
	if wrong := misfits(n, f.tensors); len(wrong) > 0 {
		return nil, fmt.Errorf("the tensors are not those of %s for %d classes:\n  %s", i.Arch, n.Classes, few(wrong))
	}
	n.Normalize = i.Normalize
	return n, nil
}

// normalize reads what metadata say of each colour, [r,g,b] each; nil if they say nothing.
func normalize(mean, std string) (*model.Normalize, error) {
	if mean == "" && std == "" {
		return nil, nil
	}
	var m, s []float32
	if err := errors.Join(json.Unmarshal([]byte(mean), &m), json.Unmarshal([]byte(std), &s)); err != nil || len(m) != 3 || len(s) != 3 || slices.Min(s) <= 0 {
		return nil, fmt.Errorf("expected a mean and a positive deviation of three colours, found %.60q and %.60q", mean, std)
	}
	return &model.Normalize{Mean: [3]float32(m), Std: [3]float32(s)}, nil
}

// fill reads tensors in PyTorch's layout into a state of the network, which they fit, and compares them with the file's
// checksum.
func fill(n *model.Network, f *arrayFile) (model.State, error) {
	s := n.Init(0)
	arrays := map[string]Array{}
	for name, t := range f.tensors {
		if ours := s.Get(name); ours == nil && !HasChecksum(f.meta) {
			continue
		}
		data, err := t.read()
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		arrays[name] = Array{t.dims, data}
	}
	if err := verify(arrays, f.meta); err != nil {
		return nil, err
	}
	for _, t := range s {
		a := arrays[t.Name]
		if !slices.Equal(t.PyTorchDims(), a.Dims) {
			return nil, fmt.Errorf("tensor %s: expected the shape %v, found %v", t.Name, t.PyTorchDims(), a.Dims)
		}
		t.SetPyTorch(a.Data)
	}
	return s, nil
}

// isPyTorch tells PyTorch's files from safetensors, which begin with the length of a header in JSON.
func isPyTorch(path string) (bool, error) {
	f, err := openRegular(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var head [9]byte
	n, err := io.ReadFull(f, head[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return false, err
	}
	if n < 4 || string(head[:4]) == "PK\x03\x04" {
		return n >= 4, nil
	}
	short := head[4] == 0 && head[5] == 0 && head[6] == 0 && head[7] == 0 // as a header is, and no pickle
	return head[0] == 0x80 && head[1] <= 5 && !(short && head[8] == '{'), nil
}

// loadPyTorch reads a PyTorch checkpoint of a known network.
func loadPyTorch(path, weights string) (*model.Network, model.State, *Info, error) {
	f, err := openTorch(path, weights)
	if err != nil {
		return nil, nil, nil, err
	}
	defer f.Close()
	var n *model.Network
	var chosen *weightSet
	info := &Info{}
	var wrong error
	for k := range f.sets {
		w := &f.sets[k]
		if weights != "" && w.place != weights {
			continue
		}
		net, err := recognise(w.tensors)
		switch {
		case err != nil:
			if wrong == nil {
				wrong = err
			}
		case chosen == nil:
			n, chosen = net, w
		default:
			info.Others = append(info.Others, w.place)
		}
	}
	if chosen == nil {
		if wrong == nil {
			var places []string
			for _, w := range f.sets {
				places = append(places, w.place)
			}
			wrong = fmt.Errorf("there are no weights %q; there are %q", weights, places)
		}
		return nil, nil, nil, wrong
	}
	if len(info.Others) > 0 || weights != "" {
		info.Weights = chosen.place
	}
	info.Arch, info.Height, info.Width, info.Guessed = n.Arch, n.Height, n.Width, true
	known := tensors{}
	for _, t := range n.Spec() {
		known[t.Name] = chosen.tensors[t.Name]
	}
	arrays, err := known.all()
	if err != nil {
		return nil, nil, nil, err
	}
	s := n.Init(0)
	for _, t := range s {
		t.SetPyTorch(arrays[t.Name].Data)
	}
	return n, s, info, nil
}

// few joins up to eight lines.
func few(lines []string) string {
	if len(lines) > 8 {
		lines = append(slices.Clone(lines[:8]), fmt.Sprintf("and %d more", len(lines)-8))
	}
	return strings.Join(lines, "\n  ")
}
