package hub

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// busy is a hub with one worker, whose handler of "m" notes what it is asked and goes on when it is told to.
type busy struct {
	*Hub
	begun []string // by the worker
	goOn  chan struct{}
}

func newBusy(t *testing.T, waiting int) *busy {
	t.Helper()
	b := &busy{Hub: openHub(t, Options{Calls: CallLimits{Workers: 1, Waiting: waiting}}), goOn: make(chan struct{})}
	err := b.Handle("m", func(_ context.Context, in *Incoming) (wire.Payload, error) {
		name, _, _ := strings.Cut(string(in.Payload.Bytes), " ")
		b.begun = append(b.begun, name)
		<-b.goOn
		return wire.Payload{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// call makes a call, and returns its exchange and what it has come to by now.
func (b *busy) call(payload string) (*Exchange, wire.Code) {
	x, back := callOf(payload)
	b.Dispatch(x)
	synctest.Wait()
	return x, code(back.err)
}

func TestCanceledCallsDoNotWaitForAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBusy(t, 3)
		var calls []*Exchange
		for i := range 4 {
			x, failed := b.call(fmt.Sprint(i))
			if failed != "" {
				t.Fatalf("call %d: %s", i, failed)
			}
			calls = append(calls, x)
		}
		if _, failed := b.call("too many"); failed != wire.CodeResourceExhausted {
			t.Errorf("one too many: %q", failed)
		}
		calls[2].Cancel(nil)
		synctest.Wait()
		if _, failed := b.call("4"); failed != "" {
			t.Errorf("in the place of one that was canceled: %s", failed)
		}
		if _, failed := b.call("too many"); failed != wire.CodeResourceExhausted {
			t.Errorf("one too many again: %q", failed)
		}
		close(b.goOn)
		synctest.Wait()
		if got, want := fmt.Sprint(b.begun), "[0 1 3 4]"; got != want {
			t.Errorf("begun were %s, want %s", got, want)
		}
	})
}

func TestCallsThatWaitForAHandlerAreBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = maxWaitingBytes >> 20
		large := func(i int) string { return fmt.Sprint(i, " ") + strings.Repeat("x", 1<<20-3) }
		b := newBusy(t, 1<<20)
		var canceled *Exchange
		for i := range 1 + most { // one is in hand
			x, failed := b.call(large(10 + i))
			if failed != "" {
				t.Fatalf("call %d of %d: %s", i, 1+most, failed)
			}
			canceled = x
		}
		if _, failed := b.call(large(99)); failed != wire.CodeResourceExhausted {
			t.Errorf("one too many: %q", failed)
		}
		canceled.Cancel(nil)
		synctest.Wait()
		if _, failed := b.call(large(50)); failed != "" {
			t.Errorf("in the place of one that was canceled: %s", failed)
		}
		close(b.goOn)
		synctest.Wait()
		if n := len(b.begun); n != 1+most || b.begun[most] != "50" || b.calls.held != 0 {
			t.Errorf("%d were begun, the last %s; %d bytes are still counted", n, b.begun[most], b.calls.held)
		}
	})
}
