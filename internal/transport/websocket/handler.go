package websocket

import (
	"crypto/sha1" //nolint:gosec // the handshake of RFC 6455 asks for it; nothing is kept safe by it
	"encoding/base64"
	"errors"
	"iter"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/netloop"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Options configure a [Handler]. All but MaxHandshakes are required.
type Options struct {
	Hub    *hub.Hub
	Group  *netloop.Group
	Shards []*session.Shard // one for each loop of the group
	Origin *auth.OriginPolicy
	// Anonymous says whether a request without a credential is let in at once, as whoever the authenticator takes it
	// for. Otherwise the connect frame has to tell.
	Anonymous bool
	// Ambient says that the authenticator may know without a credential who a request is from: what stands before the
	// handler may have found it out, and left it in the request's context. Otherwise the connect frame has to tell.
	Ambient bool
	// Compression agrees to permessage-deflate with clients that offer it.
	Compression bool
	// MaxHandshakes bounds the handshakes under way; more are answered 503. 0 means 1,024.
	MaxHandshakes int

	echo bool // set by conformance tests alone: lines answer each message with itself
}

// Handler upgrades requests to WebSocket lines. It is safe for concurrent use.
type Handler struct {
	opts  Options
	slots chan struct{}
	heads []headReader // of each loop, and for it alone
}

// writeTimeout bounds the writing of the handshake's answer, which is a few hundred bytes.
const writeTimeout = 5 * time.Second

// NewHandler returns a handler.
func NewHandler(opts Options) *Handler {
	if opts.MaxHandshakes == 0 {
		opts.MaxHandshakes = 1024
	}
	return &Handler{opts: opts, slots: make(chan struct{}, opts.MaxHandshakes), heads: make([]headReader, len(opts.Group.Loops()))}
}

// ServeHTTP implements [http.Handler]. Whatever is wrong is answered before the upgrade, as an ordinary response with
// a sentence that says what was expected.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		busy().answer(w)
		return
	}
	u, credential, bad := h.examine(r)
	if bad == nil && credential != nil {
		u.principal, bad = h.authenticate(r, *credential)
	}
	if bad == nil {
		bad = h.enter()
	}
	if bad != nil {
		bad.answer(w)
		return
	}
	if err := h.upgrade(w, u); err != nil {
		h.opts.Hub.Leave()
		h.opts.Hub.Logger().Debug("an upgrade failed", "error", err)
	}
}

// examine checks all of a request but its credential, which it returns; nil when there is none, and the connect frame
// has to tell.
func (h *Handler) examine(r *http.Request) (u upgrade, credential *auth.Credential, bad *badRequest) {
	if u.key, bad = checkUpgrade(r); bad != nil {
		return u, nil, bad
	}
	if u.format, u.subprotocol, bad = choose(r); bad != nil {
		return u, nil, bad
	}
	if h.opts.Compression && offersDeflate(r.Header) {
		u.format = u.format.compressed()
	}
	if err := h.opts.Origin.Check(r); err != nil {
		return u, nil, &badRequest{status: http.StatusForbidden, reason: wire.AsError(err).Message}
	}
	found, ok, err := auth.FromRequest(r)
	if err != nil {
		_, bad = h.authenticated(nil, err)
		return u, nil, bad
	}
	if !ok && !h.opts.Anonymous && !h.opts.Ambient {
		return u, nil, nil
	}
	return u, &found, nil
}

func (h *Handler) authenticate(r *http.Request, credential auth.Credential) (*auth.Principal, *badRequest) {
	if credential.Token != "" || h.opts.Anonymous {
		return h.authenticated(h.opts.Hub.Authenticate(r.Context(), credential))
	}
	principal, err := h.opts.Hub.Recognize(r.Context())
	if err != nil {
		return h.authenticated(nil, err)
	}
	return principal, nil
}

// authenticated is what the authenticator's answer means to the request.
func (h *Handler) authenticated(p *auth.Principal, err error) (*auth.Principal, *badRequest) {
	if err != nil {
		return nil, &badRequest{http.StatusUnauthorized, wire.AsError(err).Message, [2]string{"WWW-Authenticate", `Bearer realm="magpie"`}}
	}
	return p, nil
}

// enter counts the session in, unless the node takes no more.
func (h *Handler) enter() *badRequest {
	if err := h.opts.Hub.Enter(); err != nil {
		return &badRequest{http.StatusServiceUnavailable, wire.AsError(err).Message, [2]string{"Retry-After", "1"}}
	}
	return nil
}

func busy() *badRequest {
	return &badRequest{http.StatusServiceUnavailable, "too many handshakes are under way: try again in a second", [2]string{"Retry-After", "1"}}
}

// upgrade is a handshake that was found good.
type upgrade struct {
	key         string
	subprotocol string
	format      Format
	principal   *auth.Principal
}

