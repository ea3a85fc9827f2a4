// Command calls is a service that dials in: it answers the calls of pricing.quote that the gateway brings it, needs no port of
// its own for that, and shares them with every other copy of itself. plain.mjs is the same with a WebSocket alone.
//
//	bin/magpie serve --dev
//	go run ./examples/calls
//	bin/magpie call pricing.quote '{"sku":"lantern","count":3}'
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"time"

	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

// drainTimeout is what the calls in hand have to end when the program does.
const drainTimeout = 5 * time.Second

// order is what somebody would like to buy, and offer what it costs.
type order struct {
	SKU   string `json:"sku"`
	Count int    `json:"count"`
}

type offer struct {
	Cents int `json:"cents"`
}

func main() {
	url := flag.String("url", cmp.Or(os.Getenv("MAGPIE_URL"), "ws://127.0.0.1:8080/ws"), "the gateway; a token is taken from MAGPIE_TOKEN")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *url, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "calls:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, and then lets the calls in hand end.
func run(ctx context.Context, url string, out io.Writer) error {
	client, err := magpieclient.Dial(ctx, magpieclient.Options{
		URL: url, Token: os.Getenv("MAGPIE_TOKEN"), Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	service, err := client.Serve(ctx, "pricing.quote", quote, magpieclient.ServeOptions{Concurrency: 8})
	if err != nil {
		return errors.Join(err, client.Close())
	}
	fmt.Fprintln(out, "serving pricing.quote")
	select {
	case <-ctx.Done():
	case <-service.Done():
		err = service.Err() // the gateway will have it no more
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	return errors.Join(err, service.Close(draining), client.Close())
}

func quote(ctx context.Context, r *magpieclient.Request) (magpieclient.Payload, error) {
	var o order
	if err := r.Payload.Unmarshal(&o); err != nil {
		return magpieclient.Payload{}, &magpieclient.Error{Code: magpieclient.CodeInvalidArgument, Message: err.Error()}
	}
	if err := r.Progress(ctx, magpieclient.Text("looking for a "+o.SKU)); err != nil {
		return magpieclient.Payload{}, err // nobody waits any more
	}
	cents, ok := map[string]int{"lantern": 1299, "rope": 450}[o.SKU]
	if !ok {
		return magpieclient.Payload{}, &magpieclient.Error{Code: magpieclient.CodeNotFound, Message: "there is no " + o.SKU}
	}
	return magpieclient.Value(offer{Cents: cents * o.Count})
}
