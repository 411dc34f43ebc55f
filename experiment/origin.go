package experiment

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/internal/app/runs"
)

// identify digests the data that the grid reads: its training images, and all of it.
func identify(ctx context.Context, d *dataset.Data) (trained, all string, err error) {
	if trained, err = d.Train.DigestUntil(ctx); err != nil {
		return "", "", err
	}
	text := trained
	if d.Test != nil {
		test, err := d.Test.DigestUntil(ctx)
		if err != nil {
			return "", "", err
		}
		text += " " + test
	}
	sum := sha256.Sum256([]byte(text))
	return trained, "sha256:" + hex.EncodeToString(sum[:]), nil
}

// ofThesePictures reports whether a result's attacks had the pictures that their settings name now. Results of earlier versions don't
// say which, and pictures that are gone are not asked for.
func (r *Runner) ofThesePictures(c Cell, res *runs.Result) bool {
	all, err := r.Grid.attack(c.Attack, c.Seed)
	if err != nil || len(all) != len(res.Attacks) {
		return true
	}
	for k, a := range all {
		if now, err := a.Pictures(); err == nil && res.Attacks[k].Pictures != "" && now != res.Attacks[k].Pictures {
			return false
		}
	}
	return true
}

// ofThisData reports whether a result is of the data that the grid reads, and of its attacks' pictures. Version 0.1 did not note what an
// attack had changed before the digest was taken: such a result is taken for one.
func (r *Runner) ofThisData(c Cell, res *runs.Result) bool {
	switch {
	case !r.ofThesePictures(c, res):
		return false
	case res.Data.Origin != "":
		return res.Data.Origin == r.from
	case c.Attack == "none" && c.Vary == "" && res.Data.Digest != "":
		return res.Data.Digest == r.trained
	}
	return true
}

// ofThisPretrained reports whether a result started from the network that lies in the grid's file of one now. Results of earlier versions
// don't say which, and a file that is gone is not asked for.
func (r *Runner) ofThisPretrained(c Cell, res *runs.Result) bool {
	if filepath.Ext(r.Grid.Pretrain) != pretrainedExt || c.Defense != string(runs.Unlearning("ft-pretrained")) || res.Repair == nil || res.Repair.From == "" {
		return true
	}
	_, state, _, err := checkpoint.Load(r.Grid.Pretrain)
	return err != nil || state.Digest() == res.Repair.From
}

// checkOrigin refuses a cell that was finished on other data.
func (r *Runner) checkOrigin(c Cell) error {
	if !r.known(c) {
		return nil
	}
	switch res := r.result(c); {
	case res != nil && !r.ofThisPretrained(c, res):
		return fmt.Errorf("cell %s started from another network than lies in %s now: choose another --out and --keep, or delete the cell", c.Name(), r.Grid.Pretrain)
	case res == nil || r.ofThisData(c, res):
		return nil
	case !r.ofThesePictures(c, res):
		return fmt.Errorf("cell %s was run with another picture than lies there now: choose another --out and --keep, or delete the cell", c.Name())
	default:
		return fmt.Errorf("cell %s was run on other data than %s holds now: choose another --out and --keep, or delete the cell", c.Name(), r.Grid.Data)
	}
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
