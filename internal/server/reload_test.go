package server

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"github.com/magpie-bridge/magpie/internal/api"
	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// become has the gateway read another configuration.
func (r *running) become(t *testing.T, text string) *api.Reloaded {
	t.Helper()
	r.file.Store(&text)
	done, err := r.Gateway().Reload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func keys(done *api.Reloaded) (all []string) {
	for _, c := range done.Changes {
		all = append(all, c.Key)
	}
	return all
}

// ping shows that the line is there, and that nothing came before the answer.
func (c *client) ping() {
	c.t.Helper()
	c.write(`{"type":"ping","requestId":"p"}`)
	if f := c.read(); f.Type != "pong" {
		c.t.Fatalf("in place of a pong: %+v", f)
	}
}

func TestReloadChecksTheRightsOfOpenSubscriptions(t *testing.T) {
	const rooms = closed + "namespaces:\n- {name: room, pattern: room.*, subscribe: "
	r := start(t, rooms+"everybody}\n")
	ann := r.dial(t, mint(t, "ann", auth.Grants{Subscribe: []string{"order.a"}}))
	bob := r.dial(t, mint(t, "bob", auth.Grants{}))
	ann.subscribe("order.a")
	ann.subscribe("room.1")
	bob.subscribe("room.1")
	bob.subscribe("room.2")
	bob.subscribe("user.bob")

	done := r.become(t, rooms+"[ann]}\n")
	if !slices.Equal(keys(done), []string{"namespaces[room].subscribe"}) || done.Unsubscribed != 2 || done.Disconnected != 0 {
		t.Errorf("got %+v", done)
	}
	ended := []string{bob.read().Channel, bob.read().Channel}
	if slices.Sort(ended); !slices.Equal(ended, []string{"room.1", "room.2"}) {
		t.Errorf("ended: %v", ended)
	}
	bob.ping()
	ann.ping()
	bob.write(`{"type":"subscribe","requestId":"s","channel":"room.1"}`)
	if f := bob.read(); f.Error.Code != "permission_denied" {
		t.Errorf("again: %+v", f)
	}
}

func TestReloadEndsWhatAPatternHoldsAndBringsItBack(t *testing.T) {
	const rooms = closed + "namespaces:\n- {name: room, pattern: room.a, subscribe: everybody}\n"
	r := start(t, rooms)
	r.publish(t, "room.a", 1)
	r.publish(t, "room.b", 1)
	c := r.dial(t, mint(t, "ann", auth.Grants{Subscribe: []string{"room.b"}}))
	c.write(`{"type":"subscribe","requestId":"s","channel":"room.*"}`)
	c.until("subscribed") // the pattern itself
	joined := map[string]bool{c.until("subscribed").Channel: true, c.until("subscribed").Channel: true}
	if !joined["room.a"] || !joined["room.b"] {
		t.Fatalf("joined %v", joined)
	}
	if done := r.become(t, closed); done.Unsubscribed != 1 {
		t.Errorf("got %+v", done)
	}
	if f := c.read(); f.Type != "unsubscribed" || f.Channel != "room.a" || f.Code != "permission_denied" {
		t.Errorf("got %+v", f)
	}
	r.publish(t, "room.a", 2)
	r.publish(t, "room.b", 2)
	if f := c.read(); f.Type != "message" || f.Channel != "room.b" {
		t.Errorf("got %+v", f)
	}
	r.become(t, rooms)
	if f := c.read(); f.Type != "subscribed" || f.Channel != "room.a" || f.Pattern != "room.*" || f.Position.Offset != 2 {
		t.Errorf("when the right is there again: %+v", f)
	}
	r.publish(t, "room.a", 3)
	if f := c.read(); f.Type != "message" || f.Channel != "room.a" || f.Offset != 3 {
		t.Errorf("got %+v", f)
	}
	c.write(`{"type":"unsubscribe","requestId":"u","channel":"room.*"}`)
	if f := c.read(); f.Type != "unsubscribed" || f.Channel != "room.*" {
		t.Errorf("got %+v", f)
	}
	c.ping()
}

func TestReloadSaysWhyASubscriptionEnds(t *testing.T) {
	r := start(t, closed)
	c := r.dial(t, apiKey)
	c.subscribe("order.a")
	r.become(t, strings.Replace(closed, "subscribe: [order.>]", "subscribe: [price.>]", 1))
	if f := c.read(); f.Type != "unsubscribed" || f.Channel != "order.a" || f.Code != "permission_denied" || !strings.Contains(f.Reason, "auth.api_keys") {
		t.Errorf("got %+v", f)
	}
	c.subscribe("price.a")
}

func TestReloadEndsWhatIsServedWithoutARight(t *testing.T) {
	mayServe := strings.Replace(closed, "subscribe: [order.>]", "subscribe: [order.>], serve: [order.place, order.list]", 1)
	r := start(t, mayServe)
	c := r.dial(t, apiKey)
	for _, method := range []string{"order.place", "order.list"} {
		c.write(`{"type":"serve","requestId":"s","method":"` + method + `"}`)
		c.until("served")
	}
	done := r.become(t, strings.Replace(mayServe, "serve: [order.place, order.list]", "serve: [order.list]", 1))
	if done.Unserved != 1 || done.Unsubscribed != 0 || done.Disconnected != 0 {
		t.Errorf("got %+v", done)
	}
	if f := c.read(); f.Type != "unserved" || f.RequestID != "" || f.Method != "order.place" || f.Code != "permission_denied" {
		t.Errorf("got %+v", f)
	}
	for method, code := range map[string]string{"order.place": "not_found", "order.list": "deadline_exceeded"} {
		_, answer := r.curl(t, mint(t, "ann", auth.Grants{Call: []string{"order.*"}}), "Call", `{"method":"`+method+`","timeoutMs":100}`)
		if !strings.Contains(answer, `"`+code+`"`) {
			t.Errorf("%s, which nobody answers: %s, want %s", method, answer, code)
		}
	}
}

func TestReloadEndsTheLinesOfAnAPIKeyThatIsGone(t *testing.T) {
	r := start(t, closed)
	c, other := r.dial(t, apiKey), r.dial(t, mint(t, "ann", auth.Grants{Subscribe: []string{"a"}}))
	c.subscribe("order.a")
	other.subscribe("a")
	done := r.become(t, strings.Replace(closed, apiKey, apiKey+"-new", 1))
	if done.Disconnected != 1 || strings.Contains(fmt.Sprint(done.Changes), "canary") {
		t.Errorf("got %+v", done)
	}
	if got := websocket.CloseStatus(c.end()); int(got) != int(wire.CloseUnauthorized) {
		t.Errorf("closed with %d", got)
	}
	if _, resp, err := r.tryDial(t, apiKey); err == nil || resp.StatusCode != 401 {
		t.Errorf("the old key opens a line: %v", err)
	}
	r.dial(t, apiKey+"-new").subscribe("order.a")
	other.ping()
	if strings.Contains(r.log.String(), "canary") {
		t.Errorf("the log has a key:\n%s", r.log)
	}
}

func TestAWrongConfigurationIsRefusedWhole(t *testing.T) {
	r := start(t, closed)
	c := r.dial(t, apiKey)
	c.subscribe("order.a")
	wrong := closed + "limits: {connections: 7}\nnamespaces:\n- {name: a, pattern: x.>}\n- {name: b, pattern: x.y}\n"
	r.file.Store(&wrong)
	_, err := r.Gateway().Reload(t.Context())
	if e := wire.AsError(err); e.Code != wire.CodeFailedPrecondition || !strings.Contains(e.Message, "(line 8)") || !strings.Contains(e.Message, "magpie.yaml:9:13") {
		t.Errorf("got %v, want the two lines", err)
	}
	if !strings.Contains(r.log.String(), "runs on with the one before") {
		t.Errorf("the log says nothing of it:\n%s", r.log)
	}
	c.ping()
	if done := r.become(t, closed); len(done.Changes) != 0 {
		t.Errorf("a part of it was taken up: %+v", done)
	}
}

func TestReloadReachesChannelsThatExist(t *testing.T) {
	for name, text := range map[string]string{"memory": development, "disk": development + "data: " + t.TempDir() + "\n"} {
		t.Run(name, func(t *testing.T) {
			r := start(t, text)
			for range 10 {
				r.publish(t, "order.a", 1)
			}
			done := r.become(t, text+"retention: {messages: 3}\nidempotency: {age: 1m}\nlog: {level: warn}\nlisten: 127.0.0.1:1\n")
			if want := []string{"log.level", "retention.messages", "idempotency.age", "namespaces[typing]", "namespaces[chat]"}; !slices.Equal(keys(done), want) {
				t.Errorf("changed: %v", keys(done))
			}
			c := r.dial(t, "")
			c.write(`{"type":"subscribe","requestId":"s","channel":"order.a","from":{"offset":0}}`)
			if f := c.until("gap"); f.ToOffset != 7 {
				t.Errorf("the gap ends at %d, want 7", f.ToOffset)
			}
			before := len(r.log.String())
			r.become(t, text+"retention: {messages: 3}\nidempotency: {age: 1m}\nlog: {level: error}\n")
			if after := r.log.String(); len(after) != before {
				t.Errorf("lines below warn are written:\n%s", after[before:])
			}
		})
	}
}

// publish publishes as the gateway itself.
func (r *running) publish(t *testing.T, channel wire.ChannelName, data int) {
	t.Helper()
	_, err := r.Gateway().Publish(t.Context(), &wire.Publish{Channel: channel, Publication: wire.Publication{
		Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: fmt.Append(nil, data)},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestReloadTakesUpLimits(t *testing.T) {
	r := start(t, development)
	c := r.dial(t, "")
	c.subscribe("a")
	c.subscribe("b")
	done := r.become(t, development+"limits: {subscriptions: 1, connections: 1, frame_bytes: 32KiB}\n")
	for _, change := range done.Changes {
		if change.Live == (change.Key == "limits.frame_bytes") {
			t.Errorf("%+v", change)
		}
	}
	c.ping()
	c.write(`{"type":"subscribe","requestId":"s","channel":"c"}`)
	if f := c.read(); f.Error.Code != "resource_exhausted" {
		t.Errorf("a third subscription: %+v", f)
	}
	if _, _, err := r.tryDial(t, ""); err == nil {
		t.Error("a second line is let in")
	}
}

// TestReloadUnderLoad reloads all the time while lines are open and messages pass: none is dropped, and no message is lost,
// comes twice, or out of order.
func TestReloadUnderLoad(t *testing.T) {
	const lines, messages = 50, 2000
	r := start(t, development)
	var reading sync.WaitGroup
	var failed atomic.Pointer[string]
	fail := func(format string, args ...any) { failed.CompareAndSwap(nil, new(fmt.Sprintf(format, args...))) }
	for i := range lines {
		c := r.dial(t, "")
		c.subscribe("order.a")
		reading.Go(func() {
			for want := uint64(1); want <= messages; {
				f, err := c.tryRead()
				switch {
				case err != nil:
					fail("line %d: %v after message %d", i, err, want-1)
					return
				case f.Type == "message" && f.Offset == want:
					want++
				default:
					fail("line %d: %+v in place of message %d", i, f, want)
					return
				}
			}
		})
	}
	stop, reloaded := make(chan struct{}), 0
	var reloading sync.WaitGroup
	reloading.Go(func() {
		for ; ; reloaded++ {
			select {
			case <-stop:
				return
			default:
			}
			text := development + fmt.Sprintf("slow_consumer: %s\nretention: {messages: %d}\nnamespaces:\n- {name: n, pattern: order.%c}\n",
				[]string{"lag", "latest"}[reloaded%2], 50_000+reloaded, 'a'+reloaded%2)
			r.file.Store(&text)
			if _, err := r.Gateway().Reload(t.Context()); err != nil {
				fail("reload: %v", err)
				return
			}
		}
	})
	for i := range messages {
		r.publish(t, "order.a", i)
	}
	reading.Wait()
	close(stop)
	reloading.Wait()
	if text := failed.Load(); text != nil {
		t.Fatal(*text)
	}
	if sessions := r.Gateway().Sessions(); sessions != lines || reloaded < 3 {
		t.Errorf("%d lines are open after %d reloads, want %d", sessions, reloaded, lines)
	}
}

func TestReloadByTheServerAPI(t *testing.T) {
	r := start(t, closed)
	changed := closed + "limits: {connections: 7, handshakes: 9}\n"
	r.file.Store(&changed)
	answer := r.tell(t, operator(t), "Reload", `{}`)
	want := `map[changes:[map[after:7 applied:true before:100000 key:limits.connections] map[after:9 applied:false before:1024 key:limits.handshakes]] disconnected:0 unserved:0 unsubscribed:0]`
	if got := fmt.Sprint(answer); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	nobody := mint(t, "eve", auth.Grants{Call: []string{">"}})
	if status, text := r.curl(t, nobody, "Reload", `{}`); status != "403" || !strings.Contains(text, "sys.reload") {
		t.Errorf("without the right: %s, %s", status, text)
	}
	wrong := "nothing: 1\n"
	r.file.Store(&wrong)
	if status, text := r.curl(t, operator(t), "Reload", `{}`); status != "400" || !strings.Contains(text, "unknown key") {
		t.Errorf("a wrong one: %s, %s", status, text)
	}
}
