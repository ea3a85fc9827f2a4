package bench

import (
	"context"
	"crypto/tls"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench/target"
	"github.com/magpie-bridge/magpie/internal/config"
	"github.com/magpie-bridge/magpie/internal/selfsigned"
	"github.com/magpie-bridge/magpie/internal/server"
)

// gateway starts a real one in this process and returns its address.
func gateway(t *testing.T) string {
	t.Helper()
	s := unstarted(t)
	s.Start()
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

// secureGateway speaks TLS; its certificate is in the file.
func secureGateway(t *testing.T) (url, ca string) {
	t.Helper()
	certFile, keyFile, err := selfsigned.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	s := unstarted(t)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	return "wss" + strings.TrimPrefix(s.URL, "https"), certFile
}

func unstarted(t *testing.T) *httptest.Server {
	t.Helper()
	cfg := config.Default()
	cfg.Development, cfg.NodeID, cfg.Loops, cfg.Memory.LogBytes = true, "n1", 1, 64<<20
	g, err := server.NewGateway(server.Options{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(g.Handler())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = g.Shutdown(ctx)
		s.Close()
	})
	return s
}

// brief is a stage that is over soon.
func brief(url, scenario string) Options {
	return Options{
		Scenario: scenario,
		URL:      url,
		Stages:   []int{20},
		Duration: 120 * time.Millisecond,
		Warmup:   10 * time.Millisecond,
		patience: 300 * time.Millisecond,
		calm:     20 * time.Millisecond,
	}
}

func TestEveryScenarioOnARealGateway(t *testing.T) { everyScenario(t, gateway(t), "") }

func TestEveryScenarioOverTLS(t *testing.T) {
	url, ca := secureGateway(t)
	everyScenario(t, url, ca)
}

func everyScenario(t *testing.T, url, ca string) {
	t.Helper()
	for _, s := range Scenarios() {
		o := brief(url, s[0])
		o.CA = ca
		o.Duration, o.patience = 300*time.Millisecond, 10*time.Second // a busy machine may do nothing for a while
		o.Stages = []int{2, 20}                                       // one for each channel of mixed, one more than the witness of comeback and replay
		switch s[0] {
		case "storm":
			o.Rate = 1000
		case "filters":
			o.Rate = 5000
		case "channels":
			o.Channels, o.InFlight = 5, 8
		}
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatalf("%s: %v", s[0], err)
		}
		if len(r.Stages) != 2 || r.Faults() != 0 {
			t.Errorf("%s: %+v", s[0], r.Stages)
		}
		for _, stage := range r.Stages {
			if (stage.Operations == 0) != (s[0] == "idle") {
				t.Errorf("%s with %d lines: %d %s", s[0], stage.Lines, stage.Operations, r.Unit)
			}
			if stage.Server == nil || stage.Server.ResidentBytes == 0 {
				t.Errorf("%s: the server's process was not found", s[0])
			}
			if l := stage.Latency; l.P50 > l.P99 || l.P99 > l.Max || stage.Operations > 0 && s[0] != "handshakes" && l.P50 <= 0 {
				t.Errorf("%s: latency %+v", s[0], l)
			}
		}
	}
}

func TestRateIsKept(t *testing.T) {
	o := brief(gateway(t), "fanout")
	o.Rate, o.Duration, o.Stages = 100, 500*time.Millisecond, []int{2}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Stages[0].Operations; got < 60 || got > 110 || r.Faults() != 0 {
		t.Errorf("%d deliveries in half a second of 100 messages to 2, faults %+v", got, r.Stages[0].Faults)
	}
}

// planter is a target that spoils every n-th message of one reader.
type planter struct {
	target.Target
	spoil func(events []target.Event) []target.Event
	kept  []byte // a payload that is held back
	seen  int
}

func (p *planter) Parse(events []target.Event, message []byte) []target.Event {
	events = p.Target.Parse(events, message)
	if len(events) == 1 && events[0].Kind == target.Message {
		p.seen++
		if p.seen%50 == 0 {
			return p.spoil(events)
		}
		if p.kept != nil {
			events = append(events, target.Event{Kind: target.Message, Payload: p.kept})
			p.kept = nil
		}
	}
	return events
}

