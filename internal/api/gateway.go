package api

import (
	"cmp"
	"context"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"go.opentelemetry.io/otel/trace"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
	"github.com/magpie-bridge/magpie/protocol/gen/magpie/v1/magpiev1connect"
)

// GatewayOptions configure the GatewayService. Hub and Origin are required.
type GatewayOptions struct {
	Hub     *hub.Hub
	Origin  *auth.OriginPolicy
	Shards  []*session.Shard // whose sessions can be asked for
	Version string           // told by Node
	// Reload reads the configuration again; nil: that cannot be done.
	Reload func(context.Context) (*Reloaded, error)
	// TTL tells how long a channel lives after its last use, 0 for ever; nil: all do.
	TTL func(wire.ChannelName) time.Duration
	// MaxRequestBytes bounds a request, uncompressed. 0 means 4 MiB.
	MaxRequestBytes int
	// Requests counts the requests. nil: nobody counts them.
	Requests *Requests
	// Tracing makes the spans of requests. nil: there are none.
	Tracing trace.TracerProvider
}

// MountGateway mounts the GatewayService, which answers the Connect, gRPC and gRPC-Web protocols, with Protobuf or with the
// JSON of the frames; and gRPC's own services that tell of its health and of its methods.
func MountGateway(mux *http.ServeMux, opts GatewayOptions) error {
	opts.MaxRequestBytes = cmp.Or(opts.MaxRequestBytes, 4<<20)
	around, err := interceptors(&opts)
	if err != nil {
		return err
	}
	s := &service{opts: &opts, started: time.Now()}
	mux.Handle("/"+magpiev1connect.GatewayServiceName+"/", s.guard(s.methods(connect.WithHandlerOptions(
		connect.WithCodec(jsonCodec{}),
		connect.WithCodec(protobufCodec{}),
		connect.WithReadMaxBytes(opts.MaxRequestBytes),
		around,
	))))
	for path, handler := range reflection(around) {
		mux.Handle(path, s.guard(handler))
	}
	path, handler := health(opts.Hub, around)
	mux.Handle(path, handler)
	return nil
}

// service is the GatewayService.
type service struct {
	opts    *GatewayOptions
	started time.Time
}

// methods are the service's, each under its path.
func (s *service) methods(options connect.HandlerOption) *http.ServeMux {
	mux := http.NewServeMux()
	h := s.opts.Hub
	mount(mux, magpiev1connect.GatewayServicePublishProcedure, h.PublishWait, options)
	mount(mux, magpiev1connect.GatewayServiceBroadcastProcedure, s.broadcast, options)
	mount(mux, magpiev1connect.GatewayServiceSendProcedure, s.send, options)
	mount(mux, magpiev1connect.GatewayServiceHistoryProcedure, h.HistoryWait, options)
	mount(mux, magpiev1connect.GatewayServicePresenceProcedure, h.MembersWait, options)
	mount(mux, magpiev1connect.GatewayServiceCallProcedure, s.call, options)
	mount(mux, magpiev1connect.GatewayServiceSubscriptionsProcedure, allowed(SubscriptionsRight, s.subscriptions), options)
	mount(mux, magpiev1connect.GatewayServiceChannelsProcedure, allowed(ChannelsRight, s.channels), options)
	mount(mux, magpiev1connect.GatewayServiceSessionsProcedure, allowed(SessionsRight, s.sessions), options)
	mount(mux, magpiev1connect.GatewayServiceDisconnectProcedure, allowed(DisconnectRight, s.disconnect), options)
	mount(mux, magpiev1connect.GatewayServiceSubscribeProcedure, allowed(SubscribeRight, s.subscribe), options)
	mount(mux, magpiev1connect.GatewayServiceUnsubscribeProcedure, allowed(SubscribeRight, s.unsubscribe), options)
	mount(mux, magpiev1connect.GatewayServiceReloadProcedure, allowed(ReloadRight, s.reload), options)
	mount(mux, magpiev1connect.GatewayServiceNodeProcedure, allowed(NodeRight, s.node), options)
	return mux
}

// What a principal must be allowed to call to see the sessions and channels of others, or to end them. As the gateway's own
// names they have to be granted by a pattern that begins with "sys.".
const (
	SubscriptionsRight wire.ChannelName = "sys.subscriptions"
	ChannelsRight      wire.ChannelName = "sys.channels"
	SessionsRight      wire.ChannelName = "sys.sessions"
	DisconnectRight    wire.ChannelName = "sys.disconnect"
	SubscribeRight     wire.ChannelName = "sys.subscribe"
	NodeRight          wire.ChannelName = "sys.node"
	ReloadRight        wire.ChannelName = "sys.reload"
)

