package settings

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// Check reports the first number in a struct, or in one that a pointer is given to, that lies outside of the interval of
// its field's tag: range:"[0,1)" is from 0 to less than 1, range:"(0,)" more than 0. Numbers that are none, or infinite, are
// refused in every field with a JSON name.
func Check(of any) error {
	for f := range fields(reflect.ValueOf(of)) {
		var x float64
		switch {
		case f.value.CanFloat():
			x = f.value.Float()
		case f.value.CanInt():
			x = float64(f.value.Int())
		default:
			continue
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("%s %g, expected a number", f.name, x)
		}
		if limits := f.tag.Get("range"); limits != "" {
			if in, want := within(x, limits); !in {
				return fmt.Errorf("%s %v, expected %s", f.name, f.value, want)
			}
		}
	}
	return nil
}

// within tells whether x lies in an interval, and what that is in words. A field whose interval can't be read is a mistake
// in the program.
func within(x float64, interval string) (in bool, words string) {
	low, high, _ := strings.Cut(interval[1:len(interval)-1], ",")
	a, err := strconv.ParseFloat(low, 64)
	if err != nil {
		panic(fmt.Sprintf("range %q: %v", interval, err))
	}
	more, less := interval[0] == '(', interval[len(interval)-1] == ')'
	in = x > a || x == a && !more
	if words = low + " or more"; more {
		words = "more than " + low
	}
	if high == "" {
		return in, words
	}
	b, err := strconv.ParseFloat(high, 64)
	if err != nil {
		panic(fmt.Sprintf("range %q: %v", interval, err))
	}
	switch {
	case more && less:
		words += " and less than " + high
	case more:
		words += " and up to " + high
	case less:
		words = "from " + low + " to less than " + high
	default:
		words = "from " + low + " to " + high
	}
	return in && (x < b || x == b && !less), words
}
