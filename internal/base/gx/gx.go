// Package gx runs GoMLX graphs on any of its backends with buffers that are reused from step to
// step: GoMLX's own Exec makes new tensors for every call.
package gx

import (
	"fmt"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// tap hands GoMLX a backend whose compiled executables it keeps.
type tap struct {
	backends.Backend
	loop bool // for a Looper
	exec backends.Executable
}

type tapBuilder struct {
	backends.Builder
	tap *tap
}

func (t *tap) Builder(name string) backends.Builder {
	return &tapBuilder{t.Backend.Builder(name), t}
}

func (b *tapBuilder) Compile(outputs []backends.Op, s []*backends.ShardingSpec) (backends.Executable, error) {
	var err error
	if l, ok := b.tap.Backend.(Looper); ok && b.tap.loop {
		b.tap.exec, err = l.Loop(b.Builder, outputs)
	} else {
		b.tap.exec, err = b.Builder.Compile(outputs, s)
	}
	return b.tap.exec, err
}

func recoverTo(err *error, name string) {
	if r := recover(); r != nil {
		if e, ok := r.(error); ok {
			*err = fmt.Errorf("graph %s: %w", name, e)
			return
		}
		*err = fmt.Errorf("graph %s: %v", name, r)
	}
}

// newBuffers returns buffers of zeros.
func newBuffers(b backends.Backend, all []shapes.Shape) (made []backends.Buffer, err error) {
	for _, s := range all {
		buf, err := newBuffer(b, s)
		if err != nil {
			return nil, err
		}
		made = append(made, buf)
	}
	return made, nil
}

func newBuffer(b backends.Backend, s shapes.Shape) (backends.Buffer, error) {
	if b.HasSharedBuffers() {
		buf, _, err := b.NewSharedBuffer(0, s)
		return buf, err
	}
	switch s.DType {
	case dtypes.Int32:
		return b.BufferFromFlatData(0, make([]int32, s.Size()), s)
	case dtypes.Float32:
		return b.BufferFromFlatData(0, make([]float32, s.Size()), s)
	case dtypes.Uint8:
		return b.BufferFromFlatData(0, make([]uint8, s.Size()), s)
	}
	return nil, fmt.Errorf("no buffer of %s", s)
}

// Write copies data into the buffer, which may be replaced; the one to use is returned.
func Write[T float32 | int32 | uint8](b backends.Backend, buf backends.Buffer, data []T) (backends.Buffer, error) {
	if b.HasSharedBuffers() {
		flat, err := b.BufferData(buf)
		if err != nil {
			return nil, err
		}
		copy(flat.([]T), data)
		return buf, nil
	}
	s, err := b.BufferShape(buf)
	if err != nil {
		return nil, err
	}
	if err := b.BufferFinalize(buf); err != nil {
		return nil, err
	}
	return b.BufferFromFlatData(0, data, s)
}

// Read copies the buffer's elements to dst.
func Read[T float32 | int32](b backends.Backend, buf backends.Buffer, dst []T) error {
	if b.HasSharedBuffers() {
		flat, err := b.BufferData(buf)
		if err != nil {
			return err
		}
		copy(dst, flat.([]T))
		return nil
	}
	return b.BufferToFlatData(buf, dst)
}
