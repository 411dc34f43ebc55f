// Package settings reads key=value lists into structs by their JSON names, and checks numbers against ranges in their tags.
package settings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
)

// Set changes fields of structs, given by pointers, as a list key=value,key=value says; a key goes to the first struct that
// has it, and may be given once. Hyphens in keys stand for underscores. A value is read as JSON where the field takes it, else as a string.
func Set(list string, into ...any) error {
	if list == "" {
		return nil
	}
	given := map[string]bool{}
	for _, item := range strings.Split(list, ",") {
		_, value, ok := strings.Cut(item, "=")
		key := Key(item)
		at := slices.IndexFunc(into, func(of any) bool { return slices.Contains(Names(of), key) })
		if !ok || at < 0 {
			return fmt.Errorf("setting %q, expected key=value with one of %s", item, strings.Join(Names(into...), ", "))
		}
		if given[key] {
			return fmt.Errorf("setting %q: %s is given twice", item, key)
		}
		given[key] = true
		quoted, err := json.Marshal(value)
		if err != nil {
			return err
		}
		if decode(key, json.RawMessage(value), into[at]) != nil && decode(key, quoted, into[at]) != nil {
			return fmt.Errorf("setting %q: %s does not take %q", item, key, value)
		}
	}
	return nil
}

// Key returns the name of the field that an item key=value sets.
func Key(item string) string {
	key, _, _ := strings.Cut(item, "=")
	return strings.ReplaceAll(strings.TrimSpace(key), "-", "_")
}

func decode(key string, value json.RawMessage, into any) error {
	raw, err := json.Marshal(map[string]json.RawMessage{key: value})
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// Names lists the keys of structs, given by pointers, in their order; those of an embedded struct stand in its place.
func Names(of ...any) []string {
	var names []string
	for _, v := range of {
		for f := range fields(reflect.ValueOf(v)) {
			names = append(names, f.name)
		}
	}
	return names
}

// Value is what a struct has under a key; nil if it has no such key.
func Value(of any, key string) any {
	for f := range fields(reflect.ValueOf(of)) {
		if f.name == key {
			return f.value.Interface()
		}
	}
	return nil
}

// field is one with a JSON name.
type field struct {
	name  string
	tag   reflect.StructTag
	value reflect.Value
}

// fields goes through those of a struct or of one that v points to, and of the structs embedded in it.
func fields(v reflect.Value) iter.Seq[field] {
	v = reflect.Indirect(v)
	return func(yield func(field) bool) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case name == "-":
			case name != "":
				if !yield(field{name, f.Tag, v.Field(i)}) {
					return
				}
			case f.Anonymous:
				for inner := range fields(v.Field(i)) {
					if !yield(inner) {
						return
					}
				}
			}
		}
	}
}
