package dataset

import (
	"context"
	"slices"
)

// Shards that hold the images of several parts say so in the JSON of each sample, as tables do in a column.

// tellParts takes over what a sample's JSON says of its part.
func (s *shard) tellParts(of *sample, head []string, fields map[string]any) {
	if s.split != "" && fields[s.split] != nil {
		of.split = partSaid(asksPart(s.split), jsonText(fields[s.split]))
	}
	for _, key := range head {
		if s.each != nil && !slices.Contains(shardLabelKeys, key) && key != s.Label {
			s.each(key, jsonText(fields[key]))
		}
	}
}

// countSampleParts looks through shards, and finds the key that says the part of each sample, or "". Where none does, it keeps what it
// found of the shards. What can't be read is said later.
func (s *store) countSampleParts(ctx context.Context, files []string, o Options, shards map[string]*shard) (p *partColumns, by string, err error) {
	p = newPartColumns()
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		index := newShard(s.rel(file), o)
		index.each = func(key, value string) { p.count(key).add(value) }
		if s.readShard(file, index.look) == nil {
			shards[file] = index
		}
		p.rows += len(index.images)
	}
	if by, err = p.column(); err != nil {
		return nil, "", s.ofFile(files[0], err)
	}
	if by != "" {
		clear(shards)
	}
	return p, by, nil
}
