package settings

import (
	"math"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	type ranges struct {
		Steps int     `json:"steps" range:"[2,)"`
		Rate  float64 `json:"rate,omitempty" range:"(0,)"`
		Share float64 `json:"share" range:"(0,1)"`
		Part  float64 `json:"part" range:"[0,0.5)"`
		Most  float32 `json:"most" range:"(0,1]"`
		Loss  float64 `json:"loss" range:"[-1,1]"`
		Any   float64 `json:"any"`
		Name  string  `json:"name"`
		Own   float64 `json:"-" range:"[5,)"`
	}
	good := ranges{Steps: 2, Rate: 1e-9, Share: 0.5, Part: 0, Most: 1, Loss: -1, Any: -7}
	if err := Check(good); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*ranges){
		"steps 1, expected 2 or more":                   func(r *ranges) { r.Steps = 1 },
		"rate 0, expected more than 0":                  func(r *ranges) { r.Rate = 0 },
		"share 1, expected more than 0 and less than 1": func(r *ranges) { r.Share = 1 },
		"share 0, expected more than 0 and less than 1": func(r *ranges) { r.Share = 0 },
		"part 0.5, expected from 0 to less than 0.5":    func(r *ranges) { r.Part = 0.5 },
		"part -0.5, expected from 0 to less than 0.5":   func(r *ranges) { r.Part = -0.5 },
		"most 1.5, expected more than 0 and up to 1":    func(r *ranges) { r.Most = 1.5 },
		"loss 1.01, expected from -1 to 1":              func(r *ranges) { r.Loss = 1.01 },
		"any NaN, expected a number":                    func(r *ranges) { r.Any = math.NaN() },
		"rate +Inf, expected a number":                  func(r *ranges) { r.Rate = math.Inf(1) },
		"steps -1, expected 2 or more":                  func(r *ranges) { r.Steps, r.Any = -1, math.NaN() },
	} {
		r := good
		change(&r)
		if err := Check(r); err == nil || err.Error() != want {
			t.Errorf("%q, expected %q", err, want)
		}
	}
	defer func() {
		if p := recover(); p == nil || !strings.Contains(p.(string), "few") {
			t.Errorf("an interval that is none: %v", p)
		}
	}()
	_ = Check(struct {
		X int `json:"x" range:"[few,)"`
	}{})
}
