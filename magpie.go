// Package magpie embeds the gateway in a Go program.
//
// A [Gateway] is an http.Handler's worth of routes and the engine behind them. Mount it under any router, publish to its
// clients, and shut it down with the program:
//
//	gw, err := magpie.New(magpie.Options{JWTSecret: secret})
//	...
//	http.Handle("/", gw.Handler())
//	gw.Publish(ctx, "order.update", magpie.Message{Data: order})
//	gw.Handle("pricing.quote", magpie.Typed(quote))
//
// Clients connect to /ws, as with the magpie binary; protocol/SPEC.md is the contract. The WebSocket handshake is
// net/http's, so middleware in front of it works; it must leave the http.Hijacker reachable.
package magpie

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"unicode/utf8"

	"go.opentelemetry.io/otel/trace"

	"github.com/magpie-bridge/magpie/internal/config"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/server"
	"github.com/magpie-bridge/magpie/internal/wire"
	"github.com/magpie-bridge/magpie/web"
)

// Options configure a [Gateway]. One of JWTSecret, ConfigFile (with auth in it) and Development is needed; all else may
// be left zero.
type Options struct {
	// JWTSecret is the key, of at least 32 bytes, of the HS256 tokens that clients present.
	JWTSecret string
	// Development lets every client on this machine in without a token.
	Development bool
	// Origins lists the web origins that may connect besides the program's own, such as https://app.example.com.
	Origins []string
	// ConfigFile is a file as of deploy/magpie.example.yaml, for everything that has no field here. Its listen and logs are
	// of no use to an embedded gateway.
	ConfigFile string
	// NoConsole leaves the console's pages out.
	NoConsole bool
	// Calls bounds what the handlers of [Gateway.Handle] may cost; the zero value is right for most.
	Calls CallLimits
	// Hooks are asked, or told, what clients do; the zero value has none.
	Hooks Hooks
	// Tracing makes spans of the requests to the server API (OpenTelemetry); nil: there are none.
	Tracing trace.TracerProvider
	// Logger gets the gateway's log; nil: none is written.
	Logger *slog.Logger
}

// Gateway is a running gateway. It is safe for concurrent use.
type Gateway struct {
	inner *server.Gateway
}

// Message is one message to publish. At most one of Data, Text and Bytes is set.
type Message struct {
	// ID names the message: published again with the same ID while the first is retained, it is recognised and not
	// appended again. At most 128 bytes; empty: no recognition.
	ID string
	// Key names what the message is the newest value of.
	Key string
	// Tags are shown to subscribers.
	Tags map[string]string
	// Data is marshalled as JSON; a json.RawMessage is carried as it is, byte for byte.
	Data any
	// Text is carried as text.
	Text string
	// Bytes are carried as they are.
	Bytes []byte
}

// Position is where a message stands in its channel: an offset in the numbering that Epoch names.
type Position struct {
	Epoch  string `json:"epoch"`
	Offset uint64 `json:"offset"`
	// Duplicate tells that the message had been published before; this is the place it got then.
	Duplicate bool `json:"duplicate,omitempty"`
}

// Error is how the gateway refuses something; find it with errors.As. Code is a canonical gRPC code in lower case.
type Error = wire.Error

// New starts a gateway; [Gateway.Shutdown] ends it.
func New(opts Options) (*Gateway, error) {
	override := func(c *config.Config) {
		c.Development = c.Development || opts.Development
		c.Console.Enabled = c.Console.Enabled && !opts.NoConsole
		c.Authenticated = opts.Hooks.Authenticate != nil
		c.Origins = append(c.Origins, opts.Origins...)
		if opts.JWTSecret != "" {
			c.Auth.JWT.Secret = config.NewSecret(opts.JWTSecret)
		}
	}
	cfg, err := config.Load(opts.ConfigFile, override)
	if err != nil {
		return nil, fmt.Errorf("magpie: %w", err)
	}
	made := server.Options{
		Config: cfg, Logger: opts.Logger, Calls: hub.CallLimits(opts.Calls), Hooks: opts.Hooks.inner(), Tracing: opts.Tracing, Version: "embedded", Console: web.Console(),
	}
	if opts.ConfigFile != "" {
		made.Reload = func(running *config.Config) (*config.Config, error) {
			return config.Reload(opts.ConfigFile, running, override)
		}
	}
	if opts.Hooks.Authenticate != nil {
		made.Authenticate = opts.Hooks.authenticate
	}
	inner, err := server.NewGateway(made)
	if err != nil {
		return nil, fmt.Errorf("magpie: %w", err)
	}
	return &Gateway{inner: inner}, nil
}

