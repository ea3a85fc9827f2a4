package diskengine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/engine/diskengine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// disk is a disk in memory that can lose what was not synced.
type disk struct {
	fs      *vfs.MemFS
	boot    string
	options diskengine.Options
	current engine.Engine // the one opened last
	power   bool          // Crash loses what was not synced, and the machine is started again
}

func newDisk() *disk { return &disk{fs: vfs.NewCrashableMem(), boot: "first"} }

// Open implements enginetest.Store. What is open at the end of the test is closed.
func (d *disk) Open(t *testing.T) engine.Engine {
	t.Helper()
	e, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	d.current = e
	return e
}

func (d *disk) open() (*diskengine.Engine, error) {
	o := d.options
	o.Dir, o.BootID = "store", d.boot
	if o.FS == nil {
		o.FS = d.fs
	}
	if o.Space == nil {
		o.Space = channel.NewSpace(channel.NewBudget(0), nil)
	}
	return diskengine.Open(o)
}

// Crash implements enginetest.Store. The engine that is open goes on, but on a disk that nobody looks at any more.
func (d *disk) Crash(t *testing.T) {
	t.Helper()
	if d.power {
		d.losePower(t)
		return
	}
	d.clone(t, vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))})
}

// losePower loses whatever was not synced.
func (d *disk) losePower(t *testing.T) {
	t.Helper()
	d.clone(t, vfs.CrashCloneCfg{})
	d.boot += "+"
}

func (d *disk) clone(t *testing.T, cfg vfs.CrashCloneCfg) {
	t.Helper()
	d.fs = d.fs.CrashClone(cfg)
	left := d.current
	t.Cleanup(func() {
		if err := left.Close(context.Background()); err != nil {
			t.Errorf("close what was left behind: %v", err)
		}
	})
}

func levels(level diskengine.Level) func(wire.ChannelName) diskengine.Level {
	return func(wire.ChannelName) diskengine.Level { return level }
}

const wait = 30 * time.Second

type answer struct {
	epoch  wire.Epoch
	placed []channel.Placed
	err    error
}

// appendAsync appends one message, with an id unless that is empty.
func appendAsync(e engine.Engine, name wire.ChannelName, id, payload string) <-chan answer {
	answers := make(chan answer, 2)
	record := channel.Record{Publisher: "p", Publication: wire.Publication{
		MessageID: id, Payload: wire.Payload{Kind: wire.PayloadText, Bytes: []byte(payload)},
	}}
	e.Append(name, []channel.Record{record}, func(epoch wire.Epoch, placed []channel.Placed, err error) {
		answers <- answer{epoch, append([]channel.Placed(nil), placed...), err}
	})
	return answers
}

func await(t *testing.T, answers <-chan answer) answer {
	t.Helper()
	select {
	case a := <-answers:
		return a
	case <-time.After(wait):
		t.Fatal("an append was never answered")
		return answer{}
	}
}

// publish appends one message and returns where it stands.
func publish(t *testing.T, e engine.Engine, name wire.ChannelName, id string) wire.Position {
	t.Helper()
	a := await(t, appendAsync(e, name, id, "payload "+id))
	if a.err != nil {
		t.Fatalf("publish to %s: %v", name, a.err)
	}
	return wire.Position{Epoch: a.epoch, Offset: a.placed[0].Offset}
}

func watch(t *testing.T, e engine.Engine, name wire.ChannelName) *channel.Log {
	t.Helper()
	w := channel.NewWatch(func(*channel.Watch) {})
	log, err := e.Watch(name, w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Unwatch(w) })
	return log
}

func end(t *testing.T, e engine.Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

func read(e engine.Engine, name wire.ChannelName, q channel.Query) (run channel.Run, err error) {
	done := make(chan struct{})
	e.Read(name, q, func(r channel.Run, failure error) {
		run, err = r, failure
		close(done)
	})
	select {
	case <-done:
		return run, err
	case <-time.After(wait):
		return run, fmt.Errorf("read %s from %+v was never answered", name, q.From)
	}
}

// until polls until ok.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(wait); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// hasCode reports whether err is a wire error of that code.
func hasCode(err error, code wire.Code) bool {
	failure, ok := errors.AsType[*wire.Error](err)
	return ok && failure.Code == code
}
