package diskengine

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// topic is a channel as the engine has it: being loaded, or in memory.
type topic struct {
	name  wire.ChannelName
	level Level
	ready chan struct{} // closed when log or err is set

	log   *channel.Log // set once, before ready is closed
	err   error        // why there is no log; not set after ready is closed
	fresh bool         // the disk had nothing of it; set once, before ready is closed

	unmade bool // its loader's: err says that the channel is not made by use

	// Guarded by the mutex of the topic's shard.
	loaded  bool
	pins    int        // who uses it: it stays in the map as long as there are any
	create  bool       // somebody wants it who may make it
	waiting []*request // appends that came before it was loaded

	// The committer's, once it is loaded.
	id     uint64
	meta   meta
	stored bool            // meta on disk says all it must for the next append
	made   int64           // when the channel was made, as long as the disk does not say so
	adding []channel.Entry // of the group under way

	sum atomic.Uint64 // that of the newest record

	// The sweeper's: the oldest record that was kept when it last looked, and what that says of it. 0: it never did.
	swept     wire.Offset
	sweptTime int64
	sweptSum  uint64 // up to it and without it
}

// topicShards spreads the map over that many locks, so that publishers to different channels do not meet.
const topicShards = 64

// topics are the channels that are in memory, or on their way. Safe for concurrent use.
type topics struct {
	seed   maphash.Seed
	shards [topicShards]topicShard
}

type topicShard struct {
	mu     sync.Mutex // guards byName and what topic says of itself
	byName map[wire.ChannelName]*topic
}

func newTopics() *topics {
	ts := &topics{seed: maphash.MakeSeed()}
	for i := range ts.shards {
		ts.shards[i].byName = make(map[wire.ChannelName]*topic)
	}
	return ts
}

func (ts *topics) shard(name wire.ChannelName) *topicShard {
	return &ts.shards[maphash.String(ts.seed, string(name))%topicShards]
}

// pin returns the topic, a new one when there is none; whoever made it has to load it. Every pin is followed by an
// unpin. create says that the channel may be made.
func (ts *topics) pin(name wire.ChannelName, level func(wire.ChannelName) Level, create bool) (t *topic, fresh bool) {
	s := ts.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if t = s.byName[name]; t == nil {
		// The name may alias a frame or a larger string; a topic outlives both.
		name = wire.ChannelName(strings.Clone(string(name)))
		t = &topic{name: name, level: level(name), ready: make(chan struct{})}
		s.byName[name] = t
		fresh = true
	}
	t.pins++
	t.create = t.create || create
	return t, fresh
}

// mayCreate reports whether somebody wants the topic who may make it.
func (ts *topics) mayCreate(t *topic) bool {
	s := ts.shard(t.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.create
}

func (ts *topics) unpin(t *topic) {
	s := ts.shard(t.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	t.pins--
}

// park reports whether r has to wait until its topic is loaded, and keeps it until then. What was sent to the
// committer before stays before it.
func (ts *topics) park(r *request) bool {
	s := ts.shard(r.topic.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.topic.loaded {
		return false
	}
	r.topic.waiting = append(r.topic.waiting, r)
	return true
}

// finish ends the loading of t, with the log or the error that it has by now, and hands over who waited. appeared is told of
// a channel that is new. It is false, and has done nothing, where the channel was not made, and somebody wants it by now who
// may make it.
func (ts *topics) finish(t *topic, appeared func(wire.ChannelName), handOver func(waiting []*request)) bool {
	s := ts.shard(t.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.unmade && t.create {
		t.err = nil
		return false
	}
	if t.err == nil && t.fresh {
		appeared(t.name) // below the mutex: nobody finds it before
	}
	if t.err != nil && s.byName[t.name] == t {
		delete(s.byName, t.name) // the next one who asks tries again
	}
	waiting := t.waiting
	t.waiting, t.loaded = nil, true
	close(t.ready)
	handOver(waiting) // below the mutex: an append that finds it loaded must come behind these
	return true
}

// take puts a topic in the place of a channel that is not in memory, so that nobody loads it meanwhile. It returns nil
// when the channel is in memory. give is to follow.
func (ts *topics) take(name wire.ChannelName, level func(wire.ChannelName) Level) *topic {
	s := ts.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byName[name] != nil {
		return nil
	}
	t := &topic{name: name, level: level(name), ready: make(chan struct{})}
	s.byName[name] = t
	return t
}

// give ends take. It reports whether somebody has asked for the channel meanwhile, so that it has to be loaded.
func (ts *topics) give(t *topic) (wanted bool) {
	s := ts.shard(t.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.pins > 0 {
		return true
	}
	delete(s.byName, t.name)
	return false
}

// unload lets go of a topic, unless somebody uses it, and reports whether it did.
func (ts *topics) unload(t *topic) bool {
	s := ts.shard(t.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	unloaded := t.loaded && t.pins == 0 && s.byName[t.name] == t && t.log.Unload()
	if unloaded {
		delete(s.byName, t.name)
	}
	return unloaded
}

// loaded returns the topic if it is loaded, and nil otherwise.
func (ts *topics) loaded(name wire.ChannelName) *topic {
	s := ts.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.byName[name]; t != nil && t.loaded && t.err == nil {
		return t
	}
	return nil
}

// all returns the topics that are loaded.
func (ts *topics) all() []*topic {
	var all []*topic
	for i := range ts.shards {
		s := &ts.shards[i]
		s.mu.Lock()
		for _, t := range s.byName {
			if t.loaded && t.err == nil {
				all = append(all, t)
			}
		}
		s.mu.Unlock()
	}
	return all
}

// count returns how many there are.
func (ts *topics) count() (n int) {
	for i := range ts.shards {
		s := &ts.shards[i]
		s.mu.Lock()
		n += len(s.byName)
		s.mu.Unlock()
	}
	return n
}

// abandon takes away all appends that wait for topics to be loaded.
func (ts *topics) abandon() (waiting []*request) {
	for i := range ts.shards {
		s := &ts.shards[i]
		s.mu.Lock()
		for _, t := range s.byName {
			waiting = append(waiting, t.waiting...)
			t.waiting = nil
		}
		s.mu.Unlock()
	}
	return waiting
}
