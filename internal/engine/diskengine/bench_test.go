package diskengine_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine/diskengine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// BenchmarkAppend shows what a message costs at each level on the disk below the temporary directory, with so many
// publishes under way at once, spread over 100 channels: what the committer gathers while it waits for the disk.
func BenchmarkAppend(b *testing.B) {
	for name, level := range map[string]diskengine.Level{
		"memory": diskengine.Memory, "written": diskengine.Written, "synced": diskengine.Synced,
	} {
		for _, underWay := range []int{1, 64, 1024} {
			b.Run(fmt.Sprintf("%s/%d", name, underWay), func(b *testing.B) {
				e, err := diskengine.Open(diskengine.Options{
					Dir: b.TempDir(), Level: levels(level),
					Space: channel.NewSpace(channel.NewBudget(0), nil),
				})
				if err != nil {
					b.Fatal(err)
				}
				defer e.Close(b.Context())
				appendMany(b, e, underWay)
			})
		}
	}
}

func appendMany(b *testing.B, e *diskengine.Engine, underWay int) {
	b.Helper()
	names := make([]wire.ChannelName, 100)
	for i := range names {
		names[i] = wire.ChannelName(fmt.Sprint("bench.", i))
	}
	records := []channel.Record{{Publication: wire.Publication{
		Payload: wire.Payload{Kind: wire.PayloadText, Bytes: make([]byte, 128)},
	}}}
	places := make(chan struct{}, underWay)
	var left sync.WaitGroup
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		places <- struct{}{}
		left.Add(1)
		e.Append(names[i%len(names)], records, func(_ wire.Epoch, _ []channel.Placed, err error) {
			if err != nil {
				b.Error(err)
			}
			<-places
			left.Done()
		})
	}
	left.Wait()
}

// BenchmarkOpen opens stores of many channels, none of which is loaded by that.
func BenchmarkOpen(b *testing.B) {
	for _, channels := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(channels), func(b *testing.B) { benchmarkOpen(b, channels) })
	}
}

func benchmarkOpen(b *testing.B, channels int) {
	o := diskengine.Options{Dir: b.TempDir(), Level: levels(diskengine.Written)}
	open := func() *diskengine.Engine {
		o.Space = channel.NewSpace(channel.NewBudget(0), nil)
		e, err := diskengine.Open(o)
		if err != nil {
			b.Fatal(err)
		}
		return e
	}
	e := open()
	records := []channel.Record{{Publication: wire.Publication{MessageID: "1"}}}
	var left sync.WaitGroup
	for i := range channels {
		if i%10_000 == 0 {
			left.Wait() // no more than that wait for the disk
		}
		left.Add(1)
		e.Append(wire.ChannelName(fmt.Sprint("c", i)), records, func(_ wire.Epoch, _ []channel.Placed, err error) {
			if err != nil {
				b.Error(err)
			}
			left.Done()
		})
	}
	left.Wait()
	for b.Loop() {
		b.StopTimer()
		if err := e.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		e = open()
	}
	if n := e.Stats().Channels; n > 0 {
		b.Errorf("%d channels were loaded", n)
	}
	e.Append("c7", records, func(_ wire.Epoch, placed []channel.Placed, err error) {
		if err != nil || !placed[0].Duplicate {
			b.Errorf("a retry after opening is answered %+v, %v", placed, err)
		}
	})
	if err := e.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkLoad brings a channel of 100,000 messages, the most that is kept by default, back into memory.
func BenchmarkLoad(b *testing.B) {
	const messages, batch = 100_000, 1_000
	o := diskengine.Options{Dir: b.TempDir(), Level: levels(diskengine.Written)}
	o.Space = channel.NewSpace(channel.NewBudget(0), nil)
	e, err := diskengine.Open(o)
	if err != nil {
		b.Fatal(err)
	}
	records := make([]channel.Record, batch)
	for i := range records {
		records[i] = channel.Record{Publication: wire.Publication{Payload: wire.Payload{Kind: wire.PayloadText, Bytes: make([]byte, 128)}}}
	}
	for range messages / batch {
		answered := make(chan struct{})
		e.Append("a", records, func(wire.Epoch, []channel.Placed, error) { close(answered) })
		<-answered
	}
	for b.Loop() {
		b.StopTimer()
		if err := e.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
		if e, err = diskengine.Open(o); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		log, err := e.Watch("a", channel.NewWatch(func(*channel.Watch) {}))
		if err != nil || log.Tail() != messages {
			b.Fatalf("tail %d: %v", log.Tail(), err)
		}
	}
	if err := e.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}
