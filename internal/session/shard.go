package session

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/hub/trie"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Loop is what a shard needs of the event loop it lives on. Both methods are safe for concurrent use.
type Loop interface {
	// Post runs f on the loop; false when the loop has ended.
	Post(f func()) bool
	// Wake makes the loop call the shard's Work.
	Wake()
}

// Shard is the sessions of one loop, and the fan-out to them.
type Shard struct {
	settings Settings
	loop     Loop
	index    int
	began    time.Time // moments count from here

	// loop only
	sessions []*Session // by slot; nil where free
	free     []uint32
	topics   map[wire.ChannelName]*topic
	sifted   map[sifting]*topic   // those that a filter shows a part of
	calls    map[uint32]*openCall // that sessions have made, by their slots
	asked    map[uint64]*asked    // that sessions have in hand, by number
	asking   uint64               // the number of the last one
	serving  map[uint32]*serving  // what sessions have that answer calls, by slot
	fresh    []*topic             // whose cursors are to be moved along, in the order they are served; no pass has begun
	queue    []*topic             // the same of those that one slice was not enough for
	pumping  []*Session           // with several cursors behind, after they subscribed or could not be written to
	decoder  wire.Decoder
	frame    wire.Frame
	formats  [channel.MaxFormats]Format
	scratch  outbox // that of whichever session is being served
	lent     bool   // scratch is in use
	writing  writing
	writes   int // system calls since the clock was looked at
	written  int // system calls in all
	last     lastBatch

	// What sessions need that outlive their lines: see resume.go and reopen.go.
	peers     []*Shard // of the node, by index; set once
	seal      *keep.Seal
	given     map[uint32]wire.SessionID // of the slots whose sessions were resumed
	reopening map[uint32]*reopening     // by slot
	unsaved   map[uint32]struct{}       // the slots of sessions that have changed; nil when nothing is saved

	// What sessions have of patterns: see pattern.go and expand.go.
	expansions map[uint32]*expansion // by slot
	patterns   trie.Trie[*pattern]
	arrivals   arrivals

	mu    sync.Mutex // guards dirty
	dirty []*topic   // whose tail has moved

	Metrics ShardMetrics
}

// ShardMetrics counts what leaves a loop.
type ShardMetrics struct {
	Delivered       atomic.Int64 // messages
	Bytes           atomic.Int64
	Writes          atomic.Int64
	Gaps            atomic.Int64
	Subscriptions   atomic.Int64 // now
	Malformed       atomic.Int64
	Conflated       atomic.Int64 // messages that were skipped, because newer ones of their keys followed
	Late            atomic.Int64 // answers of clients to calls that they do not have in hand
	SlowDisconnects atomic.Int64 // sessions ended because a subscription was too far behind
}

// lastBatch remembers the frames that were written last: most subscribers of a channel stand at the same place.
type lastBatch struct {
	log    *channel.Log
	format channel.FormatID
	batch  channel.Batch
}

// NewShard returns the shard of a loop; index tells it apart from the others of the node.
func NewShard(settings Settings, loop Loop, index int) *Shard {
	sh := &Shard{
		settings: settings.WithDefaults(),
		loop:     loop,
		index:    index,
		topics:   make(map[wire.ChannelName]*topic),
		sifted:   make(map[sifting]*topic),
		calls:    make(map[uint32]*openCall),
		asked:    make(map[uint64]*asked),
		asking:   rand.Uint64() >> 24, //nolint:gosec // no secret: another shard, or run of the gateway, has other names for its calls
		serving:  make(map[uint32]*serving),
	}
	sh.began = sh.settings.Now()
	sh.newRoster(settings.Keeper)
	sh.expansions = make(map[uint32]*expansion)
	return sh
}

// now is the present moment.
func (sh *Shard) now() moment { return sh.moment(sh.settings.Now()) }

func (sh *Shard) moment(t time.Time) moment { return moment(t.Sub(sh.began)) }

func (sh *Shard) time(m moment) time.Time { return sh.began.Add(time.Duration(m)) }

// formatOf notes a format, so that sessions need only its number.
func (sh *Shard) formatOf(f Format) channel.FormatID {
	id := f.ID()
	if sh.formats[id] == nil {
		sh.formats[id] = f
	}
	return id
}

// Settings returns the settings in use. Safe for concurrent use.
func (sh *Shard) Settings() *Settings { return &sh.settings }

// Len returns the number of sessions.
func (sh *Shard) Len() int { return len(sh.sessions) - len(sh.free) }

// Each calls f for each session; f may close it.
func (sh *Shard) Each(f func(*Session)) {
	for _, s := range sh.sessions {
		if s != nil {
			f(s)
		}
	}
}

func (sh *Shard) enter(s *Session) {
	if n := len(sh.free); n > 0 {
		s.slot = sh.free[n-1]
		sh.free = sh.free[:n-1]
		sh.sessions[s.slot] = s
		return
	}
	s.slot = uint32(len(sh.sessions))
	sh.sessions = append(sh.sessions, s)
}

func (sh *Shard) leave(s *Session) {
	delete(sh.given, s.slot)
	delete(sh.reopening, s.slot)
	sh.sessions[s.slot] = nil
	sh.free = append(sh.free, s.slot)
}

