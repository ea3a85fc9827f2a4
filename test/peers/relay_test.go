package peers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// onward is the data that lets the first of some methods be called, that one call the second, and so on to the last.
func onward(data string, methods ...string) string {
	for _, method := range slices.Backward(methods) {
		data = fmt.Sprintf(`{"method":%q,"data":%s}`, method, data)
	}
	return data
}

// A call goes round all three and is answered by where it began; another is given up there, which all of them are told.
func TestCallsGoOn(t *testing.T) {
	page := servePage(t)
	g := startGateway(t, page.origin())
	java, golang, browser := startJava(t, g, "java"), startGo(t, g, "go"), page.open(t, g, "browser")
	all := []*peer{golang, java, browser}
	for _, p := range all {
		p.ready(t)
		p.serve(t, 4, "relay", "reply", "wait")
	}
	browser.call(t, "round", "go.relay", patience, onward(`"back"`, "java.relay", "browser.relay", "go.reply"))
	f := browser.await(t, "outcome", "round").frame(t)
	if f.Type != "reply" || !sameJSON(t, f.Data, `{"from":"go","got":"back"}`) {
		t.Errorf("the round trip ended with %s, %s, data %s", f.Type, f.code(), f.Data)
	}
	browser.call(t, "given-up", "go.relay", patience, onward(`"nothing"`, "java.relay", "browser.wait"))
	browser.await(t, "called", "given-up")
	browser.command(t, "cancel given-up")
	if code := browser.await(t, "outcome", "given-up").frame(t).code(); code != "canceled" {
		t.Errorf("the outcome is %s", code)
	}
	for _, p := range all {
		p.await(t, "canceled", "given-up")
		p.nothingElse(t)
	}
}

const (
	slots    = 8
	flood    = 400  // calls of each service at the other: fifty times what it takes at once
	padBytes = 2048 // in each of them, so that much more than the 256 KiB of a session's outbox is under way
)

// Each service's handler of relay calls the other back before it answers. All slots of relay are taken on both sides all
// the time, and what the handlers wait for still comes.
func TestServicesCallEachOtherWithAllSlotsTaken(t *testing.T) {
	g := startGateway(t, "")
	java, golang := startJava(t, g, "java"), startGo(t, g, "go")
	for _, p := range []*peer{java, golang} {
		p.ready(t)
		p.serve(t, slots, "relay")
		p.serve(t, 0, "reply")
	}
	data := fmt.Sprintf("%q", strings.Repeat("x", padBytes))
	for n := range flood {
		java.call(t, fmt.Sprint("java-", n), "go.relay", patience, onward(data, "java.reply"))
		golang.call(t, fmt.Sprint("go-", n), "java.relay", patience, onward(data, "go.reply"))
	}
	for _, p := range []*peer{java, golang} {
		for n := range flood {
			f := p.await(t, "outcome", fmt.Sprintf("%s-%d", p.name, n)).frame(t)
			if f.Type != "reply" || !sameJSON(t, f.Data, fmt.Sprintf(`{"from":%q,"got":%s}`, p.name, data)) {
				t.Fatalf("call %d of %s ended with %s, %s", n, p.name, f.Type, f.code())
			}
		}
		p.nothingElse(t)
	}
}

// One call that goes back and forth more often than there are slots waits for itself. Its deadline ends it at all of its
// stations, and no slot stays taken.
func TestDeadlineEndsServicesThatWaitForEachOther(t *testing.T) {
	const timeout = 3 * time.Second
	g := startGateway(t, "")
	java, golang := startJava(t, g, "java"), startGo(t, g, "go")
	for _, p := range []*peer{java, golang} {
		p.ready(t)
		p.serve(t, slots, "relay", "reply")
	}
	var methods []string
	for range 2 * slots {
		methods = append(methods, "go.relay", "java.relay")
	}
	begun := time.Now()
	golang.call(t, "circle", "java.relay", timeout, onward(`"never"`, methods...))
	outcome := golang.await(t, "outcome", "circle")
	if code, waited := outcome.frame(t).code(), outcome.at.Sub(begun); code != "deadline_exceeded" || waited > 2*timeout {
		t.Errorf("the outcome is %s after %s", code, waited)
	}
	for _, p := range []*peer{java, golang} {
		if n := len(p.said("called", "circle")); n != slots {
			t.Errorf("%s had %d calls in hand, want its %d slots taken", p.name, n, slots)
		}
	}
	for n := range slots { // as many at the same time
		golang.call(t, fmt.Sprint("go-", n), "java.relay", patience, onward(`"again"`, "go.reply"))
		java.call(t, fmt.Sprint("java-", n), "go.relay", patience, onward(`"again"`, "java.reply"))
	}
	for _, p := range []*peer{java, golang} {
		for n := range slots {
			if f := p.await(t, "outcome", fmt.Sprintf("%s-%d", p.name, n)).frame(t); f.Type != "reply" {
				t.Errorf("after the deadline, %s was answered %s", p.name, f.code())
			}
		}
		p.nothingElse(t)
	}
}
