package file

import (
	"context"
	"crypto/rand"
	"io"
	"time"

	"github.com/magpie-bridge/magpie/internal/logs"
)

// input is standard input, read by a goroutine of its own because a read of it may never return.
type input struct {
	chunks chan []byte // closed at the end; what is received is valid until the next receive
	joiner *logs.Joiner
	name   string // nothing of standard input can be read again, so any name that is never used twice will do
}

func newInput(ctx context.Context, r io.Reader) *input {
	in := &input{chunks: make(chan []byte), joiner: logs.NewJoiner(0), name: "i" + rand.Text()[:16]}
	go in.read(ctx, r)
	return in
}

// read reads into two buffers in turn: while one is being handled, the other is filled.
func (in *input) read(ctx context.Context, r io.Reader) {
	defer close(in.chunks)
	buffers := [2][]byte{make([]byte, blockBytes), make([]byte, blockBytes)}
	for i := 0; ; i = 1 - i {
		n, err := r.Read(buffers[i])
		if n > 0 {
			select {
			case in.chunks <- buffers[i][:n]:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (in *input) stream() stream {
	return stream{joiner: in.joiner, source: "stdin", name: func() string { return in.name }}
}

// takeInput handles a chunk of standard input, or its end.
func (r *reader) takeInput(ctx context.Context, chunk []byte, ok bool) error {
	in := r.input
	if !ok {
		r.input = nil
		return r.flush(ctx, in.stream())
	}
	now := time.Now()
	r.counts.bytes.Add(int64(len(chunk)))
	in.joiner.Write(chunk, now)
	return r.texts(ctx, in.stream(), now)
}
