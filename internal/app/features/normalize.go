package features

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/unpoison/unpoison/model"
)

// Normalize is what a network expects.
type Normalize = model.Normalize

// ParseNormalize reads imagenet, none or MEAN/STD, each a number or three with commas.
func ParseNormalize(text string) (Normalize, error) {
	switch text {
	case "imagenet": // as torchvision's networks and DINOv2 take them
		return Normalize{Mean: [3]float32{0.485, 0.456, 0.406}, Std: [3]float32{0.229, 0.224, 0.225}}, nil
	case "none":
		return Normalize{Std: [3]float32{1, 1, 1}}, nil
	}
	mean, std, ok := strings.Cut(text, "/")
	n := Normalize{}
	for _, p := range []struct {
		to   *[3]float32
		text string
	}{{&n.Mean, mean}, {&n.Std, std}} {
		parts := strings.Split(p.text, ",")
		ok = ok && (len(parts) == 1 || len(parts) == 3)
		for c := range p.to {
			v, err := strconv.ParseFloat(strings.TrimSpace(parts[c%len(parts)]), 32)
			ok = ok && err == nil && v-v == 0
			p.to[c] = float32(v)
		}
	}
	if !ok || n.Std[0] <= 0 || n.Std[1] <= 0 || n.Std[2] <= 0 {
		return n, fmt.Errorf("expected imagenet, none or MEAN/STD, such as 0.5/0.5 or 0.49,0.48,0.45/0.2,0.2,0.2, found %q", text)
	}
	return n, nil
}