// The checker is worth what it sees: each fault is planted, and has to be found, and nothing else.
func TestPlantedFaultsAreSeen(t *testing.T) {
	url := gateway(t)
	for _, test := range []struct {
		name  string
		spoil func(p *planter, events []target.Event) []target.Event
		found func(f Faults) bool
	}{
		{"nothing", func(_ *planter, e []target.Event) []target.Event { return e }, func(f Faults) bool { return f == Faults{} }},
		{"loss", func(_ *planter, e []target.Event) []target.Event { return e[:0] }, func(f Faults) bool {
			return f.Lost > 0 && f.Duplicated == 0 && f.Reordered == 0 && f.Misplaced > 0
		}},
		{"duplicate", func(_ *planter, e []target.Event) []target.Event {
			again := e[0]
			again.Offset = 0
			return append(e, again)
		}, func(f Faults) bool { return f.Duplicated > 0 && f.Lost == 0 && f.Reordered == 0 && f.Misplaced == 0 }},
		{"reordering", func(p *planter, e []target.Event) []target.Event {
			p.kept = append([]byte(nil), e[0].Payload...)
			return e[:0]
		}, func(f Faults) bool { return f.Reordered > 0 && f.Duplicated == 0 && f.Lost == 0 }},
		{"wrong offset", func(_ *planter, e []target.Event) []target.Event {
			e[0].Offset += 7
			return e
		}, func(f Faults) bool { return f.Misplaced > 0 && f == Faults{Misplaced: f.Misplaced} }},
		{"another's message", func(_ *planter, e []target.Event) []target.Event {
			stranger := append([]byte(nil), e[0].Payload...)
			stranger[0] ^= 1
			return append(e, target.Event{Kind: target.Message, Payload: stranger})
		}, func(f Faults) bool { return f.Unreadable > 0 && f == Faults{Unreadable: f.Unreadable} }},
	} {
		o := brief(url, "fanout")
		// One reader, so that what is held back comes after the next message to the same one; and many in flight, so
		// that a lost one does not end the traffic.
		o.Stages, o.InFlight = []int{1}, 64
		inner, err := target.New("magpie", target.Options{Payload: defaultPayload})
		if err != nil {
			t.Fatal(err)
		}
		p := &planter{Target: inner}
		p.spoil = func(e []target.Event) []target.Event { return test.spoil(p, e) }
		o.speaks = p
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if f := r.Stages[0].Faults; !test.found(f) {
			t.Errorf("%s was planted, and %+v found", test.name, f)
		}
	}
}

func TestServersThatAreNone(t *testing.T) {
	if _, err := Run(t.Context(), brief("ws://127.0.0.1:1", "fanout")); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody there: %v", err)
	}
	o := brief(gateway(t)+"/healthz", "fanout")
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "refused the handshake: HTTP/1.1 200") {
		t.Errorf("no WebSocket there: %v", err)
	}
}

func TestWhomToTrust(t *testing.T) {
	url, ca := secureGateway(t)
	o := brief(url, "echo")
	o.Insecure = true
	if r, err := Run(t.Context(), o); err != nil || r.Faults() != 0 || len(r.Stages) != 1 {
		t.Errorf("trusting anybody: %+v, %v", r, err)
	}
	_, otherCA := secureGateway(t)
	for name, test := range map[string]struct{ url, ca, want string }{
		"somebody else":   {url, otherCA, "certificate"},
		"no certificates": {url, "gateway_linux_test.go", "no certificate"},
		"no file":         {url, "gone.pem", "gone.pem"},
		"without TLS":     {"ws" + strings.TrimPrefix(url, "wss"), ca, "wss:// alone"},
	} {
		o := brief(test.url, "echo")
		o.CA = test.ca
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want something about %q", name, err, test.want)
		}
	}
}
