// Package slogsource publishes a program's own structured log: it is a [slog.Handler] that hands every record on to
// another handler and puts a copy into a bounded ring, from which Run publishes.
//
// Publishing a record may itself be logged, and that would have to be published too. So two kinds of records are not
// copied: those of a logger made by [LogDelivery], and those with an attribute "channel" that names the channel they
// would go to.
//
//	source.go  Source, the handler; Run
//	ring.go    what waits to be published
package slogsource

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/magpie-bridge/magpie/internal/logs"
	"github.com/magpie-bridge/magpie/internal/source"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Service is the service of the records.
const Service = "magpie"

// The attribute that marks the records of log delivery itself.
const (
	markKey   = "source"
	markValue = "log-delivery"
)

// drainTimeout bounds how long Run goes on publishing after its context ended.
const drainTimeout = 2 * time.Second

// LogDelivery makes a logger for whatever carries log records to subscribers. Its records are not published.
func LogDelivery(logger *slog.Logger) *slog.Logger {
	return logger.With(slog.String(markKey, markValue))
}

// Options says what a Source does with a record.
type Options struct {
	// Next gets every record, and decides which levels are logged. Nil: records are only published, from info on.
	Next slog.Handler
	// Channel is where records are published.
	Channel wire.ChannelName
	// Records is how many may wait to be published; the oldest give way. 0 is 4,096.
	Records int
}

// Source is a [slog.Handler] whose records are published too. Handling never waits for publishing. All methods may be
// called by several goroutines, but PublishTo comes before Run, and Run is called once.
type Source struct {
	next      slog.Handler
	encoder   slog.Handler // writes into ring
	ring      *ring
	channel   wire.ChannelName
	muted     bool // its attributes say that its records are not to be published
	publisher *atomic.Pointer[source.Publisher]
}

// New makes a Source. Records are kept from now on, and published by Run.
func New(options Options) *Source {
	if options.Next == nil {
		options.Next = levelOnly{slog.DiscardHandler}
	}
	if options.Records == 0 {
		options.Records = defaultRecords
	}
	r := newRing(options.Records)
	return &Source{
		next:      options.Next,
		encoder:   slog.NewJSONHandler(r, &slog.HandlerOptions{Level: slog.Level(-1 << 30)}), // next decides
		ring:      r,
		channel:   options.Channel,
		publisher: new(atomic.Pointer[source.Publisher]),
	}
}

// levelOnly handles nothing, but has records made.
type levelOnly struct{ slog.Handler }

func (levelOnly) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Enabled implements [slog.Handler].
func (s *Source) Enabled(ctx context.Context, level slog.Level) bool {
	return s.next.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (s *Source) Handle(ctx context.Context, record slog.Record) error {
	if !s.muted && !s.ofDelivery(record) {
		_ = s.encoder.Handle(ctx, record) // the ring takes everything
	}
	return s.next.Handle(ctx, record)
}

func (s *Source) ofDelivery(record slog.Record) (found bool) {
	record.Attrs(func(a slog.Attr) bool {
		found = s.marks(a)
		return !found
	})
	return found
}

// marks reports whether an attribute says that its record must not be published.
func (s *Source) marks(a slog.Attr) bool {
	switch a.Key {
	case markKey:
		return a.Value.Resolve().String() == markValue
	case "channel":
		return a.Value.Resolve().String() == string(s.channel)
	}
	if a.Value.Kind() == slog.KindGroup {
		return slices.ContainsFunc(a.Value.Group(), s.marks)
	}
	return false
}

// WithAttrs implements [slog.Handler].
func (s *Source) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *s
	with.next = s.next.WithAttrs(attrs)
	with.encoder = s.encoder.WithAttrs(attrs)
	for _, a := range attrs {
		with.muted = with.muted || s.marks(a)
	}
	return &with
}

// WithGroup implements [slog.Handler].
func (s *Source) WithGroup(name string) slog.Handler {
	with := *s
	with.next = s.next.WithGroup(name)
	with.encoder = s.encoder.WithGroup(name)
	return &with
}

// PublishTo says where Run publishes. It stands apart from New because a publisher usually needs the logger first.
func (s *Source) PublishTo(publisher source.Publisher) { s.publisher.Store(&publisher) }

// Run publishes until ctx ends, and then what waits, for two seconds at most.
func (s *Source) Run(ctx context.Context) {
	publisher := s.publisher.Load()
	if publisher == nil {
		return
	}
	publishing, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	batcher := source.NewBatcher(source.BatcherOptions{
		Publisher: *publisher,
		Channel:   s.channel,
		Logger:    slog.New(s.next), // past this Source
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = batcher.Run(publishing) // what remains of a log at its end has nobody to tell
	}()
	defer context.AfterFunc(ctx, func() {
		deadline := time.AfterFunc(drainTimeout, giveUp)
		context.AfterFunc(publishing, func() { deadline.Stop() })
	})()
	for ctx.Err() == nil && s.move(publishing, batcher) == nil {
		select {
		case <-s.ring.ready:
		case <-ctx.Done():
		}
	}
	_ = s.move(publishing, batcher) // as above
	batcher.Close()
	<-ended
}

// move gives what waits to the batcher.
func (s *Source) move(ctx context.Context, batcher *source.Batcher) error {
	for {
		pub, dropped, ok := s.ring.pop()
		if dropped > 0 {
			if err := batcher.Add(ctx, s.ring.dropNotice(dropped)); err != nil {
				return err
			}
		}
		if !ok {
			return nil
		}
		if err := batcher.Add(ctx, pub); err != nil {
			return err
		}
	}
}

// parse makes a record of a line of slog's JSON handler. An attribute that is named as a member of the record
// stays a field: the service is always this program.
func parse(line []byte) logs.Record {
	r := logs.Parse(line, logs.Defaults{Service: Service})
	if r.Service != Service {
		if quoted, err := json.Marshal(r.Service); err == nil {
			r.Fields = append(r.Fields, logs.Field{Name: "service", Value: string(quoted)})
		}
		r.Service = Service
	}
	return r
}

func dropRecord(dropped int64, now time.Time) logs.Record {
	return logs.Record{
		Timestamp: now,
		Level:     logs.LevelWarn,
		Service:   Service,
		Message:   fmt.Sprintf("%d records of this log are missing here: they came faster than they could be published", dropped),
	}
}
