package work

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/unpoison/unpoison/audit/stat"
	"github.com/unpoison/unpoison/checkpoint"
	"github.com/unpoison/unpoison/distributed/internal/store"
	"github.com/unpoison/unpoison/evaluate"
	"github.com/unpoison/unpoison/internal/base/version"
	"github.com/unpoison/unpoison/rng"
)

// passes makes passes over an audit's training images, a pack at a time, wherever a worker is free.
type passes struct {
	store   *store.Store
	scratch string
	plan    store.Key
	packs   []store.Key // decoded, of the training images
	first   []int       // the first image of each, and how many there are in all
	// do does a task to parts and returns the keys of what came out, in their order.
	do func(ctx context.Context, t store.Key, parts []mapPart) ([]store.Key, error)
	// again does it to one part whose result is no longer in the store.
	again func(ctx context.Context, t store.Key, part mapPart) (store.Key, error)
}

// result reads what came out of a part. What the store has lost is made again.
func (p *passes) result(ctx context.Context, t store.Key, part mapPart, k store.Key) ([]byte, error) {
	raw, err := p.store.Get(ctx, k)
	if !errors.Is(err, store.ErrNone) {
		return raw, err
	}
	if k, err = p.again(ctx, t, part); err != nil {
		return nil, err
	}
	return p.store.Get(ctx, k)
}

// of is a byte for each image of every pack.
func (p *passes) of(ctx context.Context, all []byte) ([]mapPart, error) {
	parts := make([]mapPart, len(p.packs))
	for k, pack := range p.packs {
		parts[k] = mapPart{Pack: k, Data: pack}
		if all == nil {
			continue
		}
		var err error
		if parts[k].Of, err = p.store.Put(ctx, all[p.first[k]:p.first[k+1]]); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// put keeps a value as JSON.
func put(ctx context.Context, s *store.Store, value any) (store.Key, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	return s.Put(ctx, raw)
}

// Pass makes a pass; see evaluate.Passes. Images are visited in their order.
func (p *passes) Pass(ctx context.Context, pass evaluate.Pass, images []int, visit func(i int, row []float32)) error {
	network, err := p.network(ctx, pass)
	if err != nil {
		return err
	}
	t, err := put(ctx, p.store, task{Kind: passKind, Plan: p.plan, Network: network, Side: pass.Side, Blurs: pass.Blurs, Half: pass.Half, Features: pass.Features})
	if err != nil {
		return err
	}
	n := p.first[len(p.packs)]
	var asked []byte
	if images != nil {
		asked = make([]byte, n)
		for _, i := range images {
			asked[i] = 1
		}
	}
	parts, err := p.of(ctx, asked)
	if err != nil {
		return err
	}
	keys, err := p.do(ctx, t, parts)
	if err != nil {
		return err
	}
	for k, key := range keys {
		raw, err := p.result(ctx, t, parts[k], key)
		if err != nil {
			return err
		}
		own := rng.Iota(p.first[k+1] - p.first[k])
		if asked != nil {
			own = slices.DeleteFunc(own, func(i int) bool { return asked[p.first[k]+i] == 0 })
		}
		if len(own) == 0 {
			continue
		}
		width := len(raw) / 4 / len(own)
		if width == 0 || len(raw) != 4*width*len(own) {
			return fmt.Errorf("%d bytes for %d images of a part", len(raw), len(own))
		}
		row := make([]float32, width)
		for j, i := range own {
			if _, err := binary.Decode(raw[4*width*j:], binary.LittleEndian, row); err != nil {
				return err
			}
			visit(p.first[k]+i, row)
		}
	}
	return nil
}

// network keeps a pass's network as a model file.
func (p *passes) network(ctx context.Context, pass evaluate.Pass) (store.Key, error) {
	n := pass.Network
	classes := make([]string, n.Classes)
	for c := range classes {
		classes[c] = strconv.Itoa(c)
	}
	path := filepath.Join(p.scratch, "pass.safetensors")
	if err := checkpoint.Save(path, pass.State, checkpoint.Info{Arch: n.Arch, Classes: classes, Height: n.Height, Width: n.Width, Version: version.Number}); err != nil {
		return "", err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return p.store.Put(ctx, raw)
}

// watched are passes that tell of every image.
type watched struct {
	by    evaluate.Passes
	moved func()
}

// Pass makes a pass; see evaluate.Passes.
func (w watched) Pass(ctx context.Context, pass evaluate.Pass, images []int, visit func(i int, row []float32)) error {
	return w.by.Pass(ctx, pass, images, func(i int, row []float32) {
		w.moved()
		visit(i, row)
	})
}

// sums are passes that sum too.
type sums struct{ *passes }

// Sums sums the coefficients of every part; see look.Summer.
func (s sums) Sums(ctx context.Context, fold []uint8, visit func(part []stat.LabelSums) error) error {
	t, err := put(ctx, s.store, task{Kind: sumsKind, Plan: s.plan})
	if err != nil {
		return err
	}
	parts, err := s.of(ctx, fold)
	if err != nil {
		return err
	}
	keys, err := s.do(ctx, t, parts)
	if err != nil {
		return err
	}
	for k, key := range keys {
		raw, err := s.result(ctx, t, parts[k], key)
		if err != nil {
			return err
		}
		var part []stat.LabelSums
		if err := gob.NewDecoder(bytes.NewReader(raw)).Decode(&part); err != nil {
			return err
		}
		if err := visit(part); err != nil {
			return err
		}
	}
	return nil
}
