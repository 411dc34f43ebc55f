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
		"share=1,name=x,share=1": "share is given twice", "deep-down=true,deep_down=false": "deep_down is given twice",
	} {
		if err := Set(list, &v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, expected something about %q", list, err, want)
		}
	}
}

type outer struct {
	First int `json:"first"`
	Inner
	Last int `json:"last"`
}

// Inner is embedded.
type Inner struct {
	Width float64 `json:"width" range:"(0,)"`
}

func TestSeveralAndEmbeddedStructs(t *testing.T) {
	a, b := thing{}, outer{}
	if err := Set("width=2,share=0.5,last=3", &a, &b); err != nil || a.Share != 0.5 || b.Width != 2 || b.Last != 3 {
		t.Errorf("%+v %+v: %v", a, b, err)
	}
	if got := strings.Join(Names(&a, &b), " "); got != "name share deep_down first width last" {
		t.Errorf("the names are %s", got)
	}
	b.Width = 0
	if err := Check(&b); err == nil || !strings.Contains(err.Error(), "width 0") {
		t.Errorf("an embedded field is checked: %v", err)
	}
}

// FuzzSet gives a list of settings. What is taken are the struct's own fields.
func FuzzSet(f *testing.F) {
	f.Add("rate=0.5,name=x,on=true")
	f.Add("rate=1e999,list=[1,2],on=\"\"")
	f.Fuzz(func(t *testing.T, list string) {
		var s struct {
			Rate float64 `json:"rate" range:"[0,1]"`
			Name string  `json:"name"`
			On   bool    `json:"on"`
			List []int   `json:"list"`
		}
		if Set(list, &s) == nil && Check(s) == nil && !(s.Rate >= 0 && s.Rate <= 1) {
			t.Errorf("%q: %+v", list, s)
		}
	})
}