// Handler returns the gateway's routes: /ws for clients, /magpie.v1.GatewayService/Publish for backends, the console at /,
// /healthz, /readyz and /metrics.
func (g *Gateway) Handler() http.Handler { return g.inner.Handler() }

// Publish appends a message to a channel and returns where it stands, once it is as durable as the channel promises.
// When ctx ends first it is unknown whether the message was appended; publishing it again with the same ID is safe.
func (g *Gateway) Publish(ctx context.Context, channel string, m Message) (Position, error) {
	p, err := m.publish(channel)
	if err != nil {
		return Position{}, err
	}
	published, err := g.inner.Publish(ctx, p)
	if err != nil {
		return Position{}, err
	}
	return Position{
		Epoch:     string(published.Position.Epoch),
		Offset:    uint64(published.Position.Offset),
		Duplicate: published.Duplicate,
	}, nil
}

// publish makes what is published of the message. What comes over the wire has passed the decoder; a message made in Go
// passes it here, with the same limits.
func (m *Message) publish(channel string) (*wire.Publish, error) {
	p := &wire.Publish{Channel: wire.ChannelName(channel)}
	p.MessageID, p.Key = m.ID, m.Key
	for _, key := range slices.Sorted(maps.Keys(m.Tags)) {
		p.Tags = append(p.Tags, wire.Pair{Key: key, Value: m.Tags[key]})
	}
	if err := m.checkText(); err != nil {
		return nil, err
	}
	var err error
	if p.Payload, err = m.payload(); err != nil {
		return nil, err
	}
	checked := new(wire.Publish)
	return checked, new(wire.Decoder).DecodeBody(wire.AppendBody(nil, p), checked)
}

// checkText refuses what is no UTF-8. Encoded, it would become other text: two ids could become the same one, and the
// second message be taken for the first.
func (m *Message) checkText() error {
	texts := []string{m.ID, m.Key, m.Text}
	for key, value := range m.Tags {
		texts = append(texts, key, value)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return wire.Errorf(wire.CodeInvalidArgument, "%q is not valid UTF-8, and only Bytes carry anything else", shorten(text))
		}
	}
	return nil
}

// shorten makes text fit into a sentence.
func shorten(text string) string {
	const shown = 32
	if len(text) <= shown {
		return text
	}
	return text[:shown] + "..."
}

func (m *Message) payload() (wire.Payload, error) {
	switch {
	case m.Data != nil && (m.Text != "" || m.Bytes != nil), m.Text != "" && m.Bytes != nil:
		return wire.Payload{}, errors.New("magpie: a message has one of Data, Text and Bytes, not several")
	case m.Text != "":
		return wire.Payload{Kind: wire.PayloadText, Bytes: []byte(m.Text)}, nil
	case m.Bytes != nil:
		return wire.Payload{Kind: wire.PayloadBytes, Bytes: m.Bytes}, nil
	case m.Data == nil:
		return wire.Payload{}, nil
	}
	return jsonPayload(m.Data)
}

// jsonPayload marshals v. A json.RawMessage is carried as it is.
func jsonPayload(v any) (wire.Payload, error) {
	if raw, ok := v.(json.RawMessage); ok && raw != nil {
		if !json.Valid(raw) { // or it could say more than the data of the frame
			return wire.Payload{}, errors.New("magpie: a json.RawMessage holds no JSON")
		}
		return wire.Payload{Kind: wire.PayloadJSON, Bytes: raw}, nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return wire.Payload{}, fmt.Errorf("magpie: marshal a payload: %w", err)
	}
	return wire.Payload{Kind: wire.PayloadJSON, Bytes: data}, nil
}

// Sessions returns the number of clients connected now.
func (g *Gateway) Sessions() int { return g.inner.Sessions() }

// Shutdown drains the gateway: no new client is taken, each connected one is told to come back at a time of its own,
// and when they have left, or ctx ends, everything is closed. Stop publishing before. Calling it again changes nothing.
func (g *Gateway) Shutdown(ctx context.Context) error { return g.inner.Shutdown(ctx) }
