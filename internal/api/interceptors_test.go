package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

// requestLines waits until the log has so many lines about requests, and returns these: level, method, code, and who sent
// the request. An answer may arrive before its line is written.
func (r *rig) requestLines(n int) (all []string) {
	r.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if all = r.readLines(); len(all) >= n || time.Now().After(end) {
			return all
		}
	}
}

func (r *rig) readLines() (all []string) {
	r.t.Helper()
	for line := range strings.Lines(r.log.String()) {
		var l struct {
			Level, Msg, Method, Code, User string
			Duration                       *int64
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			r.t.Fatalf("%q: %v", line, err)
		}
		if l.Msg != "request" {
			continue
		}
		if l.Duration == nil || *l.Duration <= 0 {
			r.t.Errorf("%s has no duration", line)
		}
		all = append(all, fmt.Sprint(l.Level, " ", l.Method, " ", l.Code, " ", l.User))
	}
	return all
}

// ends are requests that end in each way, and what is told of them.
var ends = []struct {
	q      request
	line   string
	counts string
}{
	{request{body: `{"channel":"order.a","data":"canary-payload"}`}, "DEBUG Publish ok pricing", `{code="ok",method="Publish"}`},
	{request{body: `{"channel":"price.a","data":"canary-payload"}`}, "DEBUG Publish permission_denied pricing", `{code="permission_denied",method="Publish"}`},
	{request{body: `{"channel":"canary-payload`}, "DEBUG Publish invalid_argument pricing", `{code="invalid_argument",method="Publish"}`},
	{request{body: `{}`, noKey: true, header: map[string]string{"Authorization": "Bearer canary-token"}}, "DEBUG Publish unauthenticated ", `{code="unauthenticated",method="Publish"}`},
	{request{path: servicePath + "Sessions", body: `{}`}, "DEBUG Sessions ok pricing", `{code="ok",method="Sessions"}`},
	{request{path: servicePath + "Disconnect", body: `{"userId":"ann","reason":"canary-payload"}`}, "INFO Disconnect ok pricing", `{code="ok",method="Disconnect"}`},
	{request{path: servicePath + "canary-payload", body: `{}`}, "DEBUG unknown invalid_argument pricing", `{code="invalid_argument",method="unknown"}`},
	{request{path: servicePath + "Publish/canary-payload", body: `{}`}, "DEBUG unknown invalid_argument pricing", ""},
	{request{method: http.MethodGet}, "DEBUG Publish invalid_argument pricing", ""},
}

func TestOneLineForEachRequest(t *testing.T) {
	r := newRig(t, rigOptions{shards: 1, calls: []string{"sys.*"}})
	var want []string
	for _, end := range ends {
		r.send(end.q)
		want = append(want, end.line)
	}
	if got := r.requestLines(len(want)); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, secret := range []string{"canary", pricingKey} {
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("%s is in the log:\n%s", secret, r.log.String())
		}
	}
}

func TestRequestsAreCounted(t *testing.T) {
	r := newRig(t, rigOptions{shards: 1, calls: []string{"sys.*"}})
	want := make(map[string]float64)
	for _, end := range ends {
		r.send(end.q)
		if end.counts != "" {
			want["magpie_api_requests_total"+end.counts] = 1
		}
	}
	want[`magpie_api_requests_total{code="invalid_argument",method="Publish"}`]++ // what was no POST
	want[`magpie_api_requests_total{code="invalid_argument",method="unknown"}`]++
	got := figures(t, Metrics(r.hub, nil, r.requests))
	seconds := got[`magpie_api_request_seconds_count{method="Publish"}`]
	maps.DeleteFunc(got, func(name string, n float64) bool {
		return n == 0 || !strings.HasPrefix(name, "magpie_api_requests_total")
	})
	if !maps.Equal(got, want) || seconds != 5 {
		t.Errorf("got %v and %v durations of publishes, want %v and 5", got, seconds, want)
	}
}

func TestAPanicIsAnErrorOfThatRequestOnly(t *testing.T) {
	for name, opts := range protocols() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{})
			r.engine.fate = func() bool { panic("canary-panic") }
			client := r.client(pricingKey, opts...)
			q := &magpiev1.PublishRequest{Channel: "order.a", Payload: &magpiev1.PublishRequest_Text{Text: "canary-payload"}}
			_, err := client.Publish(t.Context(), connect.NewRequest(q))
			if connect.CodeOf(err) != connect.CodeInternal || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v, want internal, and nothing of the inside", err)
			}
			if log := r.log.String(); !strings.Contains(log, "canary-panic") || !strings.Contains(log, "interceptors_test.go") || strings.Contains(log, "canary-payload") {
				t.Errorf("the log says %s", log)
			}
			if got := r.requestLines(1); len(got) != 1 || got[0] != "ERROR Publish internal pricing" {
				t.Errorf("the log has %v", got)
			}
			r.engine.fate = nil
			if _, err := client.Publish(t.Context(), connect.NewRequest(q)); err != nil {
				t.Errorf("the next request: %v", err)
			}
		})
	}
}

func TestRequestsHaveADeadline(t *testing.T) {
	left := func(ctx context.Context) time.Duration {
		var left time.Duration
		_, _ = limitTime(func(ctx context.Context, _ connect.AnyRequest) (connect.AnyResponse, error) {
			at, _ := ctx.Deadline()
			left = time.Until(at)
			return nil, nil
		})(ctx, connect.NewRequest(&magpiev1.NodeRequest{}))
		return left
	}
	if got := left(t.Context()); got <= requestDeadline-5*time.Second || got > requestDeadline {
		t.Errorf("%s are left, want about %s", got, requestDeadline)
	}
	for _, own := range []time.Duration{time.Second, time.Hour} {
		ctx, cancel := context.WithTimeout(t.Context(), own)
		defer cancel()
		if got := left(ctx); got <= own-own/2 || got > own {
			t.Errorf("%s are left of %s", got, own)
		}
	}
}

func TestRequestsAreTraced(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	r := newRig(t, rigOptions{tracing: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))})
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	got := r.send(request{
		body:   `{"channel":"order.a","data":"canary-payload"}`,
		header: map[string]string{"Traceparent": "00-" + trace + "-00f067aa0ba902b7-01"},
	})
	if got.status != http.StatusOK || len(spans.Ended()) != 1 {
		t.Fatalf("status %d, %d spans", got.status, len(spans.Ended()))
	}
	span := spans.Ended()[0]
	if span.Name() != "magpie.v1.GatewayService/Publish" || span.SpanContext().TraceID().String() != trace || span.Parent().SpanID().String() != "00f067aa0ba902b7" {
		t.Errorf("the span is %s of %s below %s", span.Name(), span.SpanContext().TraceID(), span.Parent().SpanID())
	}
	if told := fmt.Sprint(span.Attributes(), span.Events()); strings.Contains(told, "canary") || strings.Contains(told, pricingKey) {
		t.Errorf("the span tells %s", told)
	}
}
