package engine

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// mapShards spreads the channel map over that many locks, so that publishers to different channels do not meet.
const mapShards = 64

// MemoryOptions configure a [Memory]. Space is required.
type MemoryOptions struct {
	Space *channel.Space
	// Retention says what a channel keeps, by its name; nil means channel.DefaultRetention for all.
	Retention func(wire.ChannelName) channel.Retention
	// Policy says how long a channel lives, by its name; nil means for ever. What it says may change.
	Policy func(wire.ChannelName) Policy
	// SweepEvery is the time between two looks for what has grown old. 0 means 5 s.
	SweepEvery time.Duration
	// IdleAfter is how long an empty channel without subscribers is remembered: until then, its numbering goes on.
	// 0 means 10 min.
	IdleAfter time.Duration
}

// Memory is the engine whose logs live in this process alone. A message is as durable as the process: a restart
// begins every channel anew, under a new epoch.
type Memory struct {
	Herald

	opts     MemoryOptions
	seed     maphash.Seed
	shards   [mapShards]mapShard
	relief   Relief
	relieved atomic.Int64

	stop chan struct{}
	done sync.WaitGroup
}

type mapShard struct {
	mu   sync.RWMutex // guards logs
	logs map[wire.ChannelName]*channel.Log
}

var (
	_ Engine    = (*Memory)(nil)
	_ Lister    = (*Memory)(nil)
	_ Announcer = (*Memory)(nil)
	_ Refresher = (*Memory)(nil)
)

// NewMemory starts a memory engine; [Memory.Close] ends it.
func NewMemory(opts MemoryOptions) *Memory {
	if opts.Retention == nil {
		opts.Retention = func(wire.ChannelName) channel.Retention { return channel.DefaultRetention() }
	}
	if opts.Policy == nil {
		opts.Policy = Plain
	}
	if opts.SweepEvery == 0 {
		opts.SweepEvery = 5 * time.Second
	}
	if opts.IdleAfter == 0 {
		opts.IdleAfter = 10 * time.Minute
	}
	e := &Memory{opts: opts, seed: maphash.MakeSeed(), stop: make(chan struct{})}
	for i := range e.shards {
		e.shards[i].logs = make(map[wire.ChannelName]*channel.Log)
	}
	e.done.Go(e.sweepLoop)
	return e
}

// placedPool spares every append the slice for its outcome.
var placedPool = sync.Pool{New: func() any { return new([]channel.Placed) }}

// Append implements [Engine]; done is called before it returns.
func (e *Memory) Append(name wire.ChannelName, records []channel.Record, done func(wire.Epoch, []channel.Placed, error)) {
	e.relieve()
	buf := placedPool.Get().(*[]channel.Placed)
	defer placedPool.Put(buf)
	create := len(records) > 0 && records[0].Create
	for {
		log, err := e.open(name, create)
		if err != nil {
			done("", nil, err)
			return
		}
		placed, err := log.Append(records, (*buf)[:0])
		if errors.Is(err, channel.ErrClosed) {
			e.remove(log) // evicted since it was looked up
			continue
		}
		*buf = placed
		done(log.Epoch(), placed, nil)
		return
	}
}

// Watch implements [Engine].
func (e *Memory) Watch(name wire.ChannelName, w *channel.Watch) (*channel.Log, error) {
	e.relieve()
	for {
		log, err := e.open(name, false)
		if err != nil {
			return nil, err
		}
		if log.Watch(w) {
			return log, nil
		}
		e.remove(log)
	}
}

// Read implements [Engine]; done is called before it returns.
func (e *Memory) Read(name wire.ChannelName, q channel.Query, done func(channel.Run, error)) {
	log, err := e.open(name, false)
	if err != nil {
		done(channel.Run{}, err)
		return
	}
	done(log.Run(&q, channel.Archive{}), nil)
}

// Stats implements [Engine].
func (e *Memory) Stats() Stats {
	budget := e.opts.Space.Budget()
	stats := Stats{MemoryBytes: budget.Used(), MemoryLimit: max(budget.Limit(), 0), Relieved: e.relieved.Load()}
	for i := range e.shards {
		s := &e.shards[i]
		s.mu.RLock()
		stats.Channels += len(s.logs)
		s.mu.RUnlock()
	}
	return stats
}

// Refresh implements [Refresher].
func (e *Memory) Refresh() {
	for _, log := range e.all() {
		log.SetRetention(e.opts.Retention(log.Name()))
	}
}

// Close implements [Engine].
func (e *Memory) Close(context.Context) error {
	close(e.stop)
	e.done.Wait()
	return nil
}

func (e *Memory) shard(name wire.ChannelName) *mapShard {
	return &e.shards[maphash.String(e.seed, string(name))%mapShards]
}

// open returns the channel's log, a new one when there is none, and the channel's policy and memory allow it. create asks for
// it in any case.
func (e *Memory) open(name wire.ChannelName, create bool) (*channel.Log, error) {
	s := e.shard(name)
	s.mu.RLock()
	log := s.logs[name]
	s.mu.RUnlock()
	if log != nil {
		return log, nil
	}
	if !create && e.opts.Policy(name).Given {
		return nil, Unmade(name)
	}
	if !e.relieve() {
		return nil, wire.Errorf(wire.CodeResourceExhausted,
			"the gateway's memory for channels is spent, so no new channel can be made: raise memory.log_bytes, or use fewer channels")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if log = s.logs[name]; log == nil {
		// The name may alias a frame or a larger string; a log outlives both.
		name = wire.ChannelName(strings.Clone(string(name)))
		log = e.opts.Space.NewLog(name, NewEpoch(), e.opts.Retention(name))
		s.logs[name] = log
		e.Appeared(name) // below the lock: nobody finds it before
	}
	return log, nil
}

// remove takes a closed log out of the map, unless another has its place already.
func (e *Memory) remove(log *channel.Log) {
	s := e.shard(log.Name())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.logs[log.Name()] == log {
		delete(s.logs, log.Name())
	}
}

// NewEpoch names a numbering: 40 random bits, so that two numberings of one channel share a name once in 10^12.
func NewEpoch() wire.Epoch {
	var b [5]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return wire.Epoch(strings.ToLower(base32.StdEncoding.EncodeToString(b[:])))
}
