package settings

import (
	"strings"
	"testing"
)

type thing struct {
	Name   string  `json:"name"`
	Share  float64 `json:"share,omitempty"`
	Deep   bool    `json:"deep_down"`
	Hidden int     `json:"-"`
}

func TestSet(t *testing.T) {
	v := thing{Share: 1}
	if err := Set("name=7 days,share=0.25,deep-down=true", &v); err != nil || v != (thing{"7 days", 0.25, true, 0}) {
		t.Errorf("%+v: %v", v, err)
	}
	if err := Set("name=7", &v); err != nil || v.Name != "7" {
		t.Errorf("a number as a name: %+v: %v", v, err)
	}
	for list, want := range map[string]string{
		"size=3": "name, share, deep_down", "share": "key=value", "share=many": "does not take", "hidden=1": "one of", "deep_down=2": "does not take",
	} {
		if err := Set(list, &v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, expected something about %q", list, err, want)
		}
	}
}
