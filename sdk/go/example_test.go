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

// One program serves a method, and another calls it. The result comes in parts.
func ExampleClient_Serve() {
	url, stop := exampleGateway()
	defer stop()
	ctx := context.Background()
	server, err := magpieclient.Dial(ctx, magpieclient.Options{URL: url})
	if err != nil {
		panic(err)
	}
	defer server.Close()
	service, err := server.Serve(ctx, "text.words", func(ctx context.Context, r *magpieclient.Request) (magpieclient.Payload, error) {
		words := strings.Fields(string(r.Payload.Bytes))
		if len(words) == 0 {
			return magpieclient.Payload{}, &magpieclient.Error{Code: magpieclient.CodeInvalidArgument, Message: "there is no word"}
		}
		for _, word := range words {
			if err := r.Progress(ctx, magpieclient.Text(word)); err != nil {
				return magpieclient.Payload{}, err // nobody waits any more
			}
		}
		return magpieclient.Value(len(words))
	}, magpieclient.ServeOptions{Concurrency: 8})
	if err != nil {
		panic(err)
	}

	caller, err := magpieclient.Dial(ctx, magpieclient.Options{URL: url})
	if err != nil {
		panic(err)
	}
	defer caller.Close()
	printPart := magpieclient.CallOptions{OnProgress: func(part magpieclient.Payload) { fmt.Println("part:", string(part.Bytes)) }}
	reply, err := caller.Call(ctx, "text.words", magpieclient.Text("to be or not"), printPart)
	if err != nil {
		panic(err)
	}
	fmt.Println("words:", string(reply.Payload.Bytes))
	_, err = caller.Call(ctx, "text.words", magpieclient.Text(""), magpieclient.CallOptions{})
	fmt.Println(magpieclient.CodeOf(err))

	if err := service.Close(ctx); err != nil { // waits for calls in hand
		panic(err)
	}
	_, err = caller.Call(ctx, "text.words", magpieclient.Text("more"), magpieclient.CallOptions{})
	fmt.Println(magpieclient.CodeOf(err))
	// Output:
	// part: to
	// part: be
	// part: or
	// part: not
	// words: 4
	// invalid_argument
	// not_found
}

// A session answers what is asked of its user: here, a question for whoever sits before it.
func ExampleClient_Handle() {
	url, stop := exampleGateway()
	defer stop()
	ctx := context.Background()
	tab, err := magpieclient.Dial(ctx, magpieclient.Options{URL: url, Device: "phone"})
	if err != nil {
		panic(err)
	}
	defer tab.Close()
	tab.Handle("ui.confirm", func(_ context.Context, r *magpieclient.Request) (magpieclient.Payload, error) {
		fmt.Println("asked:", string(r.Payload.Bytes))
		return magpieclient.Value(true)
	})

	backend, err := magpieclient.Dial(ctx, magpieclient.Options{URL: url})
	if err != nil {
		panic(err)
	}
	defer backend.Close()
	reply, err := backend.Call(ctx, "ui.confirm", magpieclient.Text("Pay 9 euros?"), magpieclient.CallOptions{To: "user:dev", Device: "phone"})
	if err != nil {
		panic(err)
	}
	fmt.Println("answered:", string(reply.Payload.Bytes))
	// Output:
	// asked: Pay 9 euros?
	// answered: true
}
