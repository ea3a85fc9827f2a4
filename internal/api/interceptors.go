package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/otelconnect"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/wire"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
	"github.com/magpie-bridge/magpie/protocol/gen/magpie/v1/magpiev1connect"
)

// requestDeadline is how long a request may take that says nothing of it.
const requestDeadline = 30 * time.Second

// interceptors stand around every method, from the outside in: a span, the note of how it ended, the rescue of a panic, and a
// time by which it has to end.
func interceptors(opts *GatewayOptions) (connect.HandlerOption, error) {
	var around []connect.Interceptor
	if opts.Tracing != nil {
		tracing, err := otelconnect.NewInterceptor(
			otelconnect.WithTracerProvider(opts.Tracing),
			otelconnect.WithPropagator(propagation.TraceContext{}),
			otelconnect.WithTrustRemote(), // a backend's own trace goes on here
			otelconnect.WithoutMetrics(),  // Requests has them
			otelconnect.WithoutServerPeerAttributes(),
		)
		if err != nil {
			return nil, fmt.Errorf("tracing of requests: %w", err)
		}
		around = append(around, tracing)
	}
	around = append(around, noteEnd{})
	return connect.WithHandlerOptions(
		connect.WithInterceptors(around...),
		connect.WithRecover(rescue(opts.Hub)),
		connect.WithInterceptors(connect.UnaryInterceptorFunc(limitTime)),
	), nil
}

// rescue answers a request whose method has panicked, and logs the place.
func rescue(h *hub.Hub) func(context.Context, connect.Spec, http.Header, any) error {
	return func(_ context.Context, spec connect.Spec, _ http.Header, p any) error {
		h.Logger().Error("a request panicked", "method", methodOf(spec.Procedure), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		return connect.NewError(connect.CodeInternal, errors.New("the gateway failed to handle this request; its log tells why"))
	}
}

// limitTime gives a deadline to requests that have none.
func limitTime(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		// A call says itself how long it may take.
		if _, limited := ctx.Deadline(); !limited && r.Spec().Procedure != magpiev1connect.GatewayServiceCallProcedure {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, requestDeadline)
			defer cancel()
		}
		return next(ctx, r)
	}
}

// noteEnd notes how a method has ended (connect.Interceptor).
type noteEnd struct{}

// WrapUnary implements [connect.Interceptor].
func (noteEnd) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		answer, err := next(ctx, r)
		noted(ctx, err)
		return answer, err
	}
}

// WrapStreamingClient implements [connect.Interceptor].
func (noteEnd) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements [connect.Interceptor].
func (noteEnd) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		err := next(ctx, conn)
		noted(ctx, err)
		return err
	}
}

func noted(ctx context.Context, err error) {
	if o, ok := ctx.Value(observationKey{}).(*observation); ok {
		o.code = codeOK
		if err != nil {
			o.code = connect.CodeOf(err).String()
		}
	}
}

// codeOK is what is noted of a request that was answered.
const codeOK = "ok"

// observation is what is noted of a request on its way. It belongs to the goroutine that handles the request.
type observation struct{ user, code string }

// observationKey is where it is in the context.
type observationKey struct{}

// observe notes on whose behalf a request comes, and how it ends unless its method is reached.
func observe(ctx context.Context, user string, failed error) {
	if o, ok := ctx.Value(observationKey{}).(*observation); ok {
		o.user, o.code = user, string(wire.AsError(failed).Code)
	}
}

// observed counts each request and tells of it in one line of the log: never of what it carries. Those that never reach a
// method are among them.
func observed(opts *GatewayOptions, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		o := &observation{code: string(wire.CodeUnknown)}
		defer func() {
			took := time.Since(began)
			method := methodOf(r.URL.Path)
			opts.Requests.count(method, o.code, took)
			opts.Hub.Logger().LogAttrs(r.Context(), levelOf(method, o.code), "request",
				slog.String("method", method), slog.String("code", o.code), slog.Duration("duration", took), slog.String("user", o.user))
		}()
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), observationKey{}, o)))
	})
}

// levelOf is how much the operator wants to know of a request: all of those that did something to the sessions of others, and
// of those that failed by the gateway's own fault.
func levelOf(method, code string) slog.Level {
	switch wire.Code(code) { //nolint:exhaustive // the others are the client's own
	case wire.CodeInternal, wire.CodeUnknown, wire.CodeDataLoss:
		return slog.LevelError
	case wire.CodeUnavailable, wire.CodeDeadlineExceeded:
		return slog.LevelWarn
	}
	switch method {
	case "Disconnect", "Subscribe", "Unsubscribe":
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// methodOf is the name of a method of the GatewayService, or of the service that another belongs to. What clients make up
// must not become names of metrics.
func methodOf(procedure string) string {
	service, method, _ := strings.Cut(strings.TrimPrefix(procedure, "/"), "/")
	if service != magpiev1connect.GatewayServiceName {
		return service
	}
	if gatewayMethods().ByName(protoreflect.Name(method)) == nil {
		return "unknown"
	}
	return method
}

func gatewayMethods() protoreflect.MethodDescriptors {
	return magpiev1.File_magpie_v1_gateway_proto.Services().ByName("GatewayService").Methods()
}

// Requests counts the requests of the service, and how long they take (prometheus.Collector). A nil one counts nothing.
type Requests struct {
	total   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

// NewRequests returns a count that begins at zero, for each method.
func NewRequests() *Requests {
	r := &Requests{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "magpie_api_requests_total", Help: "Requests to the server API, by method and by how they ended.",
		}, []string{"method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "magpie_api_request_seconds", Help: "How long requests to the server API took, by method.",
			Buckets: []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10, 30},
		}, []string{"method"}),
	}
	methods := gatewayMethods()
	for i := range methods.Len() {
		name := string(methods.Get(i).Name())
		r.total.WithLabelValues(name, codeOK)
		r.seconds.WithLabelValues(name)
	}
	return r
}

// Describe implements [prometheus.Collector].
func (r *Requests) Describe(descs chan<- *prometheus.Desc) {
	r.total.Describe(descs)
	r.seconds.Describe(descs)
}

// Collect implements [prometheus.Collector].
func (r *Requests) Collect(metrics chan<- prometheus.Metric) {
	r.total.Collect(metrics)
	r.seconds.Collect(metrics)
}

func (r *Requests) count(method, code string, took time.Duration) {
	if r != nil {
		r.total.WithLabelValues(method, code).Inc()
		r.seconds.WithLabelValues(method).Observe(took.Seconds())
	}
}
