package file

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/magpie-bridge/magpie/internal/logs"
	"github.com/magpie-bridge/magpie/internal/source"
)

// The reader's measures: how much it reads at once, how often from one file before the next has its turn, and how long
// it sleeps while lines wait to be continued.
const (
	readBytes     = 128 << 10
	readsPerTurn  = 8
	waitingPeriod = 50 * time.Millisecond
)

// maxStreams bounds the memory of which stream names were used.
const maxStreams = 4096

// reader reads the files and publishes what it reads. All of it belongs to one goroutine.
type reader struct {
	*Tailer
	buf     []byte
	json    []byte
	id      []byte
	streams map[string]bool // names that were used
	input   *input          // nil: standard input is not followed, or at its end
}

func newReader(t *Tailer) *reader {
	return &reader{Tailer: t, buf: make([]byte, readBytes), streams: map[string]bool{}}
}

// run reads until ctx ends, and then publishes what was read, unless publishing ends as well.
func (r *reader) run(ctx, publishing context.Context) {
	if r.stdin {
		r.input = newInput(ctx, r.options.Stdin)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		again, err := r.pass(publishing)
		if err != nil {
			return
		}
		if again {
			timer.Reset(waitingPeriod)
		}
		var chunks <-chan []byte
		if r.input != nil {
			chunks = r.input.chunks
		}
		select {
		case <-ctx.Done():
			r.finish(publishing)
			return
		case <-r.wake:
		case <-timer.C:
		case chunk, ok := <-chunks:
			err = r.takeInput(publishing, chunk, ok)
		}
		if err != nil || r.input == nil && len(r.patterns) == 0 {
			return
		}
	}
}

// pass looks at each file once. again: some hold lines that time will complete. Its error is that of ctx.
func (r *reader) pass(ctx context.Context) (again bool, err error) {
	for _, g := range r.listed() {
		if g.after != nil {
			if ok, err := r.mayFollow(ctx, g); err != nil {
				return false, err
			} else if !ok {
				continue
			}
		}
		if err := r.look(ctx, g); err != nil {
			return false, err
		}
		again = again || !g.closed && g.joiner != nil && g.joiner.Waits()
	}
	if r.input != nil {
		if err := r.texts(ctx, r.input.stream(), time.Now()); err != nil {
			return false, err
		}
		again = again || r.input.joiner.Waits()
	}
	return again, nil
}

// mayFollow reports whether the file before g at the same path was read to its end. A program that writes to g has
// done with the one before; so that one is read once more after something was seen in g.
func (r *reader) mayFollow(ctx context.Context, g *generation) (bool, error) {
	before := g.after
	if !before.closed {
		info, err := g.file.Stat()
		if before.after != nil || err == nil && info.Size() == 0 && g.named.Load() {
			return false, nil
		}
		if err := r.turn(ctx, before); err != nil || !before.ended {
			return false, err
		}
		if err := r.texts(ctx, r.stream(before), time.Now().Add(logs.JoinWait)); err != nil {
			return false, err
		}
	}
	g.after = nil
	return true, nil
}

// look reads a file if it may have changed, and publishes the texts that are complete.
func (r *reader) look(ctx context.Context, g *generation) error {
	if g.closed {
		return nil
	}
	if g.dirty.Swap(false) {
		if err := r.turn(ctx, g); err != nil {
			return err
		}
	} else if err := r.texts(ctx, r.stream(g), time.Now()); err != nil {
		return err
	}
	switch {
	case g.named.Load():
		g.idle = time.Time{}
	case !g.ended || g.idle.IsZero():
		g.idle = time.Now()
	case time.Since(g.idle) >= r.quiet:
		return r.close(ctx, g)
	}
	return nil
}

