package server

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/magpie-bridge/magpie/internal/api"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// The channels in which a gateway speaks of itself. They are written while somebody of the node has subscribed them, or always
// where the configuration says system: true; clients cannot publish to them, and read them with rights that begin with "sys.".
const (
	nodesChannel   wire.ChannelName = "sys.nodes"
	configChannel  wire.ChannelName = "sys.config"
	metricsChannel wire.ChannelName = "sys.metrics"
)

// systemEvery is how often a node says how it is, and what its figures are.
const systemEvery = 10 * time.Second

// systemPatience is how long a message of the gateway's own may take: nothing waits for it any longer than that.
const systemPatience = time.Second

// The states of a node, as sys.nodes has them.
const (
	stateStarted  = "started"
	stateRunning  = "running"
	stateDraining = "draining"
	stateEnded    = "ended"
)

// system speaks of the gateway in its own channels. Safe for concurrent use.
type system struct {
	gateway *Gateway
	version string
	figures func() map[string]int64
	always  atomic.Bool // whether or not somebody has subscribed
	stop    context.CancelFunc
	done    sync.WaitGroup
	drained sync.Once
}

// nodeMessage is a message of sys.nodes.
type nodeMessage struct {
	NodeID    string `json:"nodeId"`
	Version   string `json:"version"`
	State     string `json:"state"`
	Sessions  int64  `json:"sessions"`
	Channels  int    `json:"channels"`
	Timestamp int64  `json:"timestamp"`
}

// metricsMessage is a message of sys.metrics. Its figures bear the names that /metrics has.
type metricsMessage struct {
	NodeID    string           `json:"nodeId"`
	Timestamp int64            `json:"timestamp"`
	Figures   map[string]int64 `json:"figures"`
}

// configMessage is a message of sys.config.
type configMessage struct {
	NodeID       string          `json:"nodeId"`
	Timestamp    int64           `json:"timestamp"`
	Changes      []changeMessage `json:"changes"`
	Unsubscribed int             `json:"unsubscribed"`
	Unserved     int             `json:"unserved"`
	Disconnected int             `json:"disconnected"`
}

// changeMessage is a setting that has changed, without secrets.
type changeMessage struct {
	Key     string `json:"key"`
	Before  string `json:"before"`
	After   string `json:"after"`
	Applied bool   `json:"applied"`
}

// startSystem has the gateway speak of itself until end.
func (g *Gateway) startSystem(version string) {
	ctx, cancel := context.WithCancel(context.Background())
	g.system = &system{gateway: g, version: version, stop: cancel, figures: func() map[string]int64 { return api.Figures(g.hub, g.shards) }}
	g.system.always.Store(g.cfg.System)
	g.system.node(ctx, stateStarted) // before anything else that it may say
	g.system.done.Go(func() { g.system.run(ctx) })
}

func (s *system) run(ctx context.Context) {
	ticker := time.NewTicker(systemEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		s.look(ctx)
	}
}

// look says how the node is, and what its figures are.
func (s *system) look(ctx context.Context) {
	s.node(ctx, stateRunning)
	if s.followed(ctx, metricsChannel) {
		s.publish(metricsChannel, metricsMessage{s.nodeID(), time.Now().UnixMilli(), s.figures()})
	}
}

// draining says that the node is leaving, the first time that it is called. When it returns, the loops have had the time to
// give the message to those who have subscribed: they are told goodbye next.
func (s *system) draining() {
	s.drained.Do(func() {
		ctx := context.Background()
		s.node(ctx, stateDraining)
		s.followed(ctx, nodesChannel)
		s.followed(ctx, nodesChannel)
	})
}

// end says that the node has left, and nothing more. The engine must be open still.
func (s *system) end() {
	s.stop()
	s.done.Wait()
	if s.always.Load() { // the loops have ended, and with them whoever had subscribed
		s.publish(nodesChannel, s.message(stateEnded))
	}
}

func (s *system) node(ctx context.Context, state string) {
	if s.followed(ctx, nodesChannel) {
		s.publish(nodesChannel, s.message(state))
	}
}

func (s *system) message(state string) nodeMessage {
	h := s.gateway.hub
	return nodeMessage{
		NodeID: s.nodeID(), Version: s.version, State: state, Sessions: h.Metrics.Sessions.Load(),
		Channels: h.Engine().Stats().Channels, Timestamp: time.Now().UnixMilli(),
	}
}

// configured tells what came of a reload.
func (s *system) configured(done *api.Reloaded) {
	if !s.followed(context.Background(), configChannel) {
		return
	}
	m := configMessage{
		NodeID: s.nodeID(), Timestamp: time.Now().UnixMilli(), Changes: make([]changeMessage, len(done.Changes)),
		Unsubscribed: done.Unsubscribed, Unserved: done.Unserved, Disconnected: done.Disconnected,
	}
	for i, c := range done.Changes {
		m.Changes[i] = changeMessage{c.Key, c.Before, c.After, c.Live}
	}
	s.publish(configChannel, m)
}

// followed reports whether a channel is to be written. All loops are asked.
func (s *system) followed(ctx context.Context, name wire.ChannelName) bool {
	ctx, cancel := context.WithTimeout(ctx, session.AskTimeout)
	defer cancel()
	subscribers, err := session.Subscribers(ctx, s.gateway.shards, []wire.ChannelName{name})
	return s.always.Load() || err == nil && subscribers[0] > 0
}

func (s *system) nodeID() string { return s.gateway.hub.NodeID() }

// publish appends a message whose key is the node's name, so that readers may skip to the newest of each node.
func (s *system) publish(name wire.ChannelName, message any) {
	data, err := json.Marshal(message)
	if err != nil {
		s.gateway.log.Error("a message of the gateway's own cannot be written", "channel", name, "error", err)
		return
	}
	p := wire.Publication{Key: s.nodeID(), Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: data}}
	taken := make(chan error, 1)
	s.gateway.hub.PublishOwn(name, p, func(err error) { taken <- err })
	select {
	case err = <-taken:
	case <-time.After(systemPatience):
		err = wire.Errorf(wire.CodeUnavailable, "the engine did not answer in time")
	}
	if err != nil {
		s.gateway.log.Warn("a message of the gateway's own was not taken", "channel", name, "error", err)
	}
}
