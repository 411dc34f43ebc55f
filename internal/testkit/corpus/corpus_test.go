package corpus

import (
	"reflect"
	"testing"
)

func TestParse(t *testing.T) {
	got, err := parse("go test fuzz v1\n[]byte(\"a)\\x00\\\"\\xff\")\nbyte('\\u0081')\n")
	if want := []any{[]byte("a)\x00\"\xff"), byte(0x81)}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q: %v", got, err)
	}
	for _, text := range []string{"", "go test fuzz v2\nbyte('a')", "go test fuzz v1\nint(3)", "go test fuzz v1\n[]byte(\"a)"} {
		if _, err := parse(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
