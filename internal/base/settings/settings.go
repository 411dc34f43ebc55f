// Package settings reads key=value lists into structs by their JSON names, and checks numbers against ranges in their tags.
package settings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Set changes fields of *into, a struct, as a list key=value,key=value says. Hyphens in keys stand for
// underscores. A value is read as JSON where the field takes it, else as a string.
func Set(list string, into any) error {
	if list == "" {
		return nil
	}
	for _, item := range strings.Split(list, ",") {
		_, value, ok := strings.Cut(item, "=")
		key := Key(item)
		if names := Names(into); !ok || !slices.Contains(names, key) {
			return fmt.Errorf("setting %q, expected key=value with one of %s", item, strings.Join(names, ", "))
		}
		quoted, err := json.Marshal(value)
		if err != nil {
			return err
		}
		if decode(key, json.RawMessage(value), into) != nil && decode(key, quoted, into) != nil {
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

// Names lists the keys of a struct, given by a pointer, in its order, with those of embedded ones.
func Names(of any) []string {
	t := reflect.TypeOf(of).Elem()
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}
