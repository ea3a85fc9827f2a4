package enginetest

import (
	"fmt"
	"testing"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

func watchCreatesTheChannel(t *testing.T, e engine.Engine) {
	w := watch(t, e, "a")
	if w.log.Head() != 1 || w.log.Tail() != 0 || w.log.Epoch() == "" {
		t.Errorf("a new channel has %d..%d in %q", w.log.Head(), w.log.Tail(), w.log.Epoch())
	}
	if a := must(t, e, "a", text("x")); a.epoch != w.log.Epoch() || a.placed[0].Offset != 1 {
		t.Errorf("what is appended to it stands at %d in %s, want 1 in %s", a.placed[0].Offset, a.epoch, w.log.Epoch())
	}
}

func watchTellsOfWhatIsAppended(t *testing.T, e engine.Engine) {
	must(t, e, "a", text("before"))
	first, second, other := watch(t, e, "a"), watch(t, e, "a"), watch(t, e, "b")
	for offset := wire.Offset(2); offset < 20; offset++ {
		must(t, e, "a", text("x"))
		for _, w := range []*watching{first, second} {
			if err := w.reach(offset); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(other.told) > 0 || other.log.Tail() != 0 {
		t.Error("the watch of another channel was told")
	}
}

func unwatchEndsIt(t *testing.T, e engine.Engine) {
	ended, other := watch(t, e, "a"), watch(t, e, "a")
	ended.log.Unwatch(ended.watch)
	must(t, e, "a", text("x"))
	if err := other.reach(1); err != nil {
		t.Fatal(err)
	}
	if len(ended.told) > 0 {
		t.Error("told after Unwatch")
	}
	again := watch(t, e, "a")
	if again.log.Epoch() != ended.log.Epoch() || again.log.Tail() != 1 {
		t.Errorf("watched again it has tail %d in %s", again.log.Tail(), again.log.Epoch())
	}
}

func everythingIsReadable(t *testing.T, e engine.Engine) {
	w := watch(t, e, "a")
	const total = 2000
	want := func(i int) channel.Record {
		r := identified("publisher", fmt.Sprint(i))
		r.Key = fmt.Sprint("key ", i%7)
		r.Meta = wire.Pairs{{Key: "trace", Value: fmt.Sprint(i)}}
		return r
	}
	for i := range total {
		must(t, e, "a", want(i+1))
	}
	if err := w.reach(total); err != nil {
		t.Fatal(err)
	}
	var m wire.Message
	last := int64(0)
	for i := 1; i <= total; i++ {
		r := want(i)
		if !w.log.Read(wire.Offset(i), &m) {
			t.Fatalf("entry %d cannot be read", i)
		}
		if m.MessageID != r.MessageID || m.Publisher != r.Publisher || m.Key != r.Key || len(m.Tags) != 0 ||
			len(m.Meta) != 1 || m.Meta[0] != r.Meta[0] || string(m.Payload.Bytes) != string(r.Payload.Bytes) {
			t.Fatalf("entry %d is %+v, want %+v", i, m, r)
		}
		if m.Timestamp < last || m.Timestamp == 0 {
			t.Fatalf("entry %d is stamped %d, the one before %d", i, m.Timestamp, last)
		}
		last = m.Timestamp
	}
}

func statsCount(t *testing.T, e engine.Engine) {
	empty := e.Stats()
	must(t, e, "a", text("x"))
	must(t, e, "a", text("x"))
	watch(t, e, "b")
	full := e.Stats()
	if got := full.Channels - empty.Channels; got != 2 {
		t.Errorf("%d channels were counted, want 2", got)
	}
	if full.MemoryBytes <= empty.MemoryBytes {
		t.Errorf("two channels cost %d bytes", full.MemoryBytes-empty.MemoryBytes)
	}
}
