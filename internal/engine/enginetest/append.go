package enginetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

func appendNumbersFromOne(t *testing.T, e engine.Engine) {
	first := must(t, e, "a", text("one"))
	if first.epoch == "" {
		t.Error("the numbering has no name")
	}
	for want := wire.Offset(2); want < 50; want++ {
		a := must(t, e, "a", text("more"))
		if a.placed[0] != (channel.Placed{Offset: want}) || a.epoch != first.epoch {
			t.Fatalf("append %d: %+v in %s, want that offset in %s", want, a.placed[0], a.epoch, first.epoch)
		}
	}
}

func appendAnswersEachRecord(t *testing.T, e engine.Engine) {
	for size := range 20 {
		var batch []channel.Record
		for i := range size {
			batch = append(batch, text(fmt.Sprint(size, " ", i)))
		}
		a := must(t, e, "a", batch...)
		for i := 1; i < len(a.placed); i++ {
			if a.placed[i].Offset != a.placed[i-1].Offset+1 {
				t.Fatalf("a batch lies at %+v: want its records together, in their order", a.placed)
			}
		}
	}
}

func appendKeepsNothingOfTheCaller(t *testing.T, e engine.Engine) {
	w := watch(t, e, "a")
	payload := []byte("before")
	records := []channel.Record{{Publisher: "p", Publication: wire.Publication{
		Tags:    wire.Pairs{{Key: "k", Value: "before"}},
		Payload: wire.Payload{Kind: wire.PayloadText, Bytes: payload},
	}}}
	answered := make(chan struct{})
	e.Append("a", records, func(wire.Epoch, []channel.Placed, error) { close(answered) })
	copy(payload, "after!")
	records[0].Publisher, records[0].Tags[0].Value = "q", "after!"
	<-answered
	if err := w.reach(1); err != nil {
		t.Fatal(err)
	}
	var m wire.Message
	if !w.log.Read(1, &m) || string(m.Payload.Bytes) != "before" || m.Publisher != "p" || m.Tags[0].Value != "before" {
		t.Errorf("the entry is %+v: it is to be what it was when Append returned", m)
	}
}

func aRetryGetsTheFirstPosition(t *testing.T, e engine.Engine) {
	must(t, e, "a", text("before"))
	first := must(t, e, "a", identified("p", "1"), identified("p", "2"), identified("q", "1"))
	if want := []channel.Placed{{Offset: 2}, {Offset: 3}, {Offset: 4}}; !slices.Equal(first.placed, want) {
		t.Fatalf("the first time: %+v, want %+v", first.placed, want)
	}
	again := must(t, e, "a", identified("q", "1"), text("between"), identified("p", "1"), identified("p", "3"), identified("p", "3"))
	want := []channel.Placed{{Offset: 4, Duplicate: true}, {Offset: 5}, {Offset: 2, Duplicate: true}, {Offset: 6}, {Offset: 6, Duplicate: true}}
	if !slices.Equal(again.placed, want) {
		t.Errorf("again: %+v, want %+v", again.placed, want)
	}
	if again.epoch != first.epoch {
		t.Error("a retry is answered in another numbering")
	}
	if elsewhere := must(t, e, "b", identified("p", "1")); elsewhere.placed[0] != (channel.Placed{Offset: 1}) {
		t.Errorf("in another channel: %+v", elsewhere.placed[0])
	}
}

func channelsAreApart(t *testing.T, e engine.Engine) {
	names := []wire.ChannelName{"a", "a.b", "a-b", "A", "b"}
	for round := range wire.Offset(5) {
		for _, name := range names {
			if a := must(t, e, name, text(string(name))); a.placed[0].Offset != round+1 {
				t.Errorf("%s: offset %d, want %d", name, a.placed[0].Offset, round+1)
			}
		}
	}
	var m wire.Message
	for _, name := range names {
		w := watch(t, e, name)
		if err := w.reach(5); err != nil {
			t.Fatal(err)
		}
		for offset := range wire.Offset(5) {
			if !w.log.Read(offset+1, &m) || string(m.Payload.Bytes) != string(name) {
				t.Errorf("%s %d holds %q", name, offset+1, m.Payload.Bytes)
			}
		}
	}
}
