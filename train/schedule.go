package train

import (
	"fmt"
	"math"
	"strings"
)

// Schedule gives the learning rate at a point of a phase, from 0 to 1.
type Schedule func(progress float64) float64

// Constant keeps the rate.
func Constant(rate float64) Schedule { return func(float64) float64 { return rate } }

// StepDown divides the rate by 10 at each of the given points.
func StepDown(rate float64, at ...float64) Schedule {
	return func(p float64) float64 {
		r := rate
		for _, a := range at {
			if p >= a {
				r /= 10
			}
		}
		return r
	}
}

// Cosine falls from rate to 0 along half a cosine.
func Cosine(rate float64) Schedule {
	return func(p float64) float64 { return rate * (1 + math.Cos(math.Pi*min(1, p))) / 2 }
}

// OneCycle rises from a tenth of the rate over the first share of warm, then falls to 0 in a line.
func OneCycle(rate, warm float64) Schedule {
	return func(p float64) float64 {
		if p < warm {
			return rate * (0.1 + 0.9*p/warm)
		}
		return rate * max(0, 1-p) / (1 - warm)
	}
}

// Schedules returns the names that ScheduleNamed takes.
func Schedules() []string { return []string{"constant", "step", "cosine", "one-cycle"} }

// ScheduleNamed returns the schedule of a name.
func ScheduleNamed(name string, rate float64) (Schedule, error) {
	switch name {
	case "constant":
		return Constant(rate), nil
	case "step":
		return StepDown(rate, 0.5, 0.75), nil
	case "cosine":
		return Cosine(rate), nil
	case "one-cycle":
		return OneCycle(rate, 0.2), nil
	}
	return nil, fmt.Errorf("no schedule %q; there are %s", name, strings.Join(Schedules(), ", "))
}
