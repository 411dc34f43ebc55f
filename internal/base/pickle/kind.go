package pickle

import "fmt"

// Kind is what errors call a value of a kind that is not expected.
func Kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool, int64, float64:
		return fmt.Sprintf("the value %v", v)
	case string:
		return "text"
	case []byte, Located:
		return "bytes"
	case *List:
		return "a list"
	case Tuple:
		return "a tuple"
	case *Dict:
		return "a dictionary"
	case Global:
		return fmt.Sprintf("the name %s.%s", v.Module, v.Name)
	case *Object:
		return fmt.Sprintf("a value of %s.%s", v.Class.Module, v.Class.Name)
	}
	return "something else"
}
