package peers_test

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// direct has the program make a call to somebody who is named.
func (p *peer) direct(t *testing.T, id, method, to string) {
	t.Helper()
	p.command(t, `call %s {"method":%q,%s,"timeoutMs":%d,"data":%q}`, id, method, to, deadline.Milliseconds(), id)
}

// answered checks that each of the peers, and nobody else, was asked once and answered what it is to answer.
func answered(t *testing.T, f frame, id string, peers ...*peer) {
	t.Helper()
	if f.Type != "reply" || f.Asked != len(peers) || len(f.Answers) != len(peers) {
		t.Fatalf("%s ended with %s, %s, of %d asked %d answers, want %d", id, f.Type, f.code(), f.Asked, len(f.Answers), len(peers))
	}
	by := map[string]answer{}
	for _, a := range f.Answers {
		by[a.SessionID] = a
	}
	for _, p := range peers {
		a := by[p.session]
		if a.Error != nil || a.UserID != "dev" || a.Device != p.name || !sameJSON(t, a.Data, fmt.Sprintf(`{"from":%q,"got":%q}`, p.name, id)) {
			t.Errorf("%s: the answer of %s is %+v", id, p.name, a)
		}
		if n := len(p.said("called", id)); n != 1 {
			t.Errorf("%s: %s was asked %d times", id, p.name, n)
		}
	}
}

// Sessions, a user's devices and the members of a channel are called, who have not said that they serve anything.
func TestCallsToThoseWhoAreNamed(t *testing.T) {
	page := servePage(t)
	g := startGateway(t, page.origin())
	java, golang, browser := startJava(t, g, "java"), startGo(t, g, "go"), page.open(t, g, "browser")
	all := []*peer{java, golang, browser}
	for _, p := range all {
		p.ready(t)
	}
	room := []*peer{java, browser}
	for _, p := range room {
		p.command(t, `send {"type":"subscribe","channel":"room.7"}`)
		p.await(t, "subscribed", "room.7")
	}
	for _, caller := range all {
		for _, callee := range all {
			one := map[string]string{"session": `"to":"session:` + callee.session + `"`, "device": fmt.Sprintf(`"to":"user:dev","device":%q`, callee.name)}
			for about, to := range one {
				id := fmt.Sprintf("%s-to-%s-of-%s", caller.name, about, callee.name)
				caller.direct(t, id, "ui.reply", to)
				f := caller.await(t, "outcome", id).frame(t)
				if f.Type != "reply" || !sameJSON(t, f.Data, fmt.Sprintf(`{"from":%q,"got":%q}`, callee.name, id)) {
					t.Errorf("%s ended with %s, %s, data %s", id, f.Type, f.code(), f.Data)
				}
			}
		}
		user, members := caller.name+"-to-user", caller.name+"-to-members"
		caller.direct(t, user, "ui.reply", `"to":"user:dev","answers":"all"`)
		answered(t, caller.await(t, "outcome", user).frame(t), user, all...)
		caller.direct(t, members, "ui.reply", `"to":"channel:room.7"`)
		answered(t, caller.await(t, "outcome", members).frame(t), members, others(room, caller)...)
	}
	for _, p := range all {
		p.nothingElse(t)
	}
}

// others returns those who are not p: a channel's members ask the others.
func others(peers []*peer, p *peer) []*peer {
	return slices.DeleteFunc(slices.Clone(peers), func(one *peer) bool { return one == p })
}

// Of the sessions of a user the first that knows an answer counts, and the others are told that nobody waits.
func TestFirstAnswerCounts(t *testing.T) {
	g := startGateway(t, "")
	java, golang := startJava(t, g, "java"), startGo(t, g, "go")
	java.ready(t)
	golang.ready(t)
	for _, test := range []struct{ id, method, code string }{
		{"nobody-knows", "ui.unheard-of", "unimplemented"},
		{"somebody-fails", "ui.fail", "failed_precondition"},
		{"nobody-answers", "ui.wait", "deadline_exceeded"},
	} {
		begun := time.Now()
		golang.direct(t, test.id, test.method, `"to":"user:dev"`)
		outcome := golang.await(t, "outcome", test.id)
		if code := outcome.frame(t).code(); code != test.code {
			t.Errorf("%s: the outcome is %s", test.id, code)
		}
		if test.method == "ui.wait" && outcome.at.Sub(begun) < deadline {
			t.Errorf("the deadline of %s was over after %s", deadline, outcome.at.Sub(begun))
		}
		java.await(t, "called", test.id)
		golang.await(t, "called", test.id)
	}
	java.await(t, "canceled", "nobody-answers")
	golang.await(t, "canceled", "nobody-answers")
	golang.nothingElse(t)
	java.nothingElse(t)
}
