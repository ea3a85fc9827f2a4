package server

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
)

// asks sends a frame and gives the answer.
func (c *client) asks(text string) frame {
	c.t.Helper()
	c.write(text)
	return c.read()
}

func TestANamespaceBoundsPayloads(t *testing.T) {
	r := start(t, development+"namespaces:\n- {name: n, pattern: small.*, max_message: 8}\n")
	c := r.dial(t, "")
	c.write(`{"type":"connect","requestId":"c"}`)
	c.until("connected")
	if f := c.asks(`{"type":"publish","requestId":"1","channel":"small.a","text":"12345678"}`); f.Type != "published" {
		t.Errorf("at the bound: %+v", f)
	}
	if f := c.asks(`{"type":"publish","requestId":"2","channel":"small.a","text":"123456789"}`); f.Error.Code != "invalid_argument" {
		t.Errorf("above it: %+v", f)
	}
	if f := c.asks(`{"type":"publish","requestId":"3","channel":"small.a","messages":[{"text":"1"},{"text":"123456789"}]}`); f.Error.Code != "invalid_argument" {
		t.Errorf("in a batch: %+v", f)
	}
	if f := c.asks(`{"type":"publish","requestId":"4","channel":"large.a","text":"123456789"}`); f.Type != "published" {
		t.Errorf("elsewhere: %+v", f)
	}
}

func TestANamespaceGivesRights(t *testing.T) {
	r := start(t, closed+"namespaces:\n- {name: n, pattern: room.*, publish: [ann, 'device-*'], subscribe: everybody}\n")
	for user, want := range map[string]string{"ann": "published", "device-7": "published", "eve": "error"} {
		c := r.dial(t, mint(t, user, auth.Grants{}))
		c.subscribe("room.1")
		if f := c.asks(`{"type":"publish","requestId":"p","channel":"room.1","text":"hello"}`); f.Type != want && f.Type != "message" {
			t.Errorf("%s: %+v, want %s", user, f, want)
		}
		if f := c.asks(`{"type":"subscribe","requestId":"s","channel":"order.1"}`); !strings.Contains("error published message", f.Type) {
			t.Errorf("%s subscribes elsewhere: %+v", user, f)
		}
	}
	eve := r.dial(t, mint(t, "eve", auth.Grants{}))
	eve.write(`{"type":"connect","requestId":"c"}`)
	eve.until("connected")
	for _, text := range []string{
		`{"type":"publish","requestId":"1","channel":"room.1","text":"x"}`,
		`{"type":"publish","requestId":"1","channel":"room.1.2","text":"x"}`,
		`{"type":"subscribe","requestId":"1","channel":"room.1.2"}`,
		`{"type":"subscribe","requestId":"1","channel":"user.ann"}`,
	} {
		if f := eve.asks(text); f.Error.Code != "permission_denied" {
			t.Errorf("%s: %+v", text, f)
		}
	}
	if status, _ := r.curl(t, mint(t, "ann", auth.Grants{}), "Publish", `{"channel":"room.1","text":"x"}`); status != "200" {
		t.Errorf("over HTTP: status %s", status)
	}
	if status, _ := r.curl(t, mint(t, "eve", auth.Grants{}), "History", `{"channel":"room.1"}`); status != "200" {
		t.Errorf("history: status %s", status)
	}
}

// A namespace may let users see who is in its channels, who have no right to that by their credential.
func TestNamespacesLetMembersBeSeen(t *testing.T) {
	r := start(t, closed+"namespaces:\n- {name: n, pattern: room.*, subscribe: everybody, presence: true, see_members: [ann]}\n")
	for user, want := range map[string]string{"ann": "", "eve": "permission_denied"} {
		c := r.dial(t, mint(t, user, auth.Grants{}))
		c.write(`{"type":"connect","requestId":"c"}`)
		c.until("connected")
		for _, text := range []string{
			`{"type":"presence","requestId":"1","channel":"room.1"}`,
			`{"type":"subscribe","requestId":"1","channel":"sys.members.room.1"}`,
		} {
			if f := c.asks(text); f.RequestID != "1" || f.Error.Code != want {
				t.Errorf("%s: %s: %+v", user, text, f)
			}
		}
		if f := c.asks(`{"type":"presence","requestId":"2","channel":"other.1"}`); f.Error.Code != "permission_denied" {
			t.Errorf("%s: another channel: %+v", user, f)
		}
	}
}

