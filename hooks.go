package magpie

import (
	"context"
	"encoding/json"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Hooks are functions that a gateway asks, or tells, at the turns of a client's life. Each may be nil. They may block: they
// run on goroutines apart from the lines, up to 64 at once, and ctx ends after 10 seconds; what the client asks for next waits
// for them. An [*Error] is told to the client as it is; any other error is logged, and the client is told internal and
// nothing of it; so is a panic.
//
// A hook can only refuse what the client's rights allow. What the program itself does with the [Gateway] is not asked about.
type Hooks struct {
	// Authenticate finds out whom a token stands for, before the ways of the configuration are tried: they are when it
	// returns neither an identity nor an error. The token is empty when the client shows none with its request; then ctx, which
	// has the values of the request's context, may hold what middleware has found out.
	Authenticate func(ctx context.Context, token string) (*Identity, error)
	// Connect may refuse a client before it is let in.
	Connect func(ctx context.Context, c Client) error
	// Subscribe may refuse a subscription, a page of history, and a subscription that a client that comes back had before.
	Subscribe func(ctx context.Context, c Client, channel string) error
	// Publish may refuse a message of a client, or change what it carries.
	Publish func(ctx context.Context, c Client, channel string, m *Message) error
	// Disconnect is told of the end of each client's line that Connect has let in.
	Disconnect func(c Client, reason string)
}

// Client is whom a hook is about.
type Client struct {
	UserID string
	Device string // empty where nobody has said
	// SessionID is empty for requests over plain HTTP. A client that resumes its session has the id that it had, unless that
	// session turns out to be gone.
	SessionID string
}

// Rights are lists of patterns: of channels that may be published to and subscribed, of methods that may be called and
// served, and of targets that calls may be directed at: user.<id>, session.<id>, or channels.
type Rights = auth.Grants

// Identity is who a client is.
type Identity struct {
	UserID  string    // required
	Device  string    // empty: as the client says
	TokenID string    // for operators, who can disconnect by it
	Expires time.Time // when the client is disconnected; the zero time: never
	Rights  Rights
}

func (h *Hooks) inner() hub.Hooks {
	var inner hub.Hooks
	if h.Connect != nil {
		inner.Connect = func(ctx context.Context, c hub.Client) error { return h.Connect(ctx, clientOf(c)) }
	}
	if h.Subscribe != nil {
		inner.Subscribe = func(ctx context.Context, c hub.Client, name wire.ChannelName) error {
			return h.Subscribe(ctx, clientOf(c), string(name))
		}
	}
	if h.Publish != nil {
		inner.Publish = h.publish
	}
	if h.Disconnect != nil {
		inner.Disconnect = func(c hub.Client, reason string) { h.Disconnect(clientOf(c), reason) }
	}
	return inner
}

func clientOf(c hub.Client) Client {
	return Client{UserID: c.Principal.UserID, Device: c.Principal.Device(), SessionID: string(c.Session)}
}

// publish asks the hook about a message, and takes over what it has changed.
func (h *Hooks) publish(ctx context.Context, c hub.Client, name wire.ChannelName, p *wire.Publication) error {
	m := messageOf(p)
	if err := h.Publish(ctx, clientOf(c), string(name), &m); err != nil {
		return err
	}
	changed, err := m.publish(string(name))
	if err != nil {
		return err
	}
	changed.Meta = p.Meta
	if len(p.Payload.Bytes) == 0 && changed.Payload.Kind == wire.PayloadNone {
		changed.Payload = p.Payload // an empty text is not nothing
	}
	*p = changed.Publication
	return nil
}

func messageOf(p *wire.Publication) Message {
	m := Message{ID: p.MessageID, Key: p.Key}
	if len(p.Tags) > 0 {
		m.Tags = make(map[string]string, len(p.Tags))
		for _, tag := range p.Tags {
			m.Tags[tag.Key] = tag.Value
		}
	}
	switch p.Payload.Kind {
	case wire.PayloadJSON:
		m.Data = json.RawMessage(p.Payload.Bytes)
	case wire.PayloadText:
		m.Text = string(p.Payload.Bytes)
	case wire.PayloadBytes:
		m.Bytes = p.Payload.Bytes
	case wire.PayloadNone:
	}
	return m
}

// authenticate makes a principal of who the hook says that it is.
func (h *Hooks) authenticate(ctx context.Context, token string) (*auth.Principal, error) {
	id, err := h.Authenticate(ctx, token)
	if id == nil || err != nil {
		return nil, err
	}
	rights, err := auth.NewRights(id.Rights)
	if err != nil {
		return nil, err
	}
	for _, text := range []string{id.UserID, id.Device, id.TokenID} {
		if err := auth.CheckID(text); err != nil {
			return nil, wire.Errorf(wire.CodeUnauthenticated, "an id of the user %s", err)
		}
	}
	if id.UserID == "" {
		return nil, wire.Errorf(wire.CodeUnauthenticated, "the client has no user id")
	}
	p := &auth.Principal{UserID: id.UserID, Method: auth.MethodEmbedded, Rights: rights}
	if !id.Expires.IsZero() {
		p.Expires = id.Expires.UnixMilli()
	}
	if id.Device != "" || id.TokenID != "" {
		p.Token = &auth.Token{DeviceID: id.Device, ID: id.TokenID}
	}
	return p, nil
}
