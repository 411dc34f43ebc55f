package runs

import "encoding/json"

// Content returns, as JSON, what a run found: the result without when, where and how fast it was made. Two runs of the
// same data, settings and version have the same content.
func (r *Result) Content() ([]byte, error) {
	c := *r
	c.Date, c.Command, c.Seconds, c.ImagesPerSecond, c.PeakMemory = "", "", nil, 0, 0
	c.Data.Path, c.Attacks = "", nil
	for _, a := range r.Attacks {
		own := *a
		own.Seconds = 0
		c.Attacks = append(c.Attacks, &own)
	}
	if r.Attack != nil {
		own := *r.Attack
		own.Seconds = 0
		c.Attack = &own
	}
	return json.Marshal(c)
}
