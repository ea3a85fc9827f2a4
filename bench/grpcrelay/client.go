package main

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"google.golang.org/grpc"

	"github.com/magpie-bridge/magpie/internal/bench/relay"
)

// client is one stream, of somebody who calls, serves or both.
type client struct {
	stream  grpc.ServerStream
	sending sync.Mutex // held while a message is put on the stream

	// For the router, under its lock.
	inHand int // calls that it was given and has not answered
	most   int // of them
}

func newClient(stream grpc.ServerStream) *client { return &client{stream: stream} }

// run takes what the client says until it ends the stream.
func (c *client) run(r *router) error {
	defer r.leave(c)
	var f received
	for {
		if err := c.stream.RecvMsg(&f); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := c.take(r, &f.Frame); err != nil {
			return err
		}
	}
}

// take handles a frame. What is sent on may fail only for the one it is sent to, who learns it from its own stream.
func (c *client) take(r *router, f *relay.Frame) error {
	switch f.Kind {
	case relay.Serve:
		r.serve(c, string(f.Method), int(f.Concurrency))
		return c.send(&relay.Frame{Kind: relay.Served})
	case relay.Call:
		server, id, why := r.call(c, f.ID, f.Method)
		if why != "" {
			return c.send(&relay.Frame{Kind: relay.Error, ID: f.ID, Data: []byte(why)})
		}
		f.ID = id
		_ = server.send(f)
		return nil
	case relay.Reply:
		if caller, id, ok := r.reply(c, f.ID); ok {
			f.ID = id
			_ = caller.send(f)
		}
		return nil
	case relay.Served, relay.Error:
	}
	return fmt.Errorf("a frame of kind %d is not for the relay", f.Kind)
}

// send puts a frame on the stream. The frame may be used again when it returns.
func (c *client) send(f *relay.Frame) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	return c.stream.SendMsg(f)
}
