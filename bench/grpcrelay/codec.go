package main

import (
	"fmt"

	"google.golang.org/grpc/mem"

	"github.com/magpie-bridge/magpie/internal/bench/relay"
)

// received is a frame that was read, with the buffer that Method and Data are in.
type received struct {
	relay.Frame
	buffer mem.Buffer // nil before the first
}

// codec packs frames into buffers that are used again, as gRPC's own codec does.
type codec struct{}

// Name implements [encoding.CodecV2]. It is that of the usual one, since the bytes are the same.
func (codec) Name() string { return "proto" }

// Marshal implements [encoding.CodecV2].
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(*relay.Frame)
	if !ok {
		return nil, fmt.Errorf("%T is no frame", v)
	}
	size := f.Size()
	if mem.IsBelowBufferPoolingThreshold(size) {
		return mem.BufferSlice{mem.SliceBuffer(f.Append(make([]byte, 0, size)))}, nil
	}
	pool := mem.DefaultBufferPool()
	b := pool.Get(size)
	*b = f.Append((*b)[:0])
	return mem.BufferSlice{mem.NewBuffer(b, pool)}, nil
}

// Unmarshal implements [encoding.CodecV2]. It keeps the buffer, and gives back that of the frame before.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	r, ok := v.(*received)
	if !ok {
		return fmt.Errorf("%T is no frame to read", v)
	}
	if r.buffer != nil {
		r.buffer.Free()
	}
	r.buffer = data.MaterializeToBuffer(mem.DefaultBufferPool())
	return r.Parse(r.buffer.ReadOnlyData())
}
