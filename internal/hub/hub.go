// Package hub is where sessions, the server API and the gateway's own sources meet: whatever they ask is checked against
// their rights here, once, and then routed to the engine or to a method.
//
//	hub.go        Hub, and who may come in
//	publish.go    messages on their way to the engine
//	broadcast.go  one message for several channels
//	namespace.go  what holds for a channel beside the rights of principals
//	history.go    pages of what the engine keeps
//	list.go       pages of the channels there are
//	patterns.go   channels found by patterns, and told of when they appear
//	call.go       calls on their way to whoever answers them
//	ask.go        calls of those who may block
//	exchange.go   what passes between a caller and a callee
//	services.go   methods that sessions serve, and what waits for them
//	several.go    calls that several sessions are asked
//	handle.go     methods that the embedding program serves
//	hooks.go      what the embedding program wants to be asked, and told
//	presence.go   who is here
//	credit.go     how many parts of a result may be sent ahead
//	directory.go  which sessions a user has
//	workers.go    where handlers and hooks run
//	metrics.go    what is counted
//	keep/         sessions that outlive their lines
//	trie/         patterns found by the names they stand for
package hub

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/hub/presence"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Options configure a [Hub]. Engine and Authenticator are required.
type Options struct {
	Engine        engine.Engine
	Authenticator auth.Authenticator
	NodeID        string
	MaxSessions   int // 0: no limit
	MaxPerUser    int // sessions of one user; 0: no limit
	MaxMessage    int // bytes of one message's payload; 0: 64 KiB
	Calls         CallLimits
	Hooks         Hooks
	Presence      *presence.Registry // nil: no channel has presence. The hub closes it
	Logger        *slog.Logger
	// Namespace is what holds for a channel; nil: the same for all. What it returns may change.
	Namespace func(wire.ChannelName) *Namespace
}

// Hub routes. It is safe for concurrent use.
type Hub struct {
	opts      Options
	live      live // what of the options may change
	log       *slog.Logger
	methods   map[string]Method
	handlers  sync.Map // of Handler, by method
	services  *services
	lines     Lines // set once
	directory *Directory
	here      *presence.Node // this node's part of the presence; nil where there is none
	calls     *workers       // run handlers
	ctx       context.Context
	cancel    context.CancelFunc // ends ctx, and with it the calls
	workers   chan struct{}      // one place for each authentication under way
	hooks     *hooking
	following following
	draining  atomic.Bool
	closed    atomic.Bool

	refusalTold atomic.Int64 // the second of the last refusal in the log

	Metrics Metrics
}

// maxAuthentications bounds the authentications under way; more wait for their turn.
const maxAuthentications = 64

