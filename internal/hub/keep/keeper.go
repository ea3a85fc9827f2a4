package keep

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Session is what is kept of a session.
type Session struct {
	ID       wire.SessionID
	User     string
	Channels []wire.ChannelName // it has subscribed, by their names, and patterns
	Joined   []wire.ChannelName // it has by patterns alone
	Active   time.Time          // when it was last connected
}

// Place is where a session lives: a loop of the node, and a slot there.
type Place struct {
	Loop int
	Slot uint32
}

// Options configure a [Keeper]. The zero value keeps sessions in memory.
type Options struct {
	// Within is how long a session can be resumed after its line broke. 0 means 30 min.
	Within time.Duration
	// SweepEvery is the time between two looks for sessions that are kept for too long. 0 means 5 min.
	SweepEvery time.Duration
	// Most bounds the sessions kept, MostPerUser those of one user; the oldest give way. 0 means 100,000 and 16.
	Most, MostPerUser int
	// Budget is charged for what is kept, at most a sixteenth of it; beyond that the oldest give way too. Nil: nothing
	// counts it.
	Budget *channel.Budget
	// Store keeps sessions over restarts. Nil: they end with the process.
	Store Store
	// Logger hears what goes wrong with the store. Nil: nobody hears.
	Logger *slog.Logger
	// Now is the time; nil means time.Now.
	Now func() time.Time
}

// budgetShare is the part of the budget that kept sessions may take.
const budgetShare = 16

// secretBytes is the length of the node's secret.
const secretBytes = 32

// Keeper keeps the sessions of a node whose lines broke. It is safe for concurrent use.
type Keeper struct {
	opts   Options
	secret []byte
	saver  *saver // nil without a store

	mu    sync.Mutex // guards the fields below
	kept  map[wire.SessionID]*entry
	users map[string][]*entry // of each user, oldest first
	all   queue
	bytes int
	moved map[wire.SessionID]Place // that live where their id does not say

	draining bool // the process is about to end

	stop    chan struct{}
	running sync.WaitGroup

	Metrics Metrics
}

// New returns a keeper; [Keeper.Close] ends it. It fails when the store cannot be read.
func New(opts Options) (*Keeper, error) {
	opts.complete()
	k := &Keeper{
		opts:  opts,
		kept:  make(map[wire.SessionID]*entry),
		users: make(map[string][]*entry),
		moved: make(map[wire.SessionID]Place),
		stop:  make(chan struct{}),
	}
	if opts.Store == nil {
		k.secret = make([]byte, secretBytes)
		_, _ = rand.Read(k.secret) // never fails (crypto/rand)
	} else {
		var err error
		if k.saver, k.secret, err = newSaver(&k.opts, &k.Metrics); err != nil {
			return nil, err
		}
		k.running.Go(func() { k.saver.loop(k.stop) })
	}
	k.running.Go(k.sweepLoop)
	return k, nil
}

func (o *Options) complete() {
	if o.Within == 0 {
		o.Within = 30 * time.Minute
	}
	if o.SweepEvery == 0 {
		o.SweepEvery = 5 * time.Minute
	}
	if o.Most == 0 {
		o.Most = 100_000
	}
	if o.MostPerUser == 0 {
		o.MostPerUser = 16
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// NewSeal returns what makes and opens the tokens of this node.
func (k *Keeper) NewSeal() *Seal { return newSeal(k.secret) }

// Saves reports whether sessions are on disk as well, so that changes of those that live have to be told.
func (k *Keeper) Saves() bool { return k.saver != nil }

// Keep takes a session whose line broke, for the time and within the bounds of the options.
func (k *Keeper) Keep(s Session) {
	now := k.opts.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.moved, s.ID)
	if earlier := k.kept[s.ID]; earlier != nil {
		k.drop(earlier)
	}
	e := newEntry(s, now)
	k.kept[e.id] = e
	k.all.add(e)
	k.users[e.user] = append(k.users[e.user], e)
	k.charge(e.accountedSize)
	k.Metrics.Kept.Add(1)
	s.Active = now
	k.save(s, false)
	for len(k.users[e.user]) > k.opts.MostPerUser {
		k.giveWay(k.users[e.user][0])
	}
	for len(k.kept) > k.opts.Most || len(k.kept) > 1 && k.bytes > k.mostBytes() {
		k.giveWay(k.all.oldest)
	}
}

// giveWay makes room for another session; mu is held. While the node drains only memory is short: all its sessions lose their
// lines now, and are to find themselves on disk.
func (k *Keeper) giveWay(e *entry) {
	if k.draining {
		k.drop(e)
		return
	}
	k.end(e)
}

// Drain tells that the process is about to end: with a store, all sessions whose lines end from now on can be resumed
// when it is back, however many they are.
func (k *Keeper) Drain() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.draining = true
}

