package hub

import (
	"cmp"
	"container/heap"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Server is a session that calls can be brought to.
type Server interface {
	// Ask brings a call, which the registration has counted in; the server calls its Release at the end of the call.
	// Called by any goroutine.
	Ask(from Home, x *Exchange, r *Registration)
}

// maxWaitingBytes bounds the payloads of all calls that wait for a server, whatever their methods; and likewise of those that
// wait for a worker.
const maxWaitingBytes = 16 << 20

// services are the methods that sessions serve. Safe for concurrent use.
type services struct {
	mostWaiting  int          // calls of one method that wait for a server
	waitingBytes atomic.Int64 // of their payloads, all methods together

	mu sync.RWMutex // guards by
	by map[string]*service
}

// service is one method and the sessions that serve it. What cannot be given to one at once waits, in order.
type service struct {
	all    *services
	method string

	mu      sync.Mutex // guards the fields below
	servers []*Registration
	free    freeServers // those that take another call
	queue   []*Exchange // some of them may be over
	waiting int         // those that are not
	turn    uint64
	closed  bool // nobody serves the method any more
}

// Registration is one session's serving of one method. Its fields are guarded by the service's mutex.
type Registration struct {
	service     *service
	server      Server
	concurrency int
	inFlight    int
	turn        uint64 // of the service when it was given its last call
	at          int    // in free; -1 when it is not there
	full        bool   // its client reads too slowly
	closed      bool
}

func newServices(mostWaiting int) *services {
	return &services{mostWaiting: mostWaiting, by: make(map[string]*service)}
}

func (a *services) find(method string) *service {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.by[method]
}

// register has calls of a method brought to a server, at most concurrency at a time.
func (a *services) register(method string, server Server, concurrency int) *Registration {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.by[method]
	if s == nil {
		s = &service{all: a, method: method}
		a.by[method] = s
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &Registration{service: s, server: server, concurrency: concurrency, at: -1}
	s.servers = append(s.servers, r)
	s.settle(r)
	return r
}

// place gives a call to the server that has the fewest in flight, or has it wait: also when others do, and a server has
// just become free, which is theirs.
func (s *service) place(x *Exchange) error {
	s.mu.Lock()
	switch {
	case s.closed:
		s.mu.Unlock()
		return errClosed
	case len(s.free) > 0 && len(s.queue) == 0:
		r := s.free[0]
		s.give(r)
		s.mu.Unlock()
		r.server.Ask(x.From, x, r)
		return nil
	}
	err := s.enqueue(x)
	s.mu.Unlock()
	s.feedFree(x.From)
	return err
}

// give counts a call in; s.mu is held.
func (s *service) give(r *Registration) {
	s.turn++
	r.inFlight++
	r.turn = s.turn
	s.settle(r)
}

// settle puts a registration where it belongs in free, or takes it out; s.mu is held.
func (s *service) settle(r *Registration) {
	eligible := r.inFlight < r.concurrency && !r.full && !r.closed
	switch {
	case eligible && r.at < 0:
		heap.Push(&s.free, r)
	case eligible:
		heap.Fix(&s.free, r.at)
	case r.at >= 0:
		heap.Remove(&s.free, r.at)
	}
}

// enqueue has a call wait; s.mu is held.
func (s *service) enqueue(x *Exchange) error {
	size := int64(len(x.Payload.Bytes))
	if s.waiting >= s.all.mostWaiting || s.all.waitingBytes.Load()+size > maxWaitingBytes {
		return wire.Errorf(wire.CodeResourceExhausted,
			"all who serve the method %q are busy, and %d calls wait for one: call again in a while", s.method, s.waiting)
	}
	s.wait(len(s.queue), x)
	return nil
}

// wait puts a call into the queue, unless nobody waits for an answer any more; s.mu is held.
func (s *service) wait(at int, x *Exchange) {
	if !x.queued(s) {
		return
	}
	x.Keep()
	s.all.waitingBytes.Add(int64(len(x.Payload.Bytes)))
	s.waiting++
	s.queue = slices.Insert(s.queue, at, x)
}

// forget takes a call out of the queue that is over.
func (s *service) forget(x *Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(s.queue, x)
	if at < 0 {
		return // given to a server meanwhile
	}
	s.queue = slices.Delete(s.queue, at, at+1)
	s.left(x)
}

// left counts a call out of the queue; s.mu is held.
func (s *service) left(x *Exchange) {
	s.waiting--
	s.all.waitingBytes.Add(-int64(len(x.Payload.Bytes)))
}

// next takes the first call out of the queue that somebody still waits for, if r can take it; s.mu is held.
func (s *service) next(r *Registration) *Exchange {
	for len(s.queue) > 0 && r.at >= 0 {
		x := s.queue[0]
		s.queue[0] = nil
		if s.queue = s.queue[1:]; len(s.queue) == 0 {
			s.queue = nil
		}
		s.left(x)
		if !x.gone() {
			s.give(r)
			return x
		}
	}
	return nil
}

// feed gives a server that has room again what waits.
func (s *service) feed(from Home, r *Registration) {
	for {
		s.mu.Lock()
		x := s.next(r)
		s.mu.Unlock()
		if x == nil {
			return
		}
		r.server.Ask(from, x, r)
	}
}

// feedFree gives what waits to a server that has room already.
func (s *service) feedFree(from Home) {
	s.mu.Lock()
	if len(s.free) == 0 {
		s.mu.Unlock()
		return
	}
	r := s.free[0]
	s.mu.Unlock()
	s.feed(from, r)
}

// Release counts a call out that the registration had counted in.
func (r *Registration) Release(from Home) {
	s := r.service
	s.mu.Lock()
	r.inFlight--
	s.settle(r)
	waits := len(s.queue) > 0
	s.mu.Unlock()
	if waits {
		s.feed(from, r)
	}
}

// Return gives a call back that the server cannot take after all, which it has not told anybody of: another one takes it,
// or it waits, before all others. It was let in before, so the bounds of what waits do not hold for it.
func (r *Registration) Return(from Home, x *Exchange) {
	s := r.service
	s.mu.Lock()
	r.inFlight--
	s.settle(r)
	if s.closed {
		s.mu.Unlock()
		x.Fail(from, errLast(s.method))
		return
	}
	s.wait(0, x)
	s.mu.Unlock()
	s.feedFree(from)
}

// SetConcurrency changes how many calls the server takes at a time. What it has in hand goes on.
func (r *Registration) SetConcurrency(from Home, concurrency int) {
	r.change(from, func() { r.concurrency = concurrency })
}

// SetFull tells that the server's client reads too slowly to be given more calls, or that it does not any longer.
func (r *Registration) SetFull(from Home, full bool) { r.change(from, func() { r.full = full }) }

func (r *Registration) change(from Home, do func()) {
	s := r.service
	s.mu.Lock()
	do()
	s.settle(r)
	s.mu.Unlock()
	s.feed(from, r)
}

// Close brings the server no more calls. Those in hand go on. What waited for the last of the servers fails.
func (r *Registration) Close(from Home) {
	s := r.service
	s.all.mu.Lock()
	s.mu.Lock()
	r.closed = true
	s.settle(r)
	if at := slices.Index(s.servers, r); at >= 0 {
		s.servers = slices.Delete(s.servers, at, at+1)
	}
	var stranded []*Exchange
	if len(s.servers) == 0 && !s.closed {
		s.closed = true
		delete(s.all.by, s.method)
		stranded = s.queue
		for _, x := range stranded {
			s.left(x)
		}
		s.queue = nil
	}
	s.mu.Unlock()
	s.all.mu.Unlock()
	for _, x := range stranded {
		x.Fail(from, errLast(s.method))
	}
}

func errLast(method string) error {
	return wire.Errorf(wire.CodeUnavailable, "the last who served the method %q has gone", method)
}

// errClosed tells that the last server has gone since the service was found: there may be another by that name.
var errClosed = errors.New("hub: the service is closed")

// ServiceInfo tells how a method stands that sessions serve.
type ServiceInfo struct {
	Method   string
	Servers  int
	InFlight int
	Queued   int
}

// Services tells which methods sessions serve, by name.
func (h *Hub) Services() []ServiceInfo {
	h.services.mu.RLock()
	defer h.services.mu.RUnlock()
	all := make([]ServiceInfo, 0, len(h.services.by))
	for _, s := range h.services.by {
		s.mu.Lock()
		info := ServiceInfo{Method: s.method, Servers: len(s.servers), Queued: s.waiting}
		for _, r := range s.servers {
			info.InFlight += r.inFlight
		}
		s.mu.Unlock()
		all = append(all, info)
	}
	slices.SortFunc(all, func(a, b ServiceInfo) int { return cmp.Compare(a.Method, b.Method) })
	return all
}

// freeServers orders registrations by what they have in flight, and those that are even by whose turn it is: a heap
// (heap.Interface).
type freeServers []*Registration

func (f freeServers) Len() int { return len(f) }

func (f freeServers) Less(i, j int) bool {
	if f[i].inFlight != f[j].inFlight {
		return f[i].inFlight < f[j].inFlight
	}
	return f[i].turn < f[j].turn
}

func (f freeServers) Swap(i, j int) {
	f[i], f[j] = f[j], f[i]
	f[i].at, f[j].at = i, j
}

// Push adds a registration; for package heap.
func (f *freeServers) Push(r any) {
	added := r.(*Registration) //nolint:forcetypeassert // nothing else is pushed
	added.at = len(*f)
	*f = append(*f, added)
}

// Pop takes the last one out; for package heap.
func (f *freeServers) Pop() any {
	last := len(*f) - 1
	r := (*f)[last]
	(*f)[last] = nil
	*f = (*f)[:last]
	r.at = -1
	return r
}