// New returns a hub that answers the built-in methods.
func New(opts Options) *Hub {
	if opts.MaxMessage == 0 {
		opts.MaxMessage = 64 << 10
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	opts.Calls = opts.Calls.withDefaults()
	if opts.Namespace == nil {
		plain := &Namespace{Create: true}
		opts.Namespace = func(wire.ChannelName) *Namespace { return plain }
	}
	ctx, cancel := context.WithCancel(context.Background())
	h := &Hub{
		following: following{expanding: newWorkers(expandWorkers, expandsWaiting)},
		calls:     newWorkers(opts.Calls.Workers, opts.Calls.Waiting),
		services:  newServices(opts.Calls.Waiting),
		directory: newDirectory(opts.MaxPerUser),
		here:      newHere(&opts),
		ctx:       ctx,
		cancel:    cancel,
		hooks:     newHooking(opts.Hooks),
		opts:      opts,
		log:       opts.Logger,
		methods:   builtin(),
		workers:   make(chan struct{}, maxAuthentications),
	}
	if announcer, ok := opts.Engine.(engine.Announcer); ok {
		announcer.Announce(h.appeared)
	}
	h.Admit(Admission{opts.Authenticator, opts.MaxSessions, opts.MaxPerUser})
	return h
}

// NodeID names this node.
func (h *Hub) NodeID() string { return h.opts.NodeID }

// Logger is for whoever serves the hub's sessions.
func (h *Hub) Logger() *slog.Logger { return h.log }

// Engine returns the engine beneath.
func (h *Hub) Engine() engine.Engine { return h.opts.Engine }

// Authenticate finds out whom the credential stands for.
func (h *Hub) Authenticate(ctx context.Context, c auth.Credential) (*auth.Principal, error) {
	principal, err := h.live.admission().Authenticator.Authenticate(ctx, c)
	if err != nil {
		h.Metrics.AuthFailures.Add(1)
		h.logRefusal(c, err)
	}
	return principal, err
}

// Recognize finds out who a request is from that shows no credential; nil when that is not known.
func (h *Hub) Recognize(ctx context.Context) (*auth.Principal, error) {
	before, ok := h.live.admission().Authenticator.(auth.Before)
	if !ok {
		return nil, nil
	}
	principal, err := before.First(ctx, "")
	if err != nil {
		h.Metrics.AuthFailures.Add(1)
	}
	return principal, err
}

// logRefusal tells the operator that a credential was refused, at most once a second: the metric counts them all.
func (h *Hub) logRefusal(c auth.Credential, err error) {
	second := time.Now().Unix()
	if h.refusalTold.Swap(second) != second {
		h.log.Warn("a credential was refused", "from", c, "reason", wire.AsError(err).Message)
	}
}

// AuthenticateAsync does the same on a worker, and calls done there.
func (h *Hub) AuthenticateAsync(ctx context.Context, c auth.Credential, done func(*auth.Principal, error)) {
	go func() {
		h.workers <- struct{}{}
		defer func() { <-h.workers }()
		done(h.Authenticate(ctx, c))
	}()
}

// Enter counts a session in. It is refused while the node drains, and when the node is full.
func (h *Hub) Enter() error {
	if h.draining.Load() {
		return wire.Errorf(wire.CodeUnavailable, "node %s is shutting down: connect again, to another", h.opts.NodeID)
	}
	limit := h.live.admission().MaxSessions
	if n := h.Metrics.Sessions.Add(1); limit > 0 && n > int64(limit) {
		h.Metrics.Sessions.Add(-1)
		return wire.Errorf(wire.CodeResourceExhausted, "node %s has %d sessions, which is its limit: try again later", h.opts.NodeID, limit)
	}
	h.Metrics.SessionsOpened.Add(1)
	return nil
}

// Leave counts a session out that Enter counted in.
func (h *Hub) Leave() { h.Metrics.Sessions.Add(-1) }

// Drain refuses new sessions from now on.
func (h *Hub) Drain() { h.draining.Store(true) }

// Draining reports whether Drain was called.
func (h *Hub) Draining() bool { return h.draining.Load() }

// Close refuses publishes and reads from now on, and ends the calls that are under way: the engine is about to close.
func (h *Hub) Close() {
	h.closed.Store(true)
	h.cancel()
	h.opts.Presence.Close()
}

// Watch lets w watch the channel on behalf of a principal, and returns the log to read.
func (h *Hub) Watch(by *auth.Principal, name wire.ChannelName, w *channel.Watch) (*channel.Log, error) {
	if err := h.MaySubscribe(by, name); err != nil {
		return nil, err
	}
	return h.opts.Engine.Watch(name, w)
}

// Prepare reports whether Watch returns the channel at once. If not, ready is called once, on any goroutine, when it
// does. By then the principal's right has been checked, and where it is missing there is nothing to wait for.
func (h *Hub) Prepare(by *auth.Principal, name wire.ChannelName, ready func()) bool {
	p, ok := h.opts.Engine.(engine.Preparer)
	return !ok || h.MaySubscribe(by, name) != nil || p.Prepare(name, ready)
}

// MaySubscribe checks the name and the principal's right to subscribe to it.
func (h *Hub) MaySubscribe(by *auth.Principal, name wire.ChannelName) error {
	if err := name.Check(); err != nil {
		return err
	}
	if tells, err := h.mayFollow(by, name); tells {
		return err
	}
	return h.may(by, auth.Subscribe, name)
}
