package store

import "sync/atomic"

// Counts are the requests that a store was sent, and the bytes of their bodies.
type Counts struct{ head, get, put, sent, received atomic.Int64 }

// Requests returns how many there were so far, and the bytes sent and received.
func (s *Store) Requests() (requests, sent, received int64) {
	c := &s.count
	return c.head.Load() + c.get.Load() + c.put.Load(), c.sent.Load(), c.received.Load()
}