func TestChannelsThatUseDoesNotMake(t *testing.T) {
	for name, data := range map[string]string{"memory": "", "disk": "data: " + t.TempDir() + "\n"} {
		t.Run(name, func(t *testing.T) {
			r := start(t, closed+data+"namespaces:\n- {name: n, pattern: set.*, create: false}\n")
			everything := auth.Grants{Publish: []string{">"}, Subscribe: []string{">"}, Call: []string{">"}}
			c := r.dial(t, mint(t, "ann", everything))
			c.write(`{"type":"connect","requestId":"c"}`)
			c.until("connected")
			for _, text := range []string{
				`{"type":"subscribe","requestId":"1","channel":"set.a"}`,
				`{"type":"publish","requestId":"1","channel":"set.a","text":"x"}`,
				`{"type":"history","requestId":"1","channel":"set.a"}`,
			} {
				if f := c.asks(text); f.RequestID != "1" || f.Error.Code != "not_found" {
					t.Errorf("%s: %+v", text, f)
				}
			}
			everything.Call = []string{"sys.create"}
			maker := r.dial(t, mint(t, "maker", everything))
			maker.write(`{"type":"connect","requestId":"c"}`)
			maker.until("connected")
			if f := maker.asks(`{"type":"subscribe","requestId":"1","channel":"set.a"}`); f.Error.Code != "not_found" {
				t.Errorf("a subscription makes it: %+v", f)
			}
			if f := maker.asks(`{"type":"publish","requestId":"1","channel":"set.a","text":"x"}`); f.Type != "published" {
				t.Errorf("who may make it: %+v", f)
			}
			r.publish(t, "set.b", 1)
			for _, channel := range []string{"set.a", "set.b"} {
				c.subscribe(channel)
				if f := c.read(); f.Type != "message" || f.Offset != 1 {
					t.Errorf("%s: %+v", channel, f)
				}
			}
		})
	}
}

func TestAChannelIsGoneAfterItsTime(t *testing.T) {
	r := start(t, closed+"namespaces:\n- {name: n, pattern: room.*, ttl: 1s, publish: everybody, subscribe: everybody}\n")
	c := r.dial(t, mint(t, "ann", auth.Grants{}))
	c.subscribe("room.1")
	r.publish(t, "room.1", 1)
	r.publish(t, "room.2", 1)
	began := time.Now()
	list := func() (names []string) {
		var answer struct {
			Channels []struct {
				Channel string
				Created int64
				TTLMs   int64
			}
		}
		_, text := r.curl(t, operator(t), "Channels", `{"pattern":"room.*"}`)
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatal(err)
		}
		for _, info := range answer.Channels {
			if names = append(names, info.Channel); info.TTLMs != 1000 || time.Since(time.UnixMilli(info.Created)) > time.Minute {
				t.Errorf("%+v", info)
			}
		}
		return names
	}
	eventually(t, "room.2 is gone", func() bool { return slices.Equal(list(), []string{"room.1"}) })
	if age := time.Since(began); age < time.Second {
		t.Errorf("gone after %s", age)
	}
	if m := c.until("message"); m.Offset != 1 {
		t.Errorf("got %+v", m)
	}
	c.write(`{"type":"unsubscribe","requestId":"u","channel":"room.1"}`)
	c.until("unsubscribed")
	eventually(t, "room.1 is gone", func() bool { return len(list()) == 0 })
}
