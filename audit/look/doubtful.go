package look

import "fmt"

// doubtfulKey is the name of the carriers of evidence that can't tell, in a run's checkpoint.
func doubtfulKey(e Evidence) string { return fmt.Sprintf("doubtful.%s.%d", e.Look, e.Label) }

// doubt keeps the carriers of evidence that can't tell. They are no suspects, but people want to see them, and Settle asks of them.
func (c *Case) doubt(e Evidence) {
	if e.Says != CantTell || e.Carriers == nil {
		return
	}
	var own []float32
	for i, p := range e.Carriers {
		if int(c.Data.Labels[i]) == e.Label {
			own = append(own, p)
		} else if p >= 0 { // it was asked of other labels' images too
			own = e.Carriers
			break
		}
	}
	c.run.Arrays[doubtfulKey(e)] = own
}

// Carriers returns evidence's carriers, one for each image; nil if it has none.
func (c *Case) Carriers(e Evidence) []float32 {
	if e.Carriers != nil || e.Own == nil {
		return e.Carriers
	}
	all, k := c.Unasked(), 0
	for i, y := range c.Data.Labels {
		if int(y) == e.Label && k < len(e.Own) {
			all[i] = e.Own[k]
			k++
		}
	}
	return all
}

// doubted returns the carriers that doubt kept of evidence, one for each image; nil for none.
func (c *Case) doubted(e Evidence) []float32 {
	if e.Own = c.run.Arrays[doubtfulKey(e)]; len(e.Own) == c.Data.Len() {
		return e.Own
	}
	return c.Carriers(e)
}

// Doubtful is each image's probability of being planted, the highest by all evidence that can't tell; 0 where none speaks of its
// label. Nil if there is no such evidence.
func (c *Case) Doubtful() []float32 {
	var all []float32
	for _, e := range c.saved.Evidence {
		if e.Says != CantTell {
			continue
		}
		carriers := c.doubted(e)
		if all == nil && carriers != nil {
			all = make([]float32, c.Data.Len())
		}
		for i, p := range carriers {
			if int(c.Data.Labels[i]) == e.Label {
				all[i] = max(all[i], p)
			}
		}
	}
	return all
}