// mostBytes is what kept sessions may take.
func (k *Keeper) mostBytes() int {
	if b := k.opts.Budget; b != nil && b.Limit() > 0 {
		return int(b.Limit() / budgetShare)
	}
	return int(^uint(0) >> 1)
}

// Take gives a kept session to whoever resumes it at a place: from now on it lives there.
func (k *Keeper) Take(id wire.SessionID, at Place) (s Session, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.kept[id]
	if e == nil {
		return s, false
	}
	if k.expired(e.active) {
		k.end(e)
		return s, false
	}
	k.drop(e)
	k.moved[id] = at
	return e.session(), true
}

// Move tells that a session that was taken from its line lives at a place from now on.
func (k *Keeper) Move(id wire.SessionID, to Place) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.moved[id] = to
}

// Where returns the place of a session that was resumed and lives. Of one that never was, its id says where it lives.
func (k *Keeper) Where(id wire.SessionID) (at Place, known bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at, known = k.moved[id]
	return at, known
}

// Adopt gives a session that was loaded to whoever resumes it at a place; false when somebody else was quicker.
func (k *Keeper) Adopt(id wire.SessionID, at Place) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, lives := k.moved[id]; lives || k.kept[id] != nil {
		return false
	}
	k.moved[id] = at
	return true
}

// Forget tells that a session has ended for good.
func (k *Keeper) Forget(id wire.SessionID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.moved, id)
	k.remove(id)
}

// Live tells what a session that lives has come to. Only what saves needs to know.
func (k *Keeper) Live(s Session) {
	s.Active = k.opts.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.save(s, true)
}

// Due has f called soon, and then forgotten: it is to tell, by [Keeper.Live], of the sessions that have changed.
func (k *Keeper) Due(f func()) {
	if k.saver != nil {
		k.saver.due(f)
	}
}

// Load looks on disk for a session of before the gateway was started. It reports whether there is anything to look
// through; then done is called once, on any goroutine. The session is nobody's until [Keeper.Adopt].
func (k *Keeper) Load(id wire.SessionID, done func(s Session, ok bool)) bool {
	if k.saver == nil {
		return false
	}
	k.saver.load(id, done)
	return true
}

func (k *Keeper) expired(active time.Time) bool { return k.opts.Now().Sub(active) >= k.opts.Within }

// save and remove tell the disk; mu is held, so that it hears of things in their order.
func (k *Keeper) save(s Session, lives bool) {
	if k.saver != nil {
		k.saver.put(s.ID, &record{session: s, lives: lives})
	}
}

func (k *Keeper) remove(id wire.SessionID) {
	if k.saver != nil {
		k.saver.put(id, nil)
	}
}

// end gives a kept session up; mu is held.
func (k *Keeper) end(e *entry) {
	k.drop(e)
	k.remove(e.id)
}

// drop takes an entry out of the lists; mu is held.
func (k *Keeper) drop(e *entry) {
	delete(k.kept, e.id)
	k.all.remove(e)
	of := k.users[e.user]
	if at := slices.Index(of, e); len(of) > 1 {
		k.users[e.user] = slices.Delete(of, at, at+1)
	} else {
		delete(k.users, e.user)
	}
	k.charge(-e.accountedSize)
	k.Metrics.Kept.Add(-1)
}

func (k *Keeper) charge(n int) {
	k.bytes += n
	k.opts.Budget.Charge(n)
}

func (k *Keeper) sweepLoop() {
	ticker := time.NewTicker(k.opts.SweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-k.stop:
			return
		case <-ticker.C:
			k.Sweep()
		}
	}
}

// sweepAtOnce bounds how many sessions are ended while others wait for the keeper.
const sweepAtOnce = 1000

// Sweep ends the sessions that were kept for their time. It is done in the background too.
func (k *Keeper) Sweep() {
	for k.sweepSome() {
	}
	if k.saver != nil {
		k.saver.sweep()
	}
}

func (k *Keeper) sweepSome() (more bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for range sweepAtOnce {
		if k.all.oldest == nil || !k.expired(k.all.oldest.active) {
			return false
		}
		k.end(k.all.oldest)
	}
	return true
}

// closeGrace is what the last writing is given even when there is no time left: it is quick, unless the disk hangs.
const closeGrace = 2 * time.Second

// Close writes what is not on disk yet. It returns soon after ctx has ended. Nothing is to be kept any more.
func (k *Keeper) Close(ctx context.Context) {
	close(k.stop)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		k.running.Wait()
		if k.saver != nil {
			k.saver.flush()
			k.saver.noteAlive()
		}
	}()
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	select {
	case <-ended:
	case <-time.After(closeGrace):
		k.opts.Logger.Warn("the last changes of sessions could not be written down in time")
	}
}
