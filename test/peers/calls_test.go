package peers_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"
)

const (
	parts         = 40 // of *.count
	initialCredit = 16 // parts that a callee may send before the caller allows more
)

// exchange is one call, seen from both ends.
type exchange struct {
	id             string
	caller, callee *peer
	data           string
	outcome        outcome
	begun          time.Time
}

// outcome is a way in which a call may end.
type outcome struct {
	name, kind string // kind is that of the method
	timeout    time.Duration
	canceled   int // how often the callee is told that nobody waits
	check      func(*testing.T, *exchange)
}

var outcomes = []outcome{
	{"reply", "reply", patience, 0, checkReply},
	{"deadline", "wait", deadline, 1, checkDeadline},
	{"cancel", "wait", patience, 1, checkCancel},
	{"progress", "count", patience, 0, checkProgress},
	{"error", "fail", patience, 0, checkError},
}

// deadline is short enough to wait for, and long enough for the call to reach its callee on a busy machine.
const deadline = 2 * time.Second

// All calls are under way at the same time, on the three lines.
func TestCallsAllWays(t *testing.T) {
	page := servePage(t)
	g := startGateway(t, page.origin())
	peers := []*peer{startJava(t, g, "java"), startGo(t, g, "go"), page.open(t, g, "browser")}
	for _, p := range peers {
		p.ready(t)
		p.serve(t, 2*len(outcomes), "reply", "wait", "count", "fail")
	}
	var exchanges []*exchange
	for _, caller := range peers {
		for _, callee := range peers {
			for _, outcome := range outcomes {
				if caller != callee {
					exchanges = append(exchanges, begin(t, caller, callee, outcome))
				}
			}
		}
	}
	for _, x := range exchanges {
		t.Run(x.id, x.check)
	}
	for _, p := range peers {
		p.nothingElse(t)
	}
}

// begin makes a call.
func begin(t *testing.T, caller, callee *peer, o outcome) *exchange {
	t.Helper()
	id := fmt.Sprintf("%s-to-%s-%s", caller.name, callee.name, o.name)
	data := fmt.Sprintf(`{"id":%q,"text":"a \"magpie\" \\ 鵲 \ud83d\udc26","list":[1,-2.5,true,null,[],{}]}`, id)
	x := &exchange{id: id, caller: caller, callee: callee, data: data, outcome: o, begun: time.Now()}
	caller.call(t, id, callee.name+"."+o.kind, o.timeout, data)
	return x
}

// check is about both ends of the call, and about each of them being told once.
func (x *exchange) check(t *testing.T) {
	x.checkCalled(t)
	x.outcome.check(t, x)
	eventually(t, "the callee is told that nobody waits", func() bool { return len(x.callee.said("canceled", x.id)) >= x.outcome.canceled })
	for word, want := range map[string]int{"outcome": 1, "called": 1, "canceled": x.outcome.canceled} {
		if got := len(x.caller.said(word, x.id)) + len(x.callee.said(word, x.id)); got != want {
			t.Errorf("%q was told %d times, want %d", word, got, want)
		}
	}
}

// checkCalled is about what the callee was sent.
func (x *exchange) checkCalled(t *testing.T) {
	t.Helper()
	f := x.callee.await(t, "called", x.id).frame(t)
	if method := x.callee.name + "." + x.outcome.kind; f.Method != method || f.Meta["id"] != x.id || !sameJSON(t, f.Data, x.data) {
		t.Errorf("the callee was sent the method %s, meta %v, data %s", f.Method, f.Meta, f.Data)
	}
	if f.Caller.SessionID != x.caller.session || f.Caller.UserID != "dev" {
		t.Errorf("the callee was told the caller %+v, want dev in the session %s", f.Caller, x.caller.session)
	}
	if f.TimeoutMs <= 0 || f.TimeoutMs > x.outcome.timeout.Milliseconds() {
		t.Errorf("the callee was told that it has %d ms of %s", f.TimeoutMs, x.outcome.timeout)
	}
}

func checkReply(t *testing.T, x *exchange) {
	f := x.caller.await(t, "outcome", x.id).frame(t)
	if f.Type != "reply" || f.Meta["id"] != x.id || !sameJSON(t, f.Data, fmt.Sprintf(`{"from":%q,"got":%s}`, x.callee.name, x.data)) {
		t.Errorf("the caller was sent %s, meta %v, data %s", f.Type, f.Meta, f.Data)
	}
}

func checkDeadline(t *testing.T, x *exchange) {
	ended := x.caller.await(t, "outcome", x.id)
	if code, waited := ended.frame(t).code(), ended.at.Sub(x.begun); code != "deadline_exceeded" || waited < deadline {
		t.Errorf("the outcome is %s after %s", code, waited)
	}
}

func checkCancel(t *testing.T, x *exchange) {
	if early := x.caller.said("outcome", x.id); len(early) > 0 {
		t.Fatalf("the call was answered before it was canceled: %s", early[0].raw)
	}
	x.caller.command(t, "cancel %s", x.id)
	if code := x.caller.await(t, "outcome", x.id).frame(t).code(); code != "canceled" {
		t.Errorf("the outcome is %s", code)
	}
}

func checkProgress(t *testing.T, x *exchange) {
	ended := x.caller.await(t, "outcome", x.id)
	var reply struct {
		Credit int `json:"credit"`
	}
	if f := ended.frame(t); f.Type != "reply" || json.Unmarshal(f.Data, &reply) != nil {
		t.Fatalf("the outcome is %s", ended.raw)
	}
	if reply.Credit < parts-initialCredit {
		t.Errorf("the callee sent %d parts with a credit of %d and %d more", parts, initialCredit, reply.Credit)
	}
	got := x.caller.said("part", x.id)
	if len(got) != parts {
		t.Fatalf("%d parts came, want %d", len(got), parts)
	}
	for i, part := range got {
		if data := string(part.frame(t).Data); data != strconv.Itoa(i) || part.number > ended.number {
			t.Errorf("part %d is %s, line %d, the outcome line %d", i, data, part.number, ended.number)
		}
	}
}

func checkError(t *testing.T, x *exchange) {
	f := x.caller.await(t, "outcome", x.id).frame(t)
	if f.code() != "failed_precondition" {
		t.Fatalf("the outcome is %s", f.code())
	}
	if f.Error.Message != "not by "+x.callee.name || !sameJSON(t, f.Error.Details, fmt.Sprintf(`{"from":%q}`, x.callee.name)) {
		t.Errorf("the error says %q with the details %s", f.Error.Message, f.Error.Details)
	}
}
