package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie"
	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

func TestPostedOrderReachesSubscribers(t *testing.T) {
	gw, err := magpie.New(magpie.Options{Development: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := gw.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	shop := httptest.NewServer(routes(gw))
	t.Cleanup(shop.Close)

	client, err := magpieclient.Dial(t.Context(), magpieclient.Options{URL: "ws" + strings.TrimPrefix(shop.URL, "http") + "/ws"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	subscription, err := client.Subscribe(t.Context(), "order.update", magpieclient.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}

	for _, body := range []string{`{"id":7,"state":"paid"}`, `{"id":7,"state":"paid"}`, `{"id":7,"state":"sent"}`} {
		response, err := http.Post(shop.URL+"/orders", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Fatalf("POST %s: %s", body, response.Status)
		}
	}
	for _, want := range []string{"paid", "sent"} {
		event, err := subscription.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got order
		message, ok := event.(*magpieclient.Message)
		if !ok {
			t.Fatalf("got %T, want a message", event)
		}
		if err := message.Payload.Unmarshal(&got); err != nil || got.State != want {
			t.Errorf("got %s (%v), want an order that is %s", message.Payload.Bytes, err, want)
		}
	}
}
