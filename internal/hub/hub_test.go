package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// gate is an authenticator that waits for the test.
type gate struct {
	open    chan struct{}
	waiting atomic.Int64
}

func (g *gate) Authenticate(_ context.Context, c auth.Credential) (*auth.Principal, error) {
	g.waiting.Add(1)
	<-g.open
	g.waiting.Add(-1)
	if c.Token == "" {
		return nil, wire.Errorf(wire.CodeUnauthenticated, "no token")
	}
	return &auth.Principal{UserID: c.Token}, nil
}

func openHub(t *testing.T, opts Options) *Hub {
	memory := engine.NewMemory(engine.MemoryOptions{Space: channel.NewSpace(channel.NewBudget(0), nil)})
	t.Cleanup(func() {
		if err := memory.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	opts.NodeID = "n1"
	if opts.Engine == nil {
		opts.Engine = memory
	}
	return New(opts)
}

func user(t *testing.T, id string, grants auth.Grants) *auth.Principal {
	t.Helper()
	rights, err := auth.NewRights(grants)
	if err != nil {
		t.Fatal(err)
	}
	return &auth.Principal{UserID: id, Rights: rights}
}

func code(err error) wire.Code {
	if err == nil {
		return ""
	}
	return wire.AsError(err).Code
}

func publish(h *Hub, by *auth.Principal, p *wire.Publish) (published *wire.Published, err error) {
	answers := 0
	h.Publish(by, p, func(result *wire.Published, failure error) {
		published, err = result, failure
		answers++
	})
	if answers != 1 {
		return nil, fmt.Errorf("%d answers", answers)
	}
	return published, err
}

func TestRightsAreCheckedForEachAction(t *testing.T) {
	h := openHub(t, Options{})
	alice := user(t, "alice", auth.Grants{Publish: []string{"out"}, Subscribe: []string{"in"}, Call: []string{"magpie.echo"}})
	watch := func(name wire.ChannelName) error {
		_, err := h.Watch(alice, name, channel.NewWatch(func(*channel.Watch) {}))
		return err
	}
	send := func(name wire.ChannelName) error {
		_, err := publish(h, alice, &wire.Publish{Channel: name})
		return err
	}
	call := func(c wire.Call) error {
		_, err := h.Ask(t.Context(), alice, &c, nil)
		return err
	}
	for _, test := range []struct {
		name string
		err  error
		want wire.Code
	}{
		{"subscribe", watch("in"), ""},
		{"subscribe to what may only be published", watch("out"), wire.CodePermissionDenied},
		{"subscribe to one's own channel", watch("user.alice"), ""},
		{"subscribe to another's channel", watch("user.bob"), wire.CodePermissionDenied},
		{"subscribe to no name", watch(""), wire.CodeInvalidArgument},
		{"subscribe to a bad name", watch("in\x00"), wire.CodeInvalidArgument},
		{"publish", send("out"), ""},
		{"publish to what may only be subscribed", send("in"), wire.CodePermissionDenied},
		{"publish to one's own channel", send("user.alice"), wire.CodePermissionDenied},
		{"publish to the gateway's own", send("sys.x"), wire.CodePermissionDenied},
		{"publish to a bad name", send("out."), wire.CodeInvalidArgument},
		{"publish to a name that is too long", send(wire.ChannelName(strings.Repeat("x", wire.MaxChannelBytes+1))), wire.CodeInvalidArgument},
		{"call", call(wire.Call{Method: "magpie.echo"}), ""},
		{"call what is not granted", call(wire.Call{Method: "magpie.other"}), wire.CodePermissionDenied},
		{"call a peer", call(wire.Call{Method: "magpie.echo", To: "user:bob"}), wire.CodePermissionDenied},
		{"call a bad name", call(wire.Call{Method: "magpie..echo"}), wire.CodeInvalidArgument},
	} {
		if got := code(test.err); got != test.want {
			t.Errorf("%s: %q, want %q (%v)", test.name, got, test.want, test.err)
		}
	}
	m := &h.Metrics
	if m.Published.Load() != 1 || m.PublishErrors.Load() != 5 || m.Calls.Load() != 1 || m.CallErrors.Load() != 3 {
		t.Errorf("counted %d published, %d refused, %d calls, %d failed",
			m.Published.Load(), m.PublishErrors.Load(), m.Calls.Load(), m.CallErrors.Load())
	}
	if n := h.Engine().Stats().Channels; n != 3 {
		t.Errorf("%d channels were made, want the three that were allowed", n)
	}
}

func TestPublishStampsThePublisher(t *testing.T) {
	h := openHub(t, Options{})
	all := auth.Grants{Publish: []string{">"}, Subscribe: []string{">"}}
	alice, bob := user(t, "alice", all), user(t, "bob", all)
	log, err := h.Watch(alice, "a", channel.NewWatch(func(*channel.Watch) {}))
	if err != nil {
		t.Fatal(err)
	}
	var results []wire.PublishResult
	for _, by := range []*auth.Principal{alice, bob, alice} {
		p, err := publish(h, by, &wire.Publish{Channel: "a", Publication: wire.Publication{MessageID: "m"}})
		if err != nil || p.Results != nil {
			t.Fatalf("%+v, %v", p, err)
		}
		results = append(results, p.PublishResult)
	}
	batch, err := publish(h, bob, &wire.Publish{Channel: "a", Messages: []wire.Publication{{MessageID: "n"}, {MessageID: "m"}, {}}})
	if err != nil || batch.PublishResult != (wire.PublishResult{}) {
		t.Fatalf("%+v, %v", batch, err)
	}
	at := func(offset wire.Offset, duplicate bool) wire.PublishResult {
		return wire.PublishResult{Position: wire.Position{Epoch: log.Epoch(), Offset: offset}, Duplicate: duplicate}
	}
	want := []wire.PublishResult{at(1, false), at(2, false), at(1, true), at(3, false), at(2, true), at(4, false)}
	if got := append(results, batch.Results...); !slices.Equal(got, want) {
		t.Errorf("answered %+v\nwant     %+v", got, want)
	}
	var m wire.Message
	for i, publisher := range []string{"alice", "bob", "bob", "bob"} {
		if !log.Read(wire.Offset(i+1), &m) || m.Publisher != publisher {
			t.Errorf("entry %d is by %q, want %q", i+1, m.Publisher, publisher)
		}
	}
	if p, d := h.Metrics.Published.Load(), h.Metrics.Duplicates.Load(); p != 4 || d != 2 {
		t.Errorf("%d published and %d duplicates counted", p, d)
	}
}

func TestEchoAnswersWithItsPayload(t *testing.T) {
	h := openHub(t, Options{})
	payload := wire.Payload{Kind: wire.PayloadBytes, Bytes: []byte{0, 1}}
	got, answered, err := h.CallNow(user(t, "alice", auth.DefaultGrants()), &wire.Call{Method: "magpie.echo", Payload: payload})
	if err != nil || !answered || got.Kind != payload.Kind || string(got.Bytes) != string(payload.Bytes) {
		t.Errorf("%+v, %v", got, err)
	}
}

// brokenEngine refuses everything.
type brokenEngine struct{ engine.Engine }

func (brokenEngine) Append(_ wire.ChannelName, _ []channel.Record, done func(wire.Epoch, []channel.Placed, error)) {
	done("", nil, wire.Errorf(wire.CodeUnavailable, "the engine is away"))
}

func TestAnEngineThatIsAwayRefusesPublishes(t *testing.T) {
	h := openHub(t, Options{Engine: brokenEngine{}})
	alice := user(t, "alice", auth.Grants{Publish: []string{">"}})
	for _, p := range []*wire.Publish{{Channel: "a"}, {Channel: "a", Messages: make([]wire.Publication, 3)}} {
		if published, err := publish(h, alice, p); published != nil || code(err) != wire.CodeUnavailable {
			t.Errorf("%+v, %v: want unavailable", published, err)
		}
	}
	if n := h.Metrics.PublishErrors.Load(); n != 2 {
		t.Errorf("%d failures counted", n)
	}
}

func TestSessionsAreLimited(t *testing.T) {
	h := openHub(t, Options{MaxSessions: 10})
	var wg sync.WaitGroup
	var in atomic.Int64
	for range 100 {
		wg.Go(func() {
			if err := h.Enter(); err == nil {
				in.Add(1)
			} else if code(err) != wire.CodeResourceExhausted {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// One that is refused may for a moment count, and refuse another: fewer than ten is possible, more is not.
	if n := in.Load(); n == 0 || n > 10 || h.Metrics.Sessions.Load() != n {
		t.Fatalf("%d sessions were let in, %d are counted", n, h.Metrics.Sessions.Load())
	}
	for h.Enter() == nil {
		in.Add(1)
	}
	if n := in.Load(); n != 10 || h.Metrics.SessionsOpened.Load() != 10 {
		t.Errorf("%d sessions, want 10", n)
	}
	h.Leave()
	if err := h.Enter(); err != nil {
		t.Errorf("in the place of one that left: %v", err)
	}
	h.Leave()
	h.Drain()
	if err := h.Enter(); code(err) != wire.CodeUnavailable || !h.Draining() {
		t.Errorf("while draining: %v, want unavailable", err)
	}
	if n := h.Metrics.Sessions.Load(); n != 9 {
		t.Errorf("%d sessions, want 9", n)
	}
}

func TestAuthenticationsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		h := openHub(t, Options{Authenticator: g})
		var good, bad atomic.Int64
		const all = 2*maxAuthentications + 5
		for i := range all {
			token := ""
			if i%2 == 0 {
				token = "alice"
			}
			h.AuthenticateAsync(t.Context(), auth.Credential{Token: token}, func(p *auth.Principal, err error) {
				if e, ok := errors.AsType[*wire.Error](err); ok && e.Code == wire.CodeUnauthenticated {
					bad.Add(1)
				} else if err == nil && p.UserID == "alice" {
					good.Add(1)
				}
			})
		}
		synctest.Wait()
		if n := g.waiting.Load(); n != maxAuthentications {
			t.Errorf("%d authentications are under way, want %d", n, maxAuthentications)
		}
		close(g.open)
		synctest.Wait()
		if good.Load()+bad.Load() != all || bad.Load() != all/2 || h.Metrics.AuthFailures.Load() != bad.Load() {
			t.Errorf("%d good, %d bad, %d counted, of %d", good.Load(), bad.Load(), h.Metrics.AuthFailures.Load(), all)
		}
	})
}

// TestPublishTogether checks that the records that publishes share the memory of are not mixed up.
func TestPublishTogether(t *testing.T) {
	h := openHub(t, Options{})
	all := auth.Grants{Publish: []string{">"}, Subscribe: []string{">"}}
	var wg sync.WaitGroup
	for i := range 4 {
		by := user(t, fmt.Sprint("user", i), all)
		name := wire.ChannelName(fmt.Sprint("c", i))
		log, err := h.Watch(by, name, channel.NewWatch(func(*channel.Watch) {}))
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			var m wire.Message
			for n := range 1000 {
				p := &wire.Publish{Channel: name, Messages: make([]wire.Publication, 1+n%5)}
				for j := range p.Messages {
					p.Messages[j].Payload = wire.Payload{Kind: wire.PayloadText, Bytes: []byte(by.UserID)}
				}
				published, err := publish(h, by, p)
				if err != nil || len(published.Results) != len(p.Messages) {
					t.Errorf("%+v, %v", published, err)
					return
				}
				last := published.Results[len(published.Results)-1].Position.Offset
				if !log.Read(last, &m) || m.Publisher != by.UserID || string(m.Payload.Bytes) != by.UserID {
					t.Errorf("%s %d is by %s: %q", name, last, m.Publisher, m.Payload.Bytes)
					return
				}
			}
		})
	}
	wg.Wait()
}