// turn reads a few times from a file. The file stays dirty if there is more.
func (r *reader) turn(ctx context.Context, g *generation) error {
	if g.joiner == nil {
		if err := g.start(r.reached, r.buf); err != nil {
			r.failed(g, err)
			return nil
		}
	}
	for range readsPerTurn {
		fresh, err := g.read(r.buf)
		if errors.Is(err, errTruncated) {
			if err := r.truncated(ctx, g); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			r.failed(g, err)
			return nil
		}
		g.failing = false
		g.ended = len(fresh) == 0
		now := time.Now()
		if !g.ended {
			g.idle = time.Time{}
			r.counts.bytes.Add(int64(len(fresh)))
			g.joiner.Write(fresh, now)
		}
		if err := r.texts(ctx, r.stream(g), now); err != nil || g.ended {
			return err
		}
	}
	g.dirty.Store(true)
	r.ring()
	return nil
}

// truncated publishes what is left of the old text and begins with the new.
func (r *reader) truncated(ctx context.Context, g *generation) error {
	r.counts.truncations.Add(1)
	if err := r.flush(ctx, r.stream(g)); err != nil {
		return err
	}
	g.again()
	return nil
}

// failed notes that a file which is open cannot be read. It is looked at again at the next poll.
func (r *reader) failed(g *generation, err error) {
	g.ended = true
	if g.failing {
		return
	}
	g.failing = true
	r.counts.errors.Add(1)
	r.logger.Warn("reading a log file failed; it is tried again", slog.String("path", g.source), slog.Any("error", err))
}

// close lets go of a file that has no name any more.
func (r *reader) close(ctx context.Context, g *generation) error {
	err := r.flush(ctx, r.stream(g))
	g.closed = true
	g.file.Close()
	r.unlist(g)
	return err
}

// finish reads each file and standard input once more, and publishes all of it, whether complete or not.
func (r *reader) finish(ctx context.Context) {
	for _, g := range r.listed() {
		if g.closed {
			continue
		}
		if r.turn(ctx, g) != nil || r.flush(ctx, r.stream(g)) != nil {
			return
		}
	}
	if r.input != nil {
		_ = r.flush(ctx, r.input.stream()) // Run tells what was not published
	}
}

// stream is where texts come from.
type stream struct {
	joiner *logs.Joiner
	source string
	name   func() string // begins the message ids
}

func (r *reader) stream(g *generation) stream {
	return stream{joiner: g.joiner, source: g.source, name: func() string { return r.streamName(g) }}
}

// streamName gives a generation its name when its first record is published: then its first line is there.
func (r *reader) streamName(g *generation) string {
	if g.stream != "" {
		return g.stream
	}
	g.stream = g.id.streamName(g.head, 0)
	if r.streams[g.stream] {
		g.stream = g.id.streamName(g.head, time.Now().UnixNano())
	}
	if len(r.streams) >= maxStreams {
		clear(r.streams)
	}
	r.streams[g.stream] = true
	return g.stream
}

// texts publishes the texts that are complete at a time.
func (r *reader) texts(ctx context.Context, s stream, at time.Time) error {
	if s.joiner == nil {
		return nil
	}
	for {
		text, ok := s.joiner.Next(at)
		if !ok {
			return nil
		}
		if err := r.publish(ctx, s, text, at); err != nil {
			return err
		}
	}
}

// flush publishes what there is, complete or not.
func (r *reader) flush(ctx context.Context, s stream) error {
	return r.texts(ctx, s, time.Now().Add(logs.PartialWait))
}

func (r *reader) publish(ctx context.Context, s stream, text logs.Text, now time.Time) error {
	record := logs.Parse(text.Bytes, logs.Defaults{
		Service:  r.options.Service,
		Source:   s.source,
		Location: r.options.Location,
		Now:      now,
	})
	if text.Cut > 0 {
		record.Cut += text.Cut
		record.Fit(logs.DefaultMaxBytes)
	}
	r.counts.records.Add(1)
	r.json = record.AppendJSON(r.json[:0])
	r.id = appendMessageID(r.id[:0], s.name(), text)
	return r.batcher.Add(ctx, source.Publication(string(r.id), &record, r.json))
}
