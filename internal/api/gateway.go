package api

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"connectrpc.com/connect"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
	"github.com/magpie-bridge/magpie/protocol/gen/magpie/v1/magpiev1connect"
)

// GatewayOptions configure the GatewayService. Hub and Origin are required.
type GatewayOptions struct {
	Hub    *hub.Hub
	Origin *auth.OriginPolicy
	Shards []*session.Shard // whose subscriptions can be asked for
	// MaxRequestBytes bounds a request, uncompressed. 0 means 4 MiB.
	MaxRequestBytes int
}

// NewGatewayHandler returns the path of the GatewayService and its handler, which answers the Connect, gRPC and
// gRPC-Web protocols, with Protobuf or with the JSON of the frames.
func NewGatewayHandler(opts GatewayOptions) (path string, handler http.Handler) {
	if opts.MaxRequestBytes == 0 {
		opts.MaxRequestBytes = 4 << 20
	}
	common := connect.WithHandlerOptions(
		connect.WithCodec(jsonCodec{}),
		connect.WithCodec(protobufCodec{}),
		connect.WithReadMaxBytes(opts.MaxRequestBytes),
	)
	mux := http.NewServeMux()
	mux.Handle(magpiev1connect.GatewayServicePublishProcedure,
		connect.NewUnaryHandler(magpiev1connect.GatewayServicePublishProcedure, onBehalf(opts.Hub.PublishWait), common))
	mux.Handle(magpiev1connect.GatewayServiceHistoryProcedure,
		connect.NewUnaryHandler(magpiev1connect.GatewayServiceHistoryProcedure, onBehalf(opts.Hub.HistoryWait), common))
	mux.Handle(magpiev1connect.GatewayServiceSubscriptionsProcedure,
		connect.NewUnaryHandler(magpiev1connect.GatewayServiceSubscriptionsProcedure, surveyor(opts.Shards), common))
	errorWriter := connect.NewErrorWriter()
	guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, err := admit(opts, r)
		if err != nil {
			refuse(errorWriter, w, r, err)
			return
		}
		if speaks(w, r) {
			mux.ServeHTTP(w, r.WithContext(ctx))
		}
	})
	return "/" + magpiev1connect.GatewayServiceName + "/", guarded
}

// speaks reports whether the request is one of a protocol that is served here. One that is not comes from somebody at
// a first try, and is answered with a sentence: the library would answer with nothing.
func speaks(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "a publish is a POST, such as curl -H 'Content-Type: application/json' -d '{\"channel\":\"a\",\"data\":1}'", http.StatusMethodNotAllowed)
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

// principalKey is where admit leaves the principal in the context.
type principalKey struct{}

// admit checks where the request comes from, and on whose behalf.
func admit(opts GatewayOptions, r *http.Request) (context.Context, error) {
	if err := opts.Origin.Check(r); err != nil {
		return nil, err
	}
	credential, _, err := auth.FromRequest(r)
	if err != nil {
		return nil, err
	}
	principal, err := opts.Hub.Authenticate(r.Context(), credential)
	if err != nil {
		return nil, err
	}
	return context.WithValue(r.Context(), principalKey{}, principal), nil
}

// onBehalf has a method answered by do, on behalf of whoever was admitted.
func onBehalf[Q, A any](do func(context.Context, *auth.Principal, *Q) (*A, error)) func(context.Context, *connect.Request[Q]) (*connect.Response[A], error) {
	return func(ctx context.Context, r *connect.Request[Q]) (*connect.Response[A], error) {
		principal, ok := ctx.Value(principalKey{}).(*auth.Principal)
		if !ok {
			return nil, connect.NewError(connect.CodeInternal, errors.New("the request was not admitted"))
		}
		answer, err := do(ctx, principal, r.Msg)
		if err != nil {
			return nil, connectError(err)
		}
		return connect.NewResponse(answer), nil
	}
}

// connectError makes an error of the wire one of Connect, which knows the same codes by the same names.
func connectError(err error) *connect.Error {
	e := wire.AsError(err)
	code := connect.CodeUnknown
	if known := code.UnmarshalText([]byte(e.Code)); known != nil {
		code = connect.CodeUnknown
	}
	ce := connect.NewError(code, errors.New(e.Message))
	if e.RetryAfter > 0 {
		seconds := int((e.RetryAfter.Milliseconds() + 999) / 1000)
		ce.Meta().Set("Retry-After", strconv.Itoa(seconds))
	}
	return ce
}
