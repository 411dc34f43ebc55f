package work

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/unpoison/unpoison/distributed/internal/store"
)

// registered notes what a worker would do.
type registered struct {
	worker.Registry
	names []string
	takes map[reflect.Type]bool
	gives map[reflect.Type]bool
}

func (r *registered) note(name string, f any) {
	r.names = append(r.names, name)
	of := reflect.TypeOf(f)
	for k := 1; k < of.NumIn(); k++ { // after the context
		r.takes[of.In(k)] = true
	}
	for k := range of.NumOut() - 1 { // before the error
		r.gives[of.Out(k)] = true
	}
}

func (r *registered) RegisterWorkflowWithOptions(f any, o workflow.RegisterOptions) {
	r.note(o.Name, f)
}

func (r *registered) RegisterActivityWithOptions(f any, o activity.RegisterOptions) {
	r.note(o.Name, f)
}

func everything() *registered {
	r := &registered{takes: map[reflect.Type]bool{}, gives: map[reflect.Type]bool{}}
	w := &Worker{}
	w.register(r)
	w.registerParts(r)
	return r
}

// A worker does what has a name here, and nothing else.
func TestAWorkerDoesOnlyNamedThings(t *testing.T) {
	want := []string{
		"unpoison.audit", "unpoison.cell", "unpoison.cells", "unpoison.grid", "unpoison.lead", "unpoison.map", "unpoison.part", "unpoison.parts", "unpoison.some", "unpoison.step",
	}
	if got := slices.Sorted(slices.Values(everything().names)); !slices.Equal(got, want) {
		t.Errorf("a worker does %v, expected %v", got, want)
	}
}

// What passes through Temporal are keys, numbers and cells' names: no data, no paths, no commands.
func TestPayloadsAreKeys(t *testing.T) {
	r := everything()
	all := []reflect.Type{reflect.TypeFor[Progress](), reflect.TypeFor[beat]()}
	for of := range r.takes {
		all = append(all, of)
	}
	for of := range r.gives {
		all = append(all, of)
	}
	texts := map[string]bool{"Input.Cell": true, "Progress.Parts": true, "Doing.Doing": true, "Doing.Map": true} // names that are looked up, and words for people
	var check func(of reflect.Type, where string)
	check = func(of reflect.Type, where string) {
		switch {
		case of == reflect.TypeFor[store.Key](), of == reflect.TypeFor[time.Duration](), of.Kind() == reflect.Int, texts[where]:
		case of.Kind() == reflect.Slice:
			check(of.Elem(), where)
		case of.Kind() == reflect.Struct:
			for k := range of.NumField() {
				f := of.Field(k)
				check(f.Type, of.Name()+"."+f.Name)
			}
		case where == "list of names": // of cells, from an object of the store
		default:
			t.Errorf("%s is a %s", where, of)
		}
	}
	for _, of := range all {
		where := of.String()
		if of == reflect.TypeFor[[]string]() {
			where = "list of names"
		}
		check(of, where)
	}
}
