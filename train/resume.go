package train

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/internal/base/engines"
	"github.com/unpoison/unpoison/internal/base/version"
)

// part is the checkpoint of a run within another.
type part struct {
	name   string
	arrays map[string]checkpoint.Array
	saved  saved
}

// ProgressFile is the checkpoint's name in a run's folder.
const ProgressFile = "checkpoint.safetensors"

type saved struct {
	Version string             `json:"version"` // of unpoison
	Digest  string             `json:"digest"`
	Done    []string           `json:"done"`
	Stage   string             `json:"stage"`
	Pos     Position           `json:"position"`
	Seconds map[string]float64 `json:"seconds"`
	Engines []string           `json:"engines"`
	Log     int64              `json:"log"`
	// Values are those of Run.Put.
	Values map[string]json.RawMessage `json:"values,omitempty"`
	// Part is the run within this one that has begun, PartName its name.
	Part     *saved `json:"part,omitempty"`
	PartName string `json:"part_name,omitempty"`
}

// ofPart begins the names of the arrays of a run within another.
const ofPart = "part."

// ErrVersion is Start's error for a checkpoint that another version of this program left.
var ErrVersion = errors.New("was written by version")

// ErrOther is Start's error for a checkpoint of another training.
var ErrOther = errors.New("belongs to a training with other data, class names or settings")

// Start gives the run a fresh network, or the one of a checkpoint in its folder, or of the run that it is within, if resume is set.
// It reports whether there was one.
func (r *Run) Start(resume bool) (resumed bool, err error) {
	engine := engines.Describe(r.Backend)
	r.State, r.Engines = r.Network.Init(r.Seed), []string{engine}
	r.Arrays, r.Seconds, r.values = map[string][]float32{}, map[string]float64{}, map[string]json.RawMessage{}
	if r.Within != nil {
		p := r.Within.part
		if !resume || p == nil || p.name != r.Name {
			return false, nil
		}
		return true, r.restore("the checkpoint of "+r.Name, p.arrays, p.saved)
	}
	path := filepath.Join(r.Folder, ProgressFile)
	if _, err := os.Stat(path); r.Folder == "" || !resume || errors.Is(err, os.ErrNotExist) {
		if r.Rewind != nil {
			return false, r.Rewind(0)
		}
		return false, nil
	}
	arrays, meta, err := checkpoint.ReadArrays(path)
	if err != nil {
		return false, err
	}
	var s saved
	if err := json.Unmarshal([]byte(meta["progress"]), &s); err != nil {
		return false, fmt.Errorf("%s: expected a training's progress, found %.100q", path, meta["progress"])
	}
	if !checkpoint.HasChecksum(meta) || s.Version != version.Number {
		return false, fmt.Errorf("%s %w %s, this is %s: finish it with that one, or leave out --resume and use another --out to start over", path, ErrVersion, cmp.Or(s.Version, "0.1 or older"), version.Number)
	}
	if s.Digest != r.Digest {
		return false, fmt.Errorf("%s %w%s; use another --out", path, ErrOther, differs(s.Digest, r.Digest))
	}
	if err := r.restore(path, arrays, s); err != nil {
		return false, err
	}
	if len(s.Engines) == 0 || s.Engines[len(s.Engines)-1] != engine {
		r.Engines = append(r.Engines, engine)
	}
	if r.Rewind != nil {
		return true, r.Rewind(s.Log)
	}
	return true, nil
}

// differs says what the digests of two trainings, that of the data and JSON of the rest, first differ in, if it can be told.
func differs(was, is string) string {
	parse := func(digest string) (data string, rest []any) {
		at := strings.IndexByte(digest, '[')
		if at < 0 || json.Unmarshal([]byte(digest[at:]), &rest) != nil {
			return digest, nil
		}
		return digest[:at], rest
	}
	dataWas, restWas := parse(was)
	dataIs, restIs := parse(is)
	switch {
	case restWas == nil || restIs == nil:
		return ""
	case dataWas != dataIs:
		return ": the images or their labels are others"
	}
	var key string
	var a, b any
	for k, of := range []string{"recipe", "class"} { // as Start has them
		if k < len(restWas) && k < len(restIs) && key == "" && !reflect.DeepEqual(restWas[k], restIs[k]) {
			key, a, b = firstOther(of, restWas[k], restIs[k])
		}
	}
	if key == "" {
		key, a, b = firstOther("what it starts from or looks for", restWas, restIs)
		switch was := a.(type) {
		case string:
			if len(was) >= 64 { // a digest, which tells nobody anything
				return ": the features, or the model that it starts from, are others"
			}
		case []any:
			return ": it starts from, or looks for, something else"
		}
	}
	show := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil || v == nil {
			return "none"
		}
		return fmt.Sprintf("%.60s", raw)
	}
	return fmt.Sprintf(": %s was %s and is %s", key, show(a), show(b))
}