// upgrade answers 101 and hands the connection to a loop.
func (h *Handler) upgrade(w http.ResponseWriter, u upgrade) error {
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "this server cannot hand its connections over: serve WebSocket over HTTP/1.1", http.StatusHTTPVersionNotSupported)
		return err
	}
	if err := answer(nc, u); err != nil {
		return errors.Join(err, nc.Close())
	}
	// What the client sent behind its request, before it had our answer, is in the reader's buffer.
	buffered, err := rw.Peek(rw.Reader.Buffered())
	if err != nil {
		return errors.Join(err, nc.Close())
	}
	return h.opts.Group.Adopt(nc, buffered, func(l *netloop.Loop, c netloop.Conn) netloop.Handler {
		return h.line(l, c, u)
	})
}

// line begins the session of a connection that was upgraded.
func (h *Handler) line(l *netloop.Loop, c netloop.Conn, u upgrade) *conn {
	line := newConn(c, h.opts.Shards[l.Index()], u.format, u.principal)
	line.echo = h.opts.echo
	return line
}

func answer(nc net.Conn, u upgrade) error {
	if err := nc.SetDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := nc.Write(appendAnswer(nil, u)); err != nil {
		return err
	}
	return nc.SetDeadline(time.Time{})
}

// appendAnswer appends the response that ends a handshake.
func appendAnswer(b []byte, u upgrade) []byte {
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = appendAcceptKey(b, u.key)
	if u.subprotocol != "" {
		b = append(b, "\r\nSec-WebSocket-Protocol: "...)
		b = append(b, u.subprotocol...)
	}
	if u.format.deflate {
		b = append(b, "\r\nSec-WebSocket-Extensions: "+deflateAnswer...)
	}
	return append(b, "\r\n\r\n"...)
}

// appendAcceptKey appends what proves that the request was understood (RFC 6455, section 4.2.2).
func appendAcceptKey(b []byte, key string) []byte {
	const magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	var both [keyLength + len(magic)]byte
	sum := sha1.Sum(append(append(both[:0], key...), magic...)) //nolint:gosec // see above
	return base64.StdEncoding.AppendEncode(b, sum[:])
}

// keyLength is that of a Sec-WebSocket-Key: 16 bytes in base64.
const keyLength = 24

// badRequest is why a request is not upgraded.
type badRequest struct {
	status int
	reason string
	header [2]string
}

func (b *badRequest) answer(w http.ResponseWriter) {
	if b.header[0] != "" {
		w.Header().Set(b.header[0], b.header[1])
	}
	http.Error(w, b.reason, b.status)
}

// checkUpgrade checks the request (RFC 6455, section 4.2.1) and returns its key.
func checkUpgrade(r *http.Request) (key string, bad *badRequest) {
	key = r.Header.Get("Sec-WebSocket-Key")
	switch {
	case r.Method != http.MethodGet:
		return "", &badRequest{http.StatusMethodNotAllowed, "a WebSocket handshake is a GET", [2]string{"Allow", "GET"}}
	case !r.ProtoAtLeast(1, 1) || r.ProtoMajor != 1:
		return "", &badRequest{http.StatusHTTPVersionNotSupported, "a WebSocket handshake needs HTTP/1.1", [2]string{}}
	case !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket"):
		return "", &badRequest{http.StatusUpgradeRequired, "this is a WebSocket endpoint: connect to it with a WebSocket client, or open the console at /", [2]string{"Upgrade", "websocket"}}
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return "", &badRequest{http.StatusUpgradeRequired, "expected Sec-WebSocket-Version: 13", [2]string{"Sec-WebSocket-Version", "13"}}
	case !validKey(key) || len(r.Header.Values("Sec-WebSocket-Key")) != 1:
		return "", &badRequest{http.StatusBadRequest, "expected one Sec-WebSocket-Key of 16 bytes in base64", [2]string{}}
	}
	return key, nil
}

// validKey reports whether the key is 16 bytes in base64.
func validKey(key string) bool {
	var raw [keyLength]byte
	if len(key) != keyLength {
		return false
	}
	n, err := base64.StdEncoding.Decode(raw[:], append(make([]byte, 0, keyLength), key...))
	return err == nil && n == 16
}

// choose picks the first subprotocol that the gateway knows. The one that carries a token is none.
func choose(r *http.Request) (f Format, subprotocol string, bad *badRequest) {
	asked := false
	for name := range tokens(r.Header, "Sec-Websocket-Protocol") {
		switch {
		case name == SubprotocolJSON:
			return JSON, name, nil
		case name == SubprotocolProtobuf:
			return Protobuf, name, nil
		case !strings.HasPrefix(name, "bearer."):
			asked = true
		}
	}
	if asked {
		return Format{}, "", &badRequest{http.StatusBadRequest, "expected the subprotocol " + SubprotocolJSON + " or " + SubprotocolProtobuf + ", or none", [2]string{}}
	}
	return JSON, "", nil
}

func hasToken(h http.Header, name, token string) bool {
	for t := range tokens(h, name) {
		if strings.EqualFold(t, token) {
			return true
		}
	}
	return false
}

// maxTokens bounds the list items that are looked at in one header.
const maxTokens = 32

// tokens are the items of the lists in a header.
func tokens(h http.Header, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		left := maxTokens
		for _, value := range h.Values(name) {
			for item := range strings.SplitSeq(value, ",") {
				if left == 0 || !yield(strings.TrimSpace(item)) {
					return
				}
				left--
			}
		}
	}
}
