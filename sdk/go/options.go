package magpieclient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Codec is an encoding of the frames on the line.
type Codec uint8

// The codecs. JSON can be read along in a browser or a packet dump; Protobuf is smaller, and carries bytes as they are.
const (
	CodecJSON Codec = iota
	CodecProtobuf
)

func (c Codec) wire() wire.Codec {
	if c == CodecProtobuf {
		return wire.Protobuf
	}
	return wire.JSON
}

func (c Codec) subprotocol() string {
	if c == CodecProtobuf {
		return "magpie.v1.protobuf"
	}
	return "magpie.v1.json"
}

const (
	// defaultInFlight keeps a line of 50 ms round trip busy with 5,000 publishes a second, and what a broken line has to
	// send again small.
	defaultInFlight = 256
	// defaultBuffer is what the gateway's flush of one cursor holds when messages are small.
	defaultBuffer = 256
	// defaultFrameBytes is far above what gateways accept for one message; it bounds what a hostile one can cost.
	defaultFrameBytes = 16 << 20
)

// Options configure a [Client]. Only URL is required.
type Options struct {
	// URL is the gateway's WebSocket address, such as wss://example.org/ws.
	URL string
	// Token is the credential. A gateway in development mode needs none.
	Token string
	// TokenFunc is asked for the credential before each connect, in place of Token: for credentials that expire.
	TokenFunc func(ctx context.Context) (string, error)
	// Codec is the encoding of the frames.
	Codec Codec
	// Name and Version tell the gateway's operator what program this is.
	Name, Version string
	// Device tells this session from others of its user, where the token does not say it: calls can be directed at it.
	Device string
	// HTTPClient makes the upgrade request, where a proxy, certificates or another transport are needed.
	HTTPClient *http.Client
	// Header is sent with the upgrade request.
	Header http.Header
	// MaxInFlight is how many publishes and pages may wait for their answers before more wait for room; 256 when 0.
	MaxInFlight int
	// Buffer is how many events of one subscription may wait to be taken; 256 when 0.
	Buffer int
	// MaxFrameBytes is the largest frame that is accepted from the gateway; 16 MiB when 0.
	MaxFrameBytes int64
	// OnState is told every change of the line, in order, by one goroutine. It must return soon, and not call Close.
	OnState func(StateChange)
	// OnSubscription is given each subscription that was opened from the gateway's side, by its server API for example,
	// on a goroutine of its own: it may read the subscription to its end, and should close one that it does not want. When
	// it is nil, such subscriptions are closed. It must not call Close of the client, which waits for it.
	OnSubscription func(*Subscription)
	// Logger takes what nobody is told otherwise; nothing is logged when it is nil.
	Logger *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.URL == "" {
		return o, errors.New("magpie: Options.URL is missing: expected the gateway's address, such as ws://127.0.0.1:8080/ws")
	}
	address, err := url.Parse(o.URL)
	if err != nil {
		return o, fmt.Errorf("magpie: Options.URL: %w", err)
	}
	switch address.Scheme {
	case "ws", "wss", "http", "https":
	default:
		return o, fmt.Errorf("magpie: Options.URL %q: expected it to begin with ws:// or wss://", address.Redacted())
	}
	if address.Host == "" {
		return o, fmt.Errorf("magpie: Options.URL %q: it names no host", address.Redacted())
	}
	if o.Name == "" {
		o.Name = "magpie-go"
	}
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = defaultInFlight
	}
	if o.Buffer <= 0 {
		o.Buffer = defaultBuffer
	}
	if o.MaxFrameBytes <= 0 {
		o.MaxFrameBytes = defaultFrameBytes
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}
