package session

import (
	"fmt"
	"testing"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// A session with as many calls open as it may have is still read, so that what it answers to others, and asks for that, is
// never behind calls that wait for it.
func TestOpenCallsHoldNothingUp(t *testing.T) {
	r := newRig(t, rigOptions{})
	c, _ := r.connect(peer("service"), "")
	c.say(`{"type":"serve","requestId":"s","method":"slow.answer"}`)
	c.hear()
	call := func(n int) string { return fmt.Sprintf(`{"type":"call","requestId":"c%d","method":"slow.answer"}`, n) }
	for n := range maxCalls {
		c.say(call(n))
	}
	for _, e := range c.hear() {
		if e.body().Type() != wire.TypeCall {
			t.Fatalf("one of the first %d calls was answered %v", maxCalls, e)
		}
	}
	c.say(`{"type":"subscribe","requestId":"a","channel":"a"}`, call(maxCalls), `{"type":"cancel","requestId":"c7"}`, call(maxCalls+1))
	want := []string{"subscribed", "error resource_exhausted", "error canceled"}
	var got []string
	for _, e := range c.hear() {
		said := e.body().Type().String()
		if failure, ok := e.body().(*wire.Error); ok {
			said += " " + string(failure.Code)
		}
		if said != "cancel" && said != "call" { // it has its own calls in hand
			got = append(got, said)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("it was sent %q, want %q", got, want)
	}
}