// firstOther returns the first key of JSON values, below one, at which they differ, and what is there.
func firstOther(key string, a, b any) (name string, was, is any) {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			break
		}
		all := maps.Clone(x)
		maps.Copy(all, y)
		for _, k := range slices.Sorted(maps.Keys(all)) {
			if !reflect.DeepEqual(x[k], y[k]) {
				return firstOther(k, x[k], y[k])
			}
		}
	case []any:
		y, ok := b.([]any)
		for k := range x {
			if ok && k < len(y) && !reflect.DeepEqual(x[k], y[k]) {
				return firstOther(key, x[k], y[k])
			}
		}
	}
	return key, a, b
}

// restore takes over what a checkpoint holds.
func (r *Run) restore(path string, arrays map[string]checkpoint.Array, s saved) error {
	for _, t := range r.State {
		a, ok := arrays["state."+t.Name]
		if !ok || len(a.Data) != len(t.Data) {
			return fmt.Errorf("%s: tensor %s is missing or of another size", path, t.Name)
		}
		copy(t.Data, a.Data)
	}
	for k := 0; ; k++ {
		a, ok := arrays["momentum."+strconv.Itoa(k)]
		if !ok {
			break
		}
		r.momenta = append(r.momenta, a.Data)
	}
	if s.Part != nil {
		r.part = &part{s.PartName, map[string]checkpoint.Array{}, *s.Part}
	}
	for name, a := range arrays {
		if rest, ok := strings.CutPrefix(name, "array."); ok {
			r.Arrays[rest] = a.Data
		}
		if rest, ok := strings.CutPrefix(name, ofPart); ok && r.part != nil {
			r.part.arrays[rest] = a
		}
	}
	if a, ok := arrays["epoch_losses"]; ok {
		if r.Data != nil && len(a.Data) != r.Data.Len() {
			return fmt.Errorf("%s: losses of %d images, expected %d", path, len(a.Data), r.Data.Len())
		}
		r.losses = a.Data
	}
	r.done, r.pos, r.stage, r.Seconds = s.Done, s.Pos, s.Stage, s.Seconds
	if r.Seconds == nil {
		r.Seconds = map[string]float64{}
	}
	if s.Values != nil {
		r.values = s.Values
	}
	r.Engines = s.Engines
	return nil
}

// Finish ends a run within another: its checkpoint is dropped.
func (r *Run) Finish() { r.Within.part = nil }

// Forget drops what a run of a name within this one has saved, so that the next one of that name starts over.
func (r *Run) Forget(name string) {
	if r.part != nil && r.part.name == name {
		r.part = nil
	}
}

func (r *Run) save() error {
	if r.Within != nil {
		arrays, s := r.snapshot()
		r.Within.part = &part{r.Name, arrays, s}
		return r.Within.Save()
	}
	if r.Folder == "" {
		return nil
	}
	arrays, s := r.snapshot()
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return checkpoint.WriteArrays(filepath.Join(r.Folder, ProgressFile), arrays, map[string]string{"progress": string(raw)})
}

// snapshot is what a checkpoint holds.
func (r *Run) snapshot() (map[string]checkpoint.Array, saved) {
	arrays := map[string]checkpoint.Array{}
	for _, t := range r.State {
		arrays["state."+t.Name] = checkpoint.Array{Dims: t.Dims, Data: t.Data}
	}
	for k, m := range r.momenta {
		arrays["momentum."+strconv.Itoa(k)] = checkpoint.Array{Dims: []int{len(m)}, Data: m}
	}
	for name, a := range r.Arrays {
		arrays["array."+name] = checkpoint.Array{Dims: []int{len(a)}, Data: a}
	}
	if r.losses != nil {
		arrays["epoch_losses"] = checkpoint.Array{Dims: []int{len(r.losses)}, Data: r.losses}
	}
	s := saved{Version: version.Number, Digest: r.Digest, Done: r.done, Stage: r.stage, Pos: r.pos, Seconds: r.Seconds, Engines: r.Engines, Values: r.values}
	if r.Log != nil {
		s.Log = r.Log()
	}
	if r.part != nil {
		for name, a := range r.part.arrays {
			arrays[ofPart+name] = a
		}
		s.Part, s.PartName = &r.part.saved, r.part.name
	}
	return arrays, s
}

// Put keeps a value under a name, as JSON, from the next checkpoint on: what a stage found that is no tensor.
// Numbers keep all their digits; what JSON has no word for, such as NaN, is an error. A second value of the
// same name replaces the first.
func (r *Run) Put(name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("keeping %q: %w", name, err)
	}
	if r.values == nil {
		r.values = map[string]json.RawMessage{}
	}
	r.values[name] = raw
	return nil
}

// Get reads the value of a name into v, a pointer, and reports whether there was one.
func (r *Run) Get(name string, v any) (bool, error) {
	raw, ok := r.values[name]
	if !ok {
		return false, nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return true, fmt.Errorf("%q was kept as %.100s, which is no %T: %w", name, raw, v, err)
	}
	return true, nil
}
