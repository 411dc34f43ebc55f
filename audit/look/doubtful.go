package look

import "fmt"

// doubtfulKey is the name of the carriers of evidence that can't tell, in a run's checkpoint.
func doubtfulKey(e Evidence) string { return fmt.Sprintf("doubtful.%s.%d", e.Look, e.Label) }

// doubt keeps the carriers of evidence that can't tell. They are no suspects, but people want to see them, and Settle asks of them.
func (c *Case) doubt(e Evidence) {
	if e.Says == CantTell && e.Carriers != nil {
		c.run.Arrays[doubtfulKey(e)] = e.Carriers
	}
}

// Doubtful is each image's probability of being planted, the highest by all evidence that can't tell; 0 where none speaks of its
// label. Nil if there is no such evidence.
func (c *Case) Doubtful() []float32 {
	var all []float32
	for _, e := range c.saved.Evidence {
		carriers := c.run.Arrays[doubtfulKey(e)]
		if e.Says != CantTell || carriers == nil {
			continue
		}
		if all == nil {
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
