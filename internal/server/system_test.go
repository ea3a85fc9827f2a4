package server

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/auth"
)

// message reads the next message, and its data into something.
func (c *client) message(into any) frame {
	c.t.Helper()
	f := c.until("message")
	if err := json.Unmarshal(f.Data, into); err != nil {
		c.t.Fatal(err)
	}
	return f
}

func TestANodeSaysWhatBecomesOfIt(t *testing.T) {
	r := start(t, closed+"system: true\n")
	c := r.dial(t, mint(t, "ops", auth.Grants{Subscribe: []string{"sys.nodes"}}))
	c.subscribe("sys.nodes")
	var m nodeMessage
	f := c.message(&m)
	if m.State != stateStarted || m.NodeID == "" || m.Version != "test" || f.Publisher != ownPublisherOfTheGateway || m.Timestamp == 0 {
		t.Errorf("got %+v by %s", m, f.Publisher)
	}
	r.stop()
	if c.message(&m); m.State != stateDraining || m.Sessions != 1 {
		t.Errorf("then %+v", m)
	}
}

// ownPublisherOfTheGateway is whose its own messages are.
const ownPublisherOfTheGateway = "magpie"

func TestTheLastWordOfANodeIsKept(t *testing.T) {
	text := closed + "system: true\ndata: " + t.TempDir() + "\n"
	r := start(t, text)
	if status, _, _ := ask(t, "GET", r.url("/healthz"), ""); status != 200 {
		t.Fatalf("the gateway does not serve: %d", status)
	}
	r.stop()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	r = start(t, text)
	c := r.dial(t, mint(t, "ops", auth.Grants{Subscribe: []string{"sys.*"}}))
	c.subscribe("sys.nodes")
	for _, want := range []string{stateStarted, stateDraining, stateEnded, stateStarted} {
		var m nodeMessage
		if c.message(&m); m.State != want {
			t.Errorf("got %+v, want %s", m, want)
		}
	}
}

func TestAReloadIsToldToThoseWhoFollowIt(t *testing.T) {
	r := start(t, closed)
	c := r.dial(t, mint(t, "ops", auth.Grants{Subscribe: []string{"sys.config"}}))
	r.become(t, closed+"limits: {connections: 9}\n") // nobody hears of it
	c.subscribe("sys.config")
	r.become(t, strings.Replace(closed, apiKey, apiKey+"2", 1)+"limits: {connections: 8}\n")
	var m configMessage
	if f := c.message(&m); f.Offset != 1 || strings.Contains(string(f.Data), "canary") {
		t.Errorf("got %+v", f)
	}
	if len(m.Changes) != 2 || m.Changes[1] != (changeMessage{"limits.connections", "9", "8", true}) || m.NodeID == "" {
		t.Errorf("got %+v", m)
	}
}

func TestTheGatewaysChannelsAreForThoseWithTheRight(t *testing.T) {
	r := start(t, closed+"namespaces:\n- {name: all, pattern: '>', publish: everybody, subscribe: everybody, create: false}\n")
	c := r.dial(t, mint(t, "ann", auth.Grants{Publish: []string{">", "sys.>"}, Subscribe: []string{">"}}))
	c.write(`{"type":"connect","requestId":"c"}`)
	c.until("connected")
	for _, name := range []string{"sys.nodes", "sys.config", "sys.metrics"} {
		for _, kind := range []string{"subscribe", "history", "publish"} {
			if f := c.asks(`{"type":"` + kind + `","requestId":"1","channel":"` + name + `","text":"x"}`); f.Error.Code != "permission_denied" {
				t.Errorf("%s %s: %+v", kind, name, f)
			}
		}
	}
}

func TestFiguresAreThoseOfTheMetrics(t *testing.T) {
	r := start(t, closed)
	c := r.dial(t, mint(t, "ops", auth.Grants{Subscribe: []string{"sys.metrics"}}))
	c.subscribe("sys.metrics")
	s := r.Gateway().system
	s.look(t.Context())
	var m metricsMessage
	c.message(&m)
	if m.Figures["magpie_sessions"] != 1 || m.Figures["magpie_subscriptions"] != 1 || m.NodeID == "" {
		t.Errorf("got %+v", m)
	}
	_, _, text := ask(t, "GET", r.url("/metrics"), "")
	for name := range m.Figures {
		if !strings.Contains(text, "\n"+name+" ") {
			t.Errorf("%s is no metric", name)
		}
	}
}
