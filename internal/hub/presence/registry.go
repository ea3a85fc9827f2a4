package presence

import (
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// The prefixes of the channels that tell of who is here: of a channel's members, and of a user.
const (
	MembersPrefix = wire.SystemPrefix + "members."
	OnlinePrefix  = wire.SystemPrefix + "online."
)

// Tells reports whether a channel is one of those that tell of who is here.
func Tells(name wire.ChannelName) bool {
	return strings.HasPrefix(string(name), MembersPrefix) || strings.HasPrefix(string(name), OnlinePrefix)
}

const (
	// Large is how many members a channel may have of which each is told by a message of its own.
	Large = 1000
	// batchEvery is the time between two messages in a larger one.
	batchEvery = time.Second
	// retryAfter is the time until what could not be appended is tried again.
	retryAfter = time.Second
	// publisher is who all messages are from.
	publisher = "magpie"
)

// Options configure a [Registry]. Engine and Covers are required.
type Options struct {
	Engine engine.Engine // keeps the messages
	// Covers says which channels have presence.
	Covers func(wire.ChannelName) bool
	// Online has users told of, and not only members.
	Online bool
	// Grace is how long a session or a user may be away before that is told.
	Grace time.Duration
	// Logger hears what goes wrong with the engine. Nil: nobody hears.
	Logger *slog.Logger
}

// Registry is who is here. It is safe for concurrent use. A nil one knows of nobody.
//
// There is one lock: what is done under it is bounded by a page, or by what has changed within a second.
type Registry struct {
	opts  Options
	began time.Time
	wake  chan struct{} // of the goroutine that tells
	stop  chan struct{}
	end   sync.Once // closes stop
	done  sync.WaitGroup

	warned atomic.Int64 // the second of the last warning

	mu      sync.Mutex // guards the fields below, and all rooms and users
	rooms   map[wire.ChannelName]*room
	users   map[string]*user
	members int       // of all rooms
	due     []subject // that may have something to tell
	leaving departures
}

// moment is a time as a registry has it: nanoseconds since it was made.
type moment int64

// subject is what is told of: a room or a user.
type subject interface {
	// step does what is due, and returns when there is more; 0: when the subject is listed again. mu is held, and given up
	// meanwhile.
	step(r *Registry, now moment) (again moment)
	// gone tells that somebody did not come back, if it is the one who left at that moment; mu is held.
	gone(r *Registry, id wire.SessionID, at moment)
	// list notes whether the subject is in the list of those due, and reports whether that is new; mu is held.
	list(on bool) bool
}

// New returns a registry; [Registry.Close] ends it.
func New(opts Options) *Registry {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Registry{
		opts:  opts,
		began: time.Now(),
		wake:  make(chan struct{}, 1),
		stop:  make(chan struct{}),
		rooms: make(map[wire.ChannelName]*room),
		users: make(map[string]*user),
	}
	r.done.Go(r.run)
	return r
}

// Close ends the telling. The engine may be closed after it.
func (r *Registry) Close() {
	if r == nil {
		return
	}
	r.end.Do(func() { close(r.stop) })
	r.done.Wait()
}

// Covers reports whether a channel has presence. The gateway's own channels have none, nor has one whose name is so long
// that there is no channel to tell of its members.
func (r *Registry) Covers(name wire.ChannelName) bool {
	return r != nil && len(MembersPrefix)+len(name) <= wire.MaxChannelBytes &&
		!strings.HasPrefix(string(name), wire.SystemPrefix) && r.opts.Covers(name)
}

// Online reports whether users are told of.
func (r *Registry) Online() bool { return r != nil && r.opts.Online }

// Size is how many are here.
type Size struct {
	Channels int // with members
	Members  int // of all of these; a session counts in each
	Users    int // online, where users are told of
}

// Size counts who is here.
func (r *Registry) Size() Size {
	if r == nil {
		return Size{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return Size{Channels: len(r.rooms), Members: r.members, Users: len(r.users)}
}

func (r *Registry) now() moment { return moment(time.Since(r.began)) + 1 } // 0 is no moment

// run does what is due until the registry is closed.
func (r *Registry) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(r.work())
		select {
		case <-r.stop:
			return
		case <-r.wake:
		case <-timer.C:
		}
	}
}

// work does what is due, and returns how long there is nothing else to do.
func (r *Registry) work() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	for d, ok := r.leaving.take(now); ok; d, ok = r.leaving.take(now) {
		d.subject.gone(r, d.id, d.at)
	}
	due := r.due
	r.due = nil
	next := now + moment(time.Hour)
	if at, ok := r.leaving.next(); ok {
		next = min(next, at)
	}
	for _, s := range due {
		s.list(false)
		if again := s.step(r, now); again != 0 {
			next = min(next, again)
			r.list(s, false)
		}
	}
	return max(time.Duration(next-r.now()), 0)
}

// list notes that a subject may have something to tell; mu is held.
func (r *Registry) list(s subject, wake bool) {
	if !s.list(true) {
		return
	}
	r.due = append(r.due, s)
	if wake {
		r.rouse()
	}
}

// rouse has the goroutine look at what is due.
func (r *Registry) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// depart notes that somebody has left who may come back; mu is held.
func (r *Registry) depart(s subject, id wire.SessionID) (at moment) {
	at = r.now() + moment(r.opts.Grace)
	r.leaving.add(departure{at: at, subject: s, id: id})
	if r.leaving.len() == 1 || r.opts.Grace == 0 {
		r.rouse()
	}
	return at
}

// append appends messages to a channel.
func (r *Registry) append(name wire.ChannelName, payloads [][]byte, done func(error)) {
	records := make([]channel.Record, len(payloads))
	for i, data := range payloads {
		records[i] = channel.Record{
			Publication: wire.Publication{Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: data}},
			Publisher:   publisher,
		}
	}
	r.opts.Engine.Append(name, records, func(_ wire.Epoch, _ []channel.Placed, err error) {
		if second := time.Now().Unix(); err != nil && r.warned.Swap(second) != second { // all channels fail together
			r.opts.Logger.Warn("who is here could not be told, and is told again", "channel", name, "error", err)
		}
		done(err)
	})
}

// Evict has all members leave that a lease has held, and the users go offline who were here by it alone. That is told at
// once: the lease was their time of grace.
func (r *Registry) Evict(l Lease) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.rooms {
		m.evict(r, l)
	}
	for _, u := range r.users {
		u.evict(r, l)
	}
	r.rouse()
}
