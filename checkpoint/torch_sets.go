package checkpoint

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/unpoison/unpoison/internal/base/pickle"
)

// weightSet is the tensors of a network in a checkpoint, and its place: the keys that lead to it, joined by dots.
type weightSet struct {
	place   string
	objects map[string]*pickle.Object
	tensors tensors
}

// maxVisits bounds how many values of a pickle are looked at: one that is there once may be in many places.
const maxVisits = 1_000_000

var errTangled = fmt.Errorf("values in values, more than %d in all", maxVisits)

// finder looks for tensors in what a checkpoint holds.
type finder struct {
	sets   []weightSet
	seen   map[any]bool
	visits int
}

// collect returns the sets of tensors in the order in which they are found, without those that have less than half as many
// tensors as another one: an optimizer's, a scheduler's. The set at the place that weights names stays.
func collect(v any, find storages, weights string) ([]weightSet, error) {
	f := &finder{seen: map[any]bool{}}
	f.look(v, "", 0)
	if f.visits > maxVisits {
		return nil, errTangled
	}
	if len(f.sets) == 0 {
		return nil, errors.New("expected a PyTorch checkpoint with a state_dict, found no tensors")
	}
	most := 0
	for _, s := range f.sets {
		most = max(most, len(s.objects))
	}
	f.sets = slices.DeleteFunc(f.sets, func(s weightSet) bool {
		return 2*len(s.objects) < most && (weights == "" || s.place != weights)
	})
	var problem error
	var good []weightSet
	for _, s := range f.sets {
		if err := s.describe(find); err != nil {
			problem = cmp.Or(problem, err)
			continue
		}
		good = append(good, s)
	}
	if len(good) == 0 {
		return nil, problem
	}
	return good, nil
}

func (s *weightSet) describe(find storages) error {
	s.tensors = tensors{}
	for name, o := range s.objects {
		t, n, end, err := describe(o)
		if err != nil {
			return fmt.Errorf("tensor %.100q: %w", name, err)
		}
		short := unwrapped(name)
		if _, twice := s.tensors[short]; twice {
			return fmt.Errorf("two tensors are called %.100q", short)
		}
		x := tensor{count: n, dims: make([]int, len(t.size)), read: func() ([]float32, error) { return t.read(n, end, find) }}
		for i, d := range t.size {
			x.dims[i] = int(d)
		}
		s.tensors[short] = x
	}
	return nil
}

func (f *finder) visit(v any) bool {
	if f.visits++; f.visits > maxVisits || f.seen[v] {
		return false
	}
	f.seen[v] = true
	return true
}

func (f *finder) look(v any, place string, depth int) {
	if depth > 32 || f.visits > maxVisits {
		return
	}
	switch x := v.(type) {
	case *pickle.Dict:
		if f.visit(x) {
			f.dict(x, place, depth)
		}
	case *pickle.Object:
		if !f.visit(x) {
			return
		}
		found := map[string]*pickle.Object{}
		f.module(x, "", found, 0)
		f.add(place, found)
		if len(found) == 0 {
			f.look(x.State, place, depth+1)
			f.dict(&x.Dict, place, depth)
		}
	}
}

func (f *finder) add(place string, found map[string]*pickle.Object) {
	if len(found) > 0 {
		f.sets = append(f.sets, weightSet{place: place, objects: found})
	}
}

func (f *finder) dict(d *pickle.Dict, place string, depth int) {
	found := map[string]*pickle.Object{}
	var deeper []int
	for i, k := range d.Keys {
		name, ok := k.(string)
		if o := tensorOf(d.Values[i]); ok && o != nil {
			found[name] = o
		} else {
			deeper = append(deeper, i)
		}
	}
	f.add(place, found)
	for _, i := range deeper {
		name, _ := d.Keys[i].(string)
		f.look(d.Values[i], strings.TrimPrefix(place+"."+name, "."), depth+1)
	}
}

// module collects a pickled module's tensors.
func (f *finder) module(o *pickle.Object, prefix string, into map[string]*pickle.Object, depth int) {
	state, ok := o.State.(*pickle.Dict)
	if f.visits++; !ok || depth > 32 || f.visits > maxVisits {
		return
	}
	f.visits += len(state.Keys) // which are gone through
	for _, kind := range []string{"_parameters", "_buffers"} {
		if d, ok := state.Get(kind).(*pickle.Dict); ok {
			for i, k := range d.Keys {
				f.visits++
				if name, ok := k.(string); ok {
					if t := tensorOf(d.Values[i]); t != nil {
						into[prefix+name] = t
					}
				}
			}
		}
	}
	if d, ok := state.Get("_modules").(*pickle.Dict); ok {
		for i, k := range d.Keys {
			if sub, ok := d.Values[i].(*pickle.Object); ok {
				if name, ok := k.(string); ok {
					f.module(sub, prefix+name+".", into, depth+1)
				}
			}
		}
	}
}

// tensorOf returns the call that rebuilds a tensor, seen through a parameter's, or nil.
func tensorOf(v any) *pickle.Object {
	for range 4 {
		o, ok := v.(*pickle.Object)
		if !ok || o.Class.Module != "torch._utils" || len(o.Args) == 0 {
			return nil
		}
		if strings.HasPrefix(o.Class.Name, "_rebuild_tensor") {
			return o
		}
		v = o.Args[0] // _rebuild_parameter
	}
	return nil
}

// eachStorage visits all storages that a value refers to, with the bytes of an element.
func eachStorage(v any, visit func(key string, width int64)) error {
	seen := map[any]bool{}
	visits := 0
	var look func(v any) error
	look = func(v any) error {
		if visits++; visits > maxVisits {
			return errTangled
		}
		var inside []any
		switch x := v.(type) {
		case pickle.Persistent:
			if key, kind, _, err := storageOf(x); err == nil {
				visit(key, int64(widths[kind]))
			}
		case pickle.Tuple:
			inside = x
		case *pickle.List:
			if !seen[x] {
				seen[x] = true
				inside = x.Items
			}
		case *pickle.Dict:
			if !seen[x] {
				seen[x] = true
				inside = append(append(inside, x.Keys...), x.Values...)
			}
		case *pickle.Object:
			if !seen[x] {
				seen[x] = true
				inside = append(append(append(inside, x.Args...), x.State), x.Dict.Values...)
			}
		}
		for _, v := range inside {
			if err := look(v); err != nil {
				return err
			}
		}
		return nil
	}
	return look(v)
}
