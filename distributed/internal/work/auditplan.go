package work

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/unpoison/unpoison/abl"
	"github.com/unpoison/unpoison/audit"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/dataset"
	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/internal/base/settings"
	"github.com/unpoison/unpoison/internal/base/version"
)

// AuditPlan is what workers have to know of an audit. It is an object of the store.
type AuditPlan struct {
	Version  string          `json:"version"` // of the program that made it; workers are of the same
	Data     *dataset.Packed `json:"data"`
	Packs    []store.Key     `json:"packs"`
	Settings AuditSettings   `json:"settings"`
	ReadWith []string        `json:"read_with,omitempty"` // flags that the data are read with
}

// AuditSettings are those of an audit.
type AuditSettings struct {
	Seed    uint64 `json:"seed"`
	Network string `json:"network"`
	Learn   int    `json:"learn"` // images that networks learn from, about; 0: all
	List    string `json:"list"`  // key=value,… over the defaults, as grids have them
}

// options returns the settings for so many images, or as they are for none.
func (s AuditSettings) options(images int, layout string) (abl.Options, audit.Options, error) {
	o, search := abl.Default(), audit.Default()
	o.Seed, o.Network = s.Seed, s.Network
	search.Learn = s.Learn
	if err := settings.Set(s.List, &o, &search); err != nil {
		return o, search, err
	}
	given := map[string]bool{}
	for _, item := range strings.Split(s.List, ",") {
		given[settings.Key(item)] = true
	}
	if images > 0 {
		o = o.FitTo(images, func(key string) bool { return given[key] })
	}
	o.Flip = o.Flip && dataset.Flips(layout)
	return o, search, errors.Join(o.Check(), search.Check())
}

// mostPacks is how many packs an audit may have: the list of what came out of them is one payload of Temporal's.
const mostPacks = 25_000

// NewAuditPlan keeps data in packs in the store, with the settings of an audit, and returns the plan's key. The same data and
// settings have the same key.
func NewAuditPlan(ctx context.Context, s *store.Store, spec string, o dataset.Options, with AuditSettings) (store.Key, error) {
	if _, _, err := with.options(0, ""); err != nil {
		return "", err
	}
	p := AuditPlan{Version: version.String(), Settings: with, ReadWith: readWith(o)}
	var err error
	p.Data, err = dataset.Pack(ctx, spec, o, stat.PartSize, func(pack []byte) error {
		if len(p.Packs) == mostPacks {
			return fmt.Errorf("more than %d packs, of up to %d images or 64 MB: too many for one audit; audit a part of the data", mostPacks, stat.PartSize)
		}
		k, err := s.Put(ctx, pack)
		p.Packs = append(p.Packs, k)
		return err
	})
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	return s.Put(ctx, raw)
}

// readWith are options as flags.
func readWith(o dataset.Options) (flags []string) {
	if o.SkipBad {
		flags = append(flags, "--skip-bad=true")
	}
	for _, f := range [][2]string{{"label", o.Label}, {"image", o.Image}} {
		if f[1] != "" {
			flags = append(flags, "--"+f[0]+"="+f[1])
		}
	}
	return flags
}

// ReadAuditPlan returns a plan.
func ReadAuditPlan(ctx context.Context, s *store.Store, k store.Key) (*AuditPlan, error) {
	raw, err := s.Get(ctx, k)
	if err != nil {
		return nil, err
	}
	p := &AuditPlan{}
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, &wrongError{fmt.Errorf("%s is no plan: %w", k, err)}
	}
	if d := p.Data; d == nil || d.Train == nil || d.Size < 1 || d.Height < 1 || d.Width < 1 {
		return nil, &wrongError{fmt.Errorf("plan %s has no data", k)}
	} else if err := d.Check(); err != nil {
		return nil, &wrongError{fmt.Errorf("plan %s: %w", k, err)}
	} else if _, all := d.Packs(); all != len(p.Packs) {
		return nil, &wrongError{fmt.Errorf("plan %s has %d packs, expected %d", k, len(p.Packs), all)}
	}
	return p, nil
}

// auditPlan reads a plan of this program's version, once.
func (w *Worker) auditPlan(ctx context.Context, k store.Key) (*AuditPlan, error) {
	w.pass.Lock()
	defer w.pass.Unlock()
	if w.planOf == k {
		return w.planIs, nil
	}
	p, err := ReadAuditPlan(ctx, w.Store, k)
	if err == nil && p.Version != version.String() {
		err = otherVersion(p.Version)
	}
	if err != nil {
		return nil, err
	}
	w.planOf, w.planIs = k, p
	return p, nil
}

// otherVersion is no final error: another worker may be of that version.
func otherVersion(of string) error {
	return fmt.Errorf("the plan is of unpoison %s, this worker of %s; all machines have to run the same version", of, version.String())
}

// auditName is the name of an audit's result in the store.
func auditName(plan store.Key) string {
	id := sha256.Sum256([]byte("audit " + plan))
	return "audits/" + hex.EncodeToString(id[:])
}

// AuditResult returns the key of a finished audit's folder, or store.ErrNone.
func AuditResult(ctx context.Context, s *store.Store, plan store.Key) (store.Key, error) {
	return s.Find(ctx, auditName(plan))
}
