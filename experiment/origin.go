package experiment

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/internal/app/runs"
)

// origin identifies the data that the grid reads: its training and its test images.
func (r *Runner) origin() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.from == "" {
		text := r.data.Train.Digest()
		if r.data.Test != nil {
			text += " " + r.data.Test.Digest()
		}
		sum := sha256.Sum256([]byte(text))
		r.from = "sha256:" + hex.EncodeToString(sum[:])
	}
	return r.from
}

// ofThisData reports whether a result is of the data that the grid reads. Version 0.1 did not note what an attack had
// changed before the digest was taken: such a result is taken for one.
func (r *Runner) ofThisData(c Cell, res *runs.Result) bool {
	switch {
	case res.Data.Origin != "":
		return res.Data.Origin == r.origin()
	case c.Attack == "none" && c.Vary == "" && res.Data.Digest != "":
		return res.Data.Digest == r.data.Train.Digest()
	}
	return true
}

// checkOrigin refuses a cell that was finished on other data.
func (r *Runner) checkOrigin(c Cell) error {
	if !r.known(c) {
		return nil
	}
	if res := r.result(c); res != nil && !r.ofThisData(c, res) {
		return fmt.Errorf("cell %s was run on other data than %s holds now: choose another --out and --keep, or delete the cell", c.Name(), r.Grid.Data)
	}
	return nil
}

// earlier says how many of the cells that searched did so in an earlier way, whose figures may be others.
func (r *Runner) earlier() string {
	n, all := 0, 0
	for _, c := range r.Grid.Cells() {
		if res := r.result(c); res != nil && res.Verdict != nil {
			all++
			n += stat.Bit(res.Earlier())
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" Measured under earlier searches: %d of %d cells.", n, all)
}
