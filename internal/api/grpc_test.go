package api

import (
	"net/http"
	"slices"
	"testing"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func TestHealthFollowsTheDrain(t *testing.T) {
	r := newRig(t, rigOptions{})
	// A string and a number have the same Protobuf as the request and the answer of grpc.health.v1.
	type client = connect.Client[wrapperspb.StringValue, wrapperspb.Int32Value]
	clients := map[string]*client{}
	for name, opts := range protocols() {
		clients[name] = connect.NewClient[wrapperspb.StringValue, wrapperspb.Int32Value](r.httpClient(""), r.server.URL+"/grpc.health.v1.Health/Check", opts...)
	}
	const serving, notServing = 1, 2
	check := func(want int32) {
		t.Helper()
		for name, client := range clients {
			for _, service := range []string{"", "magpie.v1.GatewayService"} {
				got, err := client.CallUnary(t.Context(), connect.NewRequest(wrapperspb.String(service)))
				if err != nil || got.Msg.GetValue() != want {
					t.Errorf("%s of %q: %v, %v, want %d", name, service, got, err, want)
				}
			}
			if _, err := client.CallUnary(t.Context(), connect.NewRequest(wrapperspb.String("another"))); connect.CodeOf(err) != connect.CodeNotFound {
				t.Errorf("%s of another service: %v", name, err)
			}
		}
	}
	check(serving)
	r.hub.Drain()
	check(notServing)
	got := r.send(request{path: "/grpc.health.v1.Health/Check", body: `{}`, noKey: true})
	if got.status != http.StatusOK || got.body != `{"status":"SERVING_STATUS_NOT_SERVING"}` {
		t.Errorf("as curl does: status %d, %s", got.status, got.body)
	}
}

func TestReflectionTellsOfTheMethods(t *testing.T) {
	r := newRig(t, rigOptions{})
	stream := grpcreflect.NewClient(r.httpClient(pricingKey), r.server.URL, connect.WithGRPC()).NewStream(t.Context())
	services, err := stream.ListServices()
	if err != nil || !slices.Equal(services, []protoreflect.FullName{"magpie.v1.GatewayService"}) {
		t.Errorf("got %v, %v", services, err)
	}
	files, err := stream.FileContainingSymbol("magpie.v1.GatewayService.Disconnect")
	if err != nil || len(files) == 0 || files[0].GetName() != "magpie/v1/gateway.proto" {
		t.Errorf("got %v, %v", files, err)
	}
	if _, err := stream.Close(); err != nil {
		t.Error(err)
	}
	stranger := grpcreflect.NewClient(r.httpClient(""), r.server.URL, connect.WithGRPC()).NewStream(t.Context())
	if _, err := stranger.ListServices(); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("without a key: %v", err)
	}
	_, _ = stranger.Close()
	if got := r.requestLines(1); len(got) == 0 || got[0] != "DEBUG grpc.reflection.v1.ServerReflection ok pricing" {
		t.Errorf("the log has %v", got)
	}
}