// mount has a method answered by do, on behalf of whoever was admitted.
func mount[Q, A any](mux *http.ServeMux, procedure string, do func(context.Context, *auth.Principal, *Q) (*A, error), options connect.HandlerOption) {
	mux.Handle(procedure, connect.NewUnaryHandler(procedure, func(ctx context.Context, r *connect.Request[Q]) (*connect.Response[A], error) {
		principal, ok := ctx.Value(principalKey{}).(*auth.Principal)
		if !ok {
			return nil, connect.NewError(connect.CodeInternal, errors.New("the request was not admitted"))
		}
		answer, err := do(ctx, principal, r.Msg)
		if err != nil {
			return nil, connectError(err)
		}
		return connect.NewResponse(answer), nil
	}, options))
}

// allowed is a method for those who have the right to call name.
func allowed[Q, A any](name wire.ChannelName, do func(context.Context, *Q) (*A, error)) func(context.Context, *auth.Principal, *Q) (*A, error) {
	return func(ctx context.Context, by *auth.Principal, q *Q) (*A, error) {
		if err := by.May(auth.Call, name); err != nil {
			return nil, err
		}
		return do(ctx, q)
	}
}

// guard lets requests pass that come from where they may, on behalf of somebody who is known, and has each of them observed.
func (s *service) guard(next http.Handler) http.Handler {
	errorWriter := connect.NewErrorWriter()
	return observed(s.opts, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		principal, err := s.admit(r)
		if err != nil {
			observe(r.Context(), "", err)
			refuse(errorWriter, w, r, err)
			return
		}
		observe(r.Context(), principal.UserID, errNotReached)
		if r.URL.Path == magpiev1connect.GatewayServiceCallProcedure {
			// A call may take longer than the server lets others.
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.opts.Hub.LongestCall() + callMargin))
		}
		if speaks(w, r) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), principalKey{}, principal)))
		}
	}))
}

// errNotReached is how a request ends that never comes to a method.
var errNotReached = wire.Errorf(wire.CodeInvalidArgument, "the request could not be read")

// speaks reports whether the request is one of a protocol that is served here. One that is not comes from somebody at
// a first try, and is answered with a sentence: the library would answer with nothing.
func speaks(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "a request is a POST, such as curl -H 'Content-Type: application/json' -d '{\"channel\":\"a\",\"data\":1}'", http.StatusMethodNotAllowed)
		return false
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case kind == "application/json", kind == "application/proto", strings.HasPrefix(kind, "application/grpc"), strings.HasPrefix(kind, "application/connect+"):
		return true
	}
	w.Header().Set("Accept-Post", "application/json, application/proto, application/grpc, application/grpc-web")
	http.Error(w, "expected the header Content-Type: application/json, or one of Connect, gRPC or gRPC-Web", http.StatusUnsupportedMediaType)
	return false
}

// refuse answers a request before its method is reached. What is no request of any protocol is answered as Connect
// would.
func refuse(ew *connect.ErrorWriter, w http.ResponseWriter, r *http.Request, err error) {
	if wire.AsError(err).Code == wire.CodeUnauthenticated {
		w.Header().Set("WWW-Authenticate", `Bearer realm="magpie"`)
	}
	_ = ew.Write(w, r, connectError(err)) // a client that is gone needs no answer
}

// principalKey is where guard leaves the principal in the context.
type principalKey struct{}

// admit checks where the request comes from, and on whose behalf.
func (s *service) admit(r *http.Request) (*auth.Principal, error) {
	if err := s.opts.Origin.Check(r); err != nil {
		return nil, err
	}
	credential, _, err := auth.FromRequest(r)
	if err != nil {
		return nil, err
	}
	return s.opts.Hub.Authenticate(r.Context(), credential)
}

// connectError makes an error of the wire one of Connect, which knows the same codes by the same names.
func connectError(err error) *connect.Error {
	e := wire.AsError(err)
	code := connect.CodeUnknown
	if known := code.UnmarshalText([]byte(e.Code)); known != nil {
		code = connect.CodeUnknown
	}
	ce := connect.NewError(code, errors.New(e.Message))
	if e.Retryable || e.RetryAfter > 0 || len(e.Details) > 0 {
		detail, err := connect.NewErrorDetail(&magpiev1.Error{
			Code: string(e.Code), Message: e.Message, Retryable: e.Retryable, RetryAfterMs: e.RetryAfter.Milliseconds(), Details: e.Details,
		})
		if err == nil {
			ce.AddDetail(detail)
		}
	}
	if e.RetryAfter > 0 {
		seconds := int((e.RetryAfter.Milliseconds() + 999) / 1000)
		ce.Meta().Set("Retry-After", strconv.Itoa(seconds))
	}
	return ce
}
