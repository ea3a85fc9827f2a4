package magpieclient_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/magpie-bridge/magpie"
	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

// A gateway in this process, so that the examples run.
func exampleGateway() (url string, stop func()) {
	gateway, err := magpie.New(magpie.Options{Development: true, NoConsole: true})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(gateway.Handler())
	return "ws" + strings.TrimPrefix(server.URL, "http") + "/ws", func() {
		if err := gateway.Shutdown(context.Background()); err != nil {
			panic(err)
		}
		server.Close()
	}
}

func Example() {
	url, stop := exampleGateway()
	defer stop()
	ctx := context.Background()

	client, err := magpieclient.Dial(ctx, magpieclient.Options{URL: url})
	if err != nil {
		panic(err)
	}
	defer client.Close()

	payload, err := magpieclient.Value(map[string]any{"id": 7, "state": "paid"})
	if err != nil {
		panic(err)
	}
	published, err := client.Publish(ctx, "order.update", magpieclient.Publication{ID: "order-7-paid", Payload: payload})
	if err != nil {
		panic(err)
	}
	again, err := client.Publish(ctx, "order.update", magpieclient.Publication{ID: "order-7-paid", Payload: payload})
	if err != nil {
		panic(err)
	}
	fmt.Println(published.Position.Offset, published.Duplicate)
	fmt.Println(again.Position.Offset, again.Duplicate)

	subscription, err := client.Subscribe(ctx, "order.update", magpieclient.SubscribeOptions{From: magpieclient.Last(1)})
	if err != nil {
		panic(err)
	}
	event, err := subscription.Next(ctx)
	if err != nil {
		panic(err)
	}
	if message, ok := event.(*magpieclient.Message); ok {
		fmt.Println(message.ID, string(message.Payload.Bytes))
	}
	// Output:
	// 1 false
	// 1 true
	// order-7-paid {"id":7,"state":"paid"}
}

// A program that saves its position continues where it stopped.
func ExampleSubscription_Position() {
	url, stop := exampleGateway()
	defer stop()
	ctx := context.Background()
	client, err := magpieclient.Dial(ctx, magpieclient.Options{URL: url})
	if err != nil {
		panic(err)
	}
	defer client.Close()
	for n := range 4 {
		text := magpieclient.Text(fmt.Sprint("job ", n))
		if _, err := client.Publish(ctx, "job", magpieclient.Publication{Payload: text}); err != nil {
			panic(err)
		}
	}

	from := magpieclient.After(0)
	for run := range 2 {
		subscription, err := client.Subscribe(ctx, "job", magpieclient.SubscribeOptions{From: from})
		if err != nil {
			panic(err)
		}
		for range 2 {
			event, err := subscription.Next(ctx)
			if err != nil {
				panic(err)
			}
			if message, ok := event.(*magpieclient.Message); ok {
				fmt.Printf("run %d: %s\n", run, message.Payload.Bytes)
			}
		}
		from = magpieclient.At(subscription.Position()) // a real program writes it to a file or a database
		subscription.Close()
	}
	// Output:
	// run 0: job 0
	// run 0: job 1
	// run 1: job 2
	// run 1: job 3
}