// topic returns the loop's view of a channel, watching it from now on.
func (sh *Shard) topic(s *Session, name wire.ChannelName) (*topic, error) {
	if t := sh.topics[name]; t != nil {
		return t, sh.settings.Hub.MaySubscribe(s.principal, name)
	}
	t := &topic{}
	t.watch = channel.NewWatch(func(*channel.Watch) { sh.moved(t) })
	log, err := sh.settings.Hub.Watch(s.principal, name, t.watch)
	if err != nil {
		return nil, err
	}
	t.log = log
	t.slow = newSlowness(sh.settings.Slow(log.Name()))
	sh.renewPresence(t)
	sh.topics[log.Name()] = t
	return t, nil
}

// moved notes that the tail of a topic has moved. It is called by whoever appends.
func (sh *Shard) moved(t *topic) {
	sh.mu.Lock()
	sh.dirty = append(sh.dirty, t)
	sh.mu.Unlock()
	sh.loop.Wake()
}

// release forgets a topic that nobody on this loop has subscribed any more.
func (sh *Shard) release(t *topic) {
	if t.sifted != nil {
		t.sifted.release(sh, t.watch)
		return
	}
	t.log.Unwatch(t.watch)
	delete(sh.topics, t.log.Name())
	sh.last = lastBatch{}
}

// writesPerPump bounds what one session with many cursors behind is given in one go.
const writesPerPump = 4

// writesPerClock is how many writes pass between two looks at the clock: at some 5 microseconds each, often enough for
// a slice of half a millisecond.
const writesPerClock = 16

// Work moves cursors along for about the given time, and reports whether more are to be moved.
func (sh *Shard) Work(slice time.Duration) (more bool) {
	sh.collect()
	if len(sh.fresh) == 0 && len(sh.queue) == 0 && len(sh.pumping) == 0 {
		return false
	}
	end := time.Now().Add(slice)
	// What was published just now comes first: a small channel does not wait for a large one that is in the middle of its
	// pass, nor for those who catch up. These have what is left of the slice, and at least a quarter each.
	waiting := len(sh.queue)
	freshEnd, pumpEnd := end, end
	if waiting > 0 || len(sh.pumping) > 0 {
		freshEnd = end.Add(-slice / 2)
	}
	if waiting > 0 {
		pumpEnd = end.Add(-slice / 4)
	}
	sh.serveTopics(&sh.fresh, len(sh.fresh), freshEnd)
	for len(sh.pumping) > 0 && sh.timeLeft(pumpEnd) {
		s := sh.pumping[0]
		sh.pumping[0] = nil
		sh.pumping = sh.pumping[1:]
		s.pumping = false
		s.pump()
	}
	sh.serveTopics(&sh.queue, waiting, end)
	return len(sh.fresh) > 0 || len(sh.queue) > 0 || len(sh.pumping) > 0
}

// serveTopics serves the first n topics of a list once, as far as there is time until end, and takes them from it. Those
// that have more to do go to the end of the queue.
func (sh *Shard) serveTopics(list *[]*topic, n int, end time.Time) {
	for ; n > 0 && sh.timeLeft(end); n-- {
		t := (*list)[0] // it leaves the list only when the pass comes back: a panic must not cost the channel its service
		done := sh.pass(t, end)
		(*list)[0] = nil
		*list = (*list)[1:]
		if t.queued = !done; t.queued {
			sh.queue = append(sh.queue, t)
		}
	}
}

// collect takes over which topics have moved.
func (sh *Shard) collect() {
	sh.mu.Lock()
	dirty := sh.dirty
	sh.dirty = nil
	sh.mu.Unlock()
	for _, t := range dirty {
		t.watch.Clear() // before any cursor reads the tail: what is appended from here on is told again
		if t.queued {
			t.again = true
			continue
		}
		t.queued, t.pass, t.again = true, 0, false
		sh.fresh = append(sh.fresh, t)
	}
}

// pass serves the cursors of a topic, from where the pass stands until the end of the slice, and reports whether all
// stand at the tail.
func (sh *Shard) pass(t *topic, end time.Time) (done bool) {
	for t.pass < len(t.cursors) {
		i := t.pass
		t.pass++ // before serving, so that a removal knows that this one was served
		if more := sh.serve(t, uint32(i)); more {
			t.again = true
		}
		if sh.writes >= writesPerClock && !sh.timeLeft(end) {
			break
		}
	}
	if t.pass < len(t.cursors) {
		return false
	}
	if t.again {
		t.pass, t.again = 0, false
		return len(t.cursors) == 0
	}
	return true
}

// serve moves one cursor along in the course of a pass.
func (sh *Shard) serve(t *topic, index uint32) (more bool) {
	s := sh.sessions[t.cursors[index].slot]
	if s.blocked || s.pumping {
		if t.slow != nil && s.blocked {
			s.tooSlow(t, &t.cursors[index])
		}
		return false // it will be pumped
	}
	return s.serve(t, index)
}

func (sh *Shard) timeLeft(end time.Time) bool {
	sh.writes = 0
	return time.Now().Before(end)
}

// pumpLater queues a session whose cursors all have to be looked at.
func (sh *Shard) pumpLater(s *Session) {
	if !s.pumping {
		s.pumping = true
		sh.pumping = append(sh.pumping, s)
		sh.loop.Wake()
	}
}

// frames returns the frames at a place of a log, and remembers them.
func (sh *Shard) frames(log *channel.Log, f channel.FormatID, next wire.Offset) (channel.Batch, bool) {
	l := &sh.last
	if l.log == log && l.format == f && l.batch.First == next && l.batch.After > log.Tail() {
		return l.batch, next >= log.Head()
	}
	batch, ok := log.Frames(f, next, cursorBudget)
	if ok {
		*l = lastBatch{log: log, format: f, batch: batch}
	}
	return batch, ok
}
