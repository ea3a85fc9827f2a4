package server

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

// kept is what a connected frame tells of it.
type kept struct {
	*client
	id, token string
	resumed   bool
}

// connect begins a line; with a token it resumes that session.
func (r *running) connect(t *testing.T, resume string) kept {
	t.Helper()
	c := r.dial(t, "")
	if resume != "" {
		resume = `,"resume":{"token":"` + resume + `","positions":{}}`
	}
	c.write(`{"type":"connect","requestId":"1"` + resume + `}`)
	f := c.until("connected")
	return kept{client: c, id: f.SessionID, token: f.ResumeToken, resumed: f.Resumed}
}

// TestSessionsAreResumedAfterARestart ends a gateway with a data directory as an operator does, while one session is
// connected and another's line is broken.
func TestSessionsAreResumedAfterARestart(t *testing.T) {
	config := development + "data: " + t.TempDir() + "\n"
	r := start(t, config)
	live, broken, done := r.connect(t, ""), r.connect(t, ""), r.connect(t, "")
	for _, s := range []kept{live, broken, done} {
		s.subscribe("order.update")
		s.subscribe("order.paid")
	}
	_ = broken.conn.CloseNow()
	if err := done.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	eventually(t, "two lines are gone", func() bool { return r.Gateway().Sessions() == 1 })
	r.stop()
	_ = live.end() // the gateway says goodbye
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{live.token, broken.token, done.token} {
		if strings.Contains(r.log.String(), secret) {
			t.Error("a resume token is in the log")
		}
	}

	r = start(t, config)
	for _, s := range []kept{live, broken} {
		again := r.connect(t, s.token)
		if !again.resumed || again.id != s.id || again.token != s.token {
			t.Errorf("session %s is %s after the restart, resumed: %v", s.id, again.id, again.resumed)
		}
		for range 2 {
			again.until("subscribed")
		}
	}
	if again := r.connect(t, done.token); again.resumed {
		t.Error("a session that its client had closed was resumed")
	}
	if got := r.Gateway().keeper.Metrics.Loaded.Load(); got != 2 {
		t.Errorf("%d sessions were loaded, want 2", got)
	}
	_, _, metrics := ask(t, "GET", r.url("/metrics"), "")
	if want := `magpie_sessions_resumed_total{result="loaded"} 2`; !strings.Contains(metrics, want) {
		t.Errorf("the metrics do not say %s", want)
	}
}

func TestNoSessionOutlivesItsLineWhereNoneIsKept(t *testing.T) {
	r := start(t, development+"sessions: {kept: 0}\n")
	s := r.connect(t, "")
	if s.token != "" {
		t.Error("there is a token")
	}
	_ = s.conn.CloseNow()
	if again := r.connect(t, "c29tZXRoaW5n"); again.resumed {
		t.Error("a session was resumed")
	}
}

// TestManyResumeAtOnce has clients take their sessions from each other, and from lines that broke, all at the same time. In
// the end each session has one line, and its subscriptions.
func TestManyResumeAtOnce(t *testing.T) {
	const sessions, rivals, rounds, channels = 8, 3, 8, 3
	r := start(t, development+"data: "+t.TempDir()+"\nsessions: {kept_per_user: 1000}\n")
	var all sync.WaitGroup
	for i := range sessions {
		first := r.connect(t, "")
		for n := range channels {
			first.subscribe(fmt.Sprintf("order.of%d.%d", i, n))
		}
		all.Go(func() {
			for round := range rounds {
				var racing sync.WaitGroup
				for range rivals {
					racing.Go(func() {
						if s := r.connect(t, first.token); s.resumed && s.id != first.id {
							t.Errorf("session %s was resumed as %s", first.id, s.id)
						} else if round%2 == 0 {
							_ = s.conn.CloseNow()
						}
					})
				}
				racing.Wait()
			}
		})
		all.Go(func() {
			if err := first.end(); err == nil {
				t.Error("a line has no end")
			}
		})
		defer func() {
			last := r.connect(t, first.token)
			if !last.resumed || last.id != first.id {
				t.Errorf("session %d was lost", i)
				return
			}
			for range channels {
				last.until("subscribed")
			}
		}()
	}
	all.Wait()
}
