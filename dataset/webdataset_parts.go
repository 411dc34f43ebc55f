package dataset

import (
	"context"
	"slices"
)

// Shards that hold the images of several parts say so in the JSON of each sample, as tables do in a column.

// keyPart is the part that a key says.
type keyPart struct{ key, part string }

// tellParts keeps what a sample's JSON says of its part, by all keys until it is known which one is meant.
func (s *shard) tellParts(of *sample, head []string, fields map[string]any) {
	for _, key := range head {
		if s.each == nil || slices.Contains(shardLabelKeys, key) || key == s.Label {
			continue
		}
		c := s.each(key)
		if part := c.add(jsonText(fields[key])); part != "" {
			of.parts = append(of.parts, keyPart{c.name, part})
		}
	}
}

// settleParts keeps what one key says of the samples' parts.
func (s *shard) settleParts(by string) {
	for _, of := range s.order {
		for _, said := range of.parts {
			if said.key == by {
				of.split = said.part
			}
		}
		of.parts = nil
	}
}

// countSampleParts looks through shards, keeps what it found of them, and finds the key that says the part of each sample, or "". What
// can't be read is said later.
func (s *store) countSampleParts(ctx context.Context, files []string, o Options, shards map[string]*shard) (p *partColumns, by string, err error) {
	p = newPartColumns()
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		index := newShard(s.rel(file), o)
		index.each = p.count
		if s.readShard(file, index.look) == nil {
			shards[file] = index
		}
		p.rows += len(index.images)
	}
	if by, err = p.column(); err != nil {
		return nil, "", s.ofFile(files[0], err)
	}
	for _, index := range shards {
		index.settleParts(by)
	}
	return p, by, nil
}
