package look

// leastShare keeps the ratio of two measures finite.
const leastShare = 1e-3

// AtLeast is a measure as a share of what it is to be at least, and AtMost that of what it may be at most: 1 where it is just met.
func AtLeast(measure, limit float64) float64 { return max(measure, 0) / limit }

// AtMost is the inverse share. A measure of nothing meets a limit of nothing.
func AtMost(measure, limit float64) float64 {
	if limit <= 0 && measure <= 0 {
		return 1
	}
	return limit / max(measure, leastShare*limit)
}

// Weighed is the strength with what was asked of the suspects after the look: whether their labels contradict what they show, or else
// whether their pattern moves other images to the label. A verdict is as strong as its strongest evidence.
func (e Evidence) Weighed() float64 {
	switch {
	case e.Moved != nil:
		return min(e.Strength, AtLeast(e.Moved.After-e.Moved.Before, moves))
	case e.Right != nil:
		return min(e.Strength, AtMost(e.Right.Suspects, contradicted*e.Right.Rest))
	}
	return e.Strength
}
