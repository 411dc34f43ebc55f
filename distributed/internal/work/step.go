package work

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/unpoison/unpoison/audit/look"
	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/evaluate"
)

// What is done to a part.
const (
	decodeKind = "decode" // its images
	passKind   = "pass"   // a network is asked about them
	sumsKind   = "sums"   // of their coefficients
)

// task is what is done to all parts of an audit's data. It is an object of the store.
type task struct {
	Kind string    `json:"kind"`
	Plan store.Key `json:"plan"`
	// Network is the model file of a pass; see evaluate.Pass for the others.
	Network  store.Key     `json:"network,omitempty"`
	Side     int           `json:"side,omitempty"`
	Blurs    []float64     `json:"blurs,omitempty"`
	Half     evaluate.Half `json:"half,omitempty"`
	Features bool          `json:"features,omitempty"`
}

// mapPart is a part in a list of such.
type mapPart struct {
	Pack int       `json:"pack"`         // its place among the packs
	Data store.Key `json:"data"`         // the pack
	Of   store.Key `json:"of,omitempty"` // a byte for each image: whether it is asked about, or which half it is in; none: all are
}

// step does a task to one part, and returns the key of what came out. What was done before is not done again.
func (w *Worker) step(ctx context.Context, in StepInput) (store.Key, error) {
	activity.RecordHeartbeat(ctx)
	beating, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for tick := time.NewTicker(stepHeartbeat / 4); ; {
			select {
			case <-tick.C:
				activity.RecordHeartbeat(ctx)
			case <-beating.Done():
				tick.Stop()
				return
			}
		}
	}()
	k, err := w.doStep(ctx, in)
	return k, final(err)
}

func (w *Worker) doStep(ctx context.Context, in StepInput) (store.Key, error) {
	var list []mapPart
	if err := w.object(ctx, in.List, &list); err != nil {
		return "", err
	}
	if in.At < 0 || in.At >= len(list) {
		return "", &wrongError{fmt.Errorf("no part %d in a list of %d", in.At, len(list))}
	}
	part := list[in.At]
	id := sha256.Sum256(fmt.Appendf(nil, "%s %d %s %s", in.Task, part.Pack, part.Data, part.Of))
	name := "steps/" + hex.EncodeToString(id[:])
	k, lost, err := w.found(ctx, name, w.Store.Has)
	if !errors.Is(err, store.ErrNone) {
		return k, err
	}
	var t task
	if err := w.object(ctx, in.Task, &t); err != nil {
		return "", err
	}
	p, err := w.auditPlan(ctx, t.Plan)
	if err != nil {
		return "", err
	}
	if train, all := p.Data.Packs(); part.Pack < 0 || part.Pack >= all || t.Kind != decodeKind && part.Pack >= train {
		return "", &wrongError{fmt.Errorf("no pack %d among %d", part.Pack, all)}
	}
	raw, err := w.Store.Get(ctx, part.Data)
	if err != nil {
		return "", err
	}
	var out []byte
	if t.Kind == decodeKind {
		if out, err = p.Data.Decode(ctx, part.Pack, raw); err != nil && ctx.Err() == nil {
			err = &wrongError{err}
		}
	} else {
		out, err = w.ask(ctx, p, t, in.Task, part, raw)
	}
	if err != nil {
		return "", err
	}
	if k, err = w.Store.Put(ctx, out); err != nil {
		return "", err
	}
	return w.Store.Name(ctx, name, k, !lost)
}

// object reads an object of the store that is JSON.
func (w *Worker) object(ctx context.Context, k store.Key, into any) error {
	raw, err := w.Store.Get(ctx, k)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return &wrongError{fmt.Errorf("%s is no %T: %w", k, into, err)}
	}
	return nil
}

// ask makes a pass over the images of a decoded pack, or sums.
func (w *Worker) ask(ctx context.Context, p *AuditPlan, t task, key store.Key, part mapPart, pack []byte) ([]byte, error) {
	set, err := p.Data.Images(part.Pack, pack)
	if err != nil {
		return nil, &wrongError{err}
	}
	var of []byte
	if part.Of != "" {
		if of, err = w.Store.Get(ctx, part.Of); err != nil {
			return nil, err
		}
		if len(of) != set.Len() {
			return nil, &wrongError{fmt.Errorf("%d bytes for %d images", len(of), set.Len())}
		}
	}
	switch t.Kind {
	case sumsKind:
		sums, err := stat.PartSums(ctx, look.Pictures(set), of)
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		err = gob.NewEncoder(&out).Encode(sums)
		return out.Bytes(), err
	case passKind:
		pass, err := w.network(ctx, key, t)
		if err != nil {
			return nil, err
		}
		var images []int
		for i, asked := range of {
			if asked > 0 {
				images = append(images, i)
			}
		}
		if of != nil && images == nil {
			return nil, nil
		}
		var out []byte
		err = evaluate.Here{Backend: w.Backend, Set: set}.Pass(ctx, pass, images, func(_ int, row []float32) {
			out, _ = binary.Append(out, binary.LittleEndian, row)
		})
		return out, err
	}
	return nil, &wrongError{fmt.Errorf("no task %.100q", t.Kind)}
}

// network reads a pass's network from the store.
func (w *Worker) network(ctx context.Context, key store.Key, t task) (evaluate.Pass, error) {
	w.pass.Lock()
	defer w.pass.Unlock()
	if w.passOf == key {
		return w.passIs, nil
	}
	raw, err := w.Store.Get(ctx, t.Network)
	if err != nil {
		return evaluate.Pass{}, err
	}
	f, err := os.CreateTemp(w.Scratch, "network-*.safetensors")
	if err != nil {
		return evaluate.Pass{}, err
	}
	defer os.Remove(f.Name())
	if _, err = f.Write(raw); err == nil {
		err = f.Close()
	}
	if err != nil {
		return evaluate.Pass{}, err
	}
	n, s, _, err := checkpoint.Load(f.Name())
	if err != nil {
		return evaluate.Pass{}, &wrongError{err}
	}
	w.passOf, w.passIs = key, evaluate.Pass{Network: n, State: s, Side: t.Side, Blurs: t.Blurs, Half: t.Half, Features: t.Features}
	return w.passIs, nil
}
