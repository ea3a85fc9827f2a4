package diskengine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/engine/diskengine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// A listing that nobody waits for any more ends, and so does one of a store that is being closed.
func TestListingsEndWhenNobodyWaits(t *testing.T) {
	d := newDisk()
	d.options.Level = levels(diskengine.Written)
	e := d.Open(t).(*diskengine.Engine)
	var answers []<-chan answer
	for i := range 3000 {
		answers = append(answers, appendAsync(e, wire.ChannelName(fmt.Sprint("c", i)), "", "x"))
	}
	for _, a := range answers {
		if o := <-a; o.err != nil {
			t.Fatal(o.err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	first := 0
	_, err := e.List(ctx, engine.ListQuery{Limit: 1, Match: func(wire.ChannelName) bool {
		if first++; first == 100 {
			cancel()
		}
		return true
	}})
	if failure, ok := errors.AsType[*wire.Error](err); !ok || failure.Code != wire.CodeUnavailable {
		t.Errorf("got %v, want unavailable", err)
	}
	closed := make(chan error, 1)
	looked := 0
	_, err = e.List(t.Context(), engine.ListQuery{Limit: 1, Match: func(wire.ChannelName) bool {
		if looked++; looked == 100 {
			go func() { closed <- e.Close(context.Background()) }()
			<-e.Stopped()
		}
		return true
	}})
	if failure, ok := errors.AsType[*wire.Error](err); !ok || failure.Code != wire.CodeUnavailable || looked > 2000 {
		t.Errorf("got %v after %d names, want unavailable", err, looked)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
