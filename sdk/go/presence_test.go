package magpieclient

import (
	"encoding/json"
	"testing"
	"time"
)

func TestPresenceGivesAPage(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		type result struct {
			page *MembersPage
			err  error
		}
		done := make(chan result, 1)
		go func() {
			page, err := c.Presence(t.Context(), "room.7")
			done <- result{page, err}
		}()
		asked := p.expect("presence")
		if asked["channel"] != "room.7" || asked["after"] != nil || asked["limit"] != nil {
			t.Errorf("asked was %v", asked)
		}
		p.send(`{"type":"members","requestId":%q,"channel":"room.7","position":{"epoch":"k1","offset":12},"count":3,"members":[`+
			`{"userId":"alice","sessionId":"s1","device":"phone","nodeId":"n1","since":7,"info":{"name":"Alice"}},{"userId":"bob","sessionId":"s2"}],"next":"s2"}`, asked.id())
		got := <-done
		if got.err != nil {
			t.Fatal(got.err)
		}
		page := got.page
		if page.Channel != "room.7" || page.Position != (Position{"k1", 12}) || page.Count != 3 || page.Next != "s2" || len(page.Members) != 2 {
			t.Errorf("the page is %+v", page)
		}
		alice, bob := page.Members[0], page.Members[1]
		if alice.UserID != "alice" || alice.Device != "phone" || alice.NodeID != "n1" || !alice.Since.Equal(time.UnixMilli(7)) || string(alice.Info) != `{"name":"Alice"}` {
			t.Errorf("the first is %+v", alice)
		}
		if bob.SessionID != "s2" || bob.Info != nil {
			t.Errorf("the second is %+v", bob)
		}
		p.finish(c)
	})
}

// TestPresencePagesGoOn goes through two pages, of which the second is asked for on two lines.
func TestPresencePagesGoOn(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		users := make(chan string, 10)
		go func() {
			defer close(users)
			for page, err := range c.PresencePages(t.Context(), "room.7", PresenceOptions{Limit: 1}) {
				if err != nil {
					t.Errorf("a page: %v", err)
					return
				}
				users <- page.Members[0].UserID
			}
		}()
		page := `{"type":"members","requestId":%q,"channel":"room.7","position":{"epoch":"k1","offset":1},"count":2,"members":[{"userId":%q,"sessionId":%q}]%s}`
		p.send(page, p.expect("presence").id(), "alice", "s1", `,"next":"s1"`)
		p.expect("presence")
		p.cut()
		p = g.welcome()
		again := p.expect("presence")
		if again["after"] != "s1" || again["limit"] != 1.0 {
			t.Errorf("the second page is asked for by %v", again)
		}
		p.send(page, again.id(), "bob", "s2", "")
		if first, second := <-users, <-users; first != "alice" || second != "bob" {
			t.Errorf("got %q and %q", first, second)
		}
		<-users
		p.finish(c)
	})
}

func TestPresenceIsChecked(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		if _, err := c.Presence(t.Context(), "room..7"); CodeOf(err) != CodeInvalidArgument {
			t.Errorf("a name that is none: %v", err)
		}
		for _, info := range []string{`{"a":`, `"` + string(make([]byte, 1023)) + `"`} {
			if _, err := c.Subscribe(t.Context(), "a", SubscribeOptions{Info: json.RawMessage(info)}); CodeOf(err) != CodeInvalidArgument {
				t.Errorf("%.10q: %v", info, err)
			}
		}
		p.finish(c)
	})
}

// TestInfoIsSaidOnEachLine says it again where the session was resumed.
func TestInfoIsSaidOnEachLine(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		done := make(chan error, 1)
		go func() {
			_, err := c.Subscribe(t.Context(), "room.7", SubscribeOptions{Info: json.RawMessage(`{"name":"Alice"}`)})
			done <- err
		}()
		check := func(asked frame) {
			t.Helper()
			if info, _ := asked["info"].(map[string]any); info["name"] != "Alice" {
				t.Errorf("asked was %v", asked)
			}
		}
		asked := p.expect("subscribe")
		check(asked)
		p.send(`{"type":"subscribed","requestId":%q,"channel":"room.7","position":{"epoch":"k1","offset":0},"tail":0,"recovered":false}`, asked.id())
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		p.cut()
		p = g.welcome()
		check(p.expect("subscribe"))
		p.finish(c)
	})
}
