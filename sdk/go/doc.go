// Package magpieclient is the Go client of the Magpie gateway.
//
// A [Client] keeps one line to a gateway open and brings it back whenever it breaks. What was asked of it goes on over
// the new line: subscriptions continue after the last message they were given, and publishes that were not answered
// are sent again under the same message id, so that the gateway keeps each of them once.
//
//	client, err := magpieclient.Dial(ctx, magpieclient.Options{URL: "ws://127.0.0.1:8080/ws"})
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//
//	payload, err := magpieclient.Value(map[string]any{"id": 7, "state": "paid"})
//	if err != nil {
//		return err
//	}
//	_, err = client.Publish(ctx, "order.update", magpieclient.Publication{Payload: payload})
//
// # Subscriptions are cursors
//
// A channel is an append-only log and a [Subscription] a cursor over it. It is pulled: [Subscription.Next] gives one
// event after another, each exactly once and in order. A consumer that is slower than the channel costs no memory: its
// cursor lags, in the log that the gateway keeps. Only when it lags beyond what the gateway retains are messages lost,
// and then a [Gap] stands in their place.
//
//	subscription, err := client.Subscribe(ctx, "order.update", magpieclient.SubscribeOptions{From: magpieclient.Last(10)})
//	if err != nil {
//		return err
//	}
//	for event, err := range subscription.Events(ctx) {
//		if err != nil {
//			return err
//		}
//		switch event := event.(type) {
//		case *magpieclient.Message:
//			handle(event)
//		case *magpieclient.Gap:
//			reload(event)
//		}
//	}
//
// A program that must continue where it stopped saves [Subscription.Position] once an event is dealt with, and starts
// with [At] that position.
//
// # The past
//
// [Client.History] reads a page of what a channel keeps, forwards or backwards, from an offset or a time, and
// [Client.HistoryEvents] goes through all of it:
//
//	options := magpieclient.HistoryOptions{From: magpieclient.Since(time.Now().Add(-time.Hour))}
//	for event, err := range client.HistoryEvents(ctx, "order.update", options) {
//
// # Calls both ways
//
// [Client.Call] runs a method at a peer: at one of those who serve it, at a user, at a session, or at all subscribers of a
// channel. [Client.Serve] answers the calls of a method, and [Client.Handle] those that are directed to this session or its
// user:
//
//	service, err := client.Serve(ctx, "pricing.quote", func(ctx context.Context, r *magpieclient.Request) (magpieclient.Payload, error) {
//		price, err := quote(ctx, r.Payload.Bytes)
//		if err != nil {
//			return magpieclient.Payload{}, err
//		}
//		return magpieclient.Value(price)
//	}, magpieclient.ServeOptions{})
//
// A service comes back with the line. Calls do not: when either line breaks, the caller is told [CodeUnavailable], and
// decides whether to call again.
//
// # Concurrency
//
// A Client may be used by any number of goroutines. Publishes are sent in the order in which [Client.PublishAsync] or
// [Client.Publish] took them. A Subscription is read by one goroutine at a time; its other methods may be called by
// any. Handlers run on goroutines of their own. The client keeps no reference to the slices and maps it is given.
//
// # Files
//
//	options.go    how a client is made
//	client.go     Client: its life, from New to Close
//	line.go       one connection: handshake, reading, writing
//	heartbeat.go  when a line is dead
//	backoff.go    when to come back, and when not to
//	dispatch.go   what each frame of the gateway leads to
//	request.go    what was asked and waits for its answer
//	publish.go    Publish, PublishBatch, PublishAsync
//	call.go       Call, and results that come in parts
//	serve.go      Serve: methods that the gateway knows to be served here
//	service.go    Handle, and how calls come to their handlers
//	handler.go    one call at its handler
//	history.go    pages of a channel's past
//	presence.go   pages of who is in a channel
//	resume.go     what of a session outlives its line
//	subscribe.go  Subscription
//	pattern.go    subscriptions to many channels
//	cursor.go     where a subscription stands: repeats, gaps, jumps
//	hold.go       what happens when a consumer is slower than its channel
//	message.go    positions, payloads, messages and gaps
//	start.go      where a subscription or a page begins
//	state.go      what the line does now
//	error.go      what can go wrong
package magpieclient
