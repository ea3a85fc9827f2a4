package target

import (
	"fmt"
	"strconv"

	"github.com/magpie-bridge/magpie/internal/bench/relay"
)

// grpc speaks to bench/grpcrelay, by one bidirectional stream on each line. There are calls alone.
type grpc struct {
	opts   Options
	method []byte
	frame  relay.Frame
	id     []byte // of the call that was parsed last
}

func (g *grpc) Upgrade() Upgrade { return Upgrade{Path: pathOr(g.opts.Path, relay.Path), GRPC: true} }

func (g *grpc) Append(dst []byte, c Command) []byte {
	switch c.Kind {
	case Serve:
		g.frame = relay.Frame{Kind: relay.Serve, Method: g.method, Concurrency: Concurrency}
	case Call:
		g.frame = relay.Frame{Kind: relay.Call, ID: c.Sequence, Method: g.method, Data: c.Payload}
	case Answer:
		g.frame = relay.Frame{Kind: relay.Reply, ID: digits(c.ID), Data: c.Payload}
	default:
		return dst
	}
	return g.frame.Append(dst)
}

func (g *grpc) Parse(events []Event, message []byte) []Event {
	if err := g.frame.Parse(message); err != nil {
		return append(events, Event{Kind: Refused, Reason: err.Error()})
	}
	switch f := &g.frame; f.Kind {
	case relay.Served:
		return append(events, Event{Kind: Ack})
	case relay.Call:
		g.id = strconv.AppendUint(g.id[:0], f.ID, 10)
		return append(events, Event{Kind: Called, ID: g.id, Payload: f.Data})
	case relay.Reply:
		return append(events, Event{Kind: Message, Sequence: f.ID, Payload: f.Data})
	case relay.Serve, relay.Error:
	}
	return append(events, Event{Kind: Refused, Reason: fmt.Sprintf("frame %d: %s", g.frame.Kind, excerpt(g.frame.Data))})
}
