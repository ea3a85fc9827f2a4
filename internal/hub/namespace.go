package hub

import (
	"strings"
	"sync/atomic"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Namespace is what holds for a channel beside the rights of principals.
type Namespace struct {
	MaxMessage int // bytes of one message's payload; 0: as for all
	// Publish, Subscribe and SeeMembers tell which users may do so without a right of their own; nil: nobody. They are not
	// asked about the gateway's own channels.
	Publish, Subscribe, SeeMembers func(user string) bool
	// Create has the channel made by use. Otherwise those make it, by publishing, who have [CreateRight].
	Create bool
}

// CreateRight is what a principal must be allowed to call to make channels that are not made by use.
const CreateRight wire.ChannelName = wire.SystemPrefix + "create"

// may checks the right of a principal, or what the channel's namespace gives to all.
func (h *Hub) may(by *auth.Principal, action auth.Action, name wire.ChannelName) error {
	if by.Has(action, name) {
		return nil
	}
	namespace := h.opts.Namespace(name)
	given := namespace.Publish
	switch action { //nolint:exhaustive // namespaces give no others
	case auth.Subscribe:
		given = namespace.Subscribe
	case auth.Presence:
		given = namespace.SeeMembers
	}
	if given != nil && !strings.HasPrefix(string(name), wire.SystemPrefix) && given(by.UserID) {
		return nil
	}
	return by.May(action, name)
}

// mayCreate reports whether what a principal publishes may make the channel. Where use makes it, the engine does not ask.
func (h *Hub) mayCreate(by *auth.Principal, name wire.ChannelName) bool {
	return by.Method == auth.MethodInternal || !h.opts.Namespace(name).Create && by.Has(auth.Call, CreateRight)
}

// Admission says who may come in.
type Admission struct {
	Authenticator auth.Authenticator
	MaxSessions   int // 0: no limit
	MaxPerUser    int // sessions of one user; 0: no limit
}

// live is what may change while the hub is in use.
type live struct {
	current atomic.Pointer[Admission]
}

func (l *live) admission() *Admission { return l.current.Load() }

// Admit changes who may come in. Whoever is in, stays.
func (h *Hub) Admit(a Admission) {
	h.live.current.Store(&a)
	h.directory.most.Store(int64(a.MaxPerUser))
}

// PublishOwn publishes a message of the gateway's own to one of its channels, to which nobody else can. Its errors are
// *wire.Error.
func (h *Hub) PublishOwn(name wire.ChannelName, p wire.Publication, done func(error)) {
	if h.closed.Load() {
		done(wire.Errorf(wire.CodeUnavailable, "node %s has shut down", h.opts.NodeID))
		return
	}
	record := channel.Record{Publication: p, Publisher: ownPublisher, Create: true}
	h.opts.Engine.Append(name, []channel.Record{record}, func(_ wire.Epoch, _ []channel.Placed, err error) { done(err) })
}

// ownPublisher is whose the gateway's own messages are.
const ownPublisher = "magpie"
