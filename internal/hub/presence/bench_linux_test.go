package presence

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// The channel of these benchmarks has so many members, each of a user of his own, and so many come and go in a second.
const (
	crowd = 100_000
	churn = 1000
)

// crowded is a channel with a crowd in it.
type crowded struct {
	*rig
	who  []*auth.Principal
	heap uint64 // that the crowd takes
}

// sessionID is an id as sessions have it.
func sessionID(i int) wire.SessionID {
	return wire.SessionID(fmt.Sprintf("n1-%d-%x-%016x", i%4, i, uint64(i)*0x9e3779b97f4a7c15))
}

func (c *crowded) enter(i int) {
	c.node.Enter(roomName, Entrance{Session: sessionID(i), Who: c.who[i%len(c.who)], At: at(uint32(i))})
}

func (c *crowded) leave(i int) { c.node.Leave(roomName, sessionID(i), at(uint32(i))) }

func newCrowd(b *testing.B) *crowded {
	b.Helper()
	c := &crowded{rig: newRig(b)}
	for i := range crowd {
		c.who = append(c.who, &auth.Principal{UserID: fmt.Sprintf("user-%d", i)})
	}
	before := liveHeap()
	for i := range crowd {
		c.enter(i)
	}
	for deadline := time.Now().Add(10 * time.Second); c.page(wire.Presence{Channel: roomName, Limit: 1}).Count < crowd; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatal("the crowd is not told of")
		}
	}
	c.heap = liveHeap() - before
	return c
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// processorTime is what the process has used so far.
func processorTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkCrowdPage is what it costs to see who is there: a page, made and encoded.
func BenchmarkCrowdPage(b *testing.B) {
	c := newCrowd(b)
	for _, limit := range []int64{100, 1000} {
		b.Run(fmt.Sprintf("limit=%d", limit), func(b *testing.B) {
			var frame []byte
			i := 0
			for b.Loop() {
				page := c.page(wire.Presence{Channel: roomName, Limit: limit, After: sessionID((i * 7919) % crowd)})
				frame = wire.JSON.Append(frame[:0], &wire.Frame{RequestID: "1", Body: page})
				i++
			}
			page := c.page(wire.Presence{Channel: roomName, Limit: limit})
			b.ReportMetric(float64(len(wire.JSON.Append(nil, &wire.Frame{RequestID: "1", Body: page}))), "page-bytes")
		})
	}
}

// BenchmarkCrowdChurn lets members come and go, a thousand of each in a second; an iteration is a second of real time.
func BenchmarkCrowdChurn(b *testing.B) {
	c := newCrowd(b)
	before := c.page(wire.Presence{Channel: roomName, Limit: 1}).Position.Offset
	const ticks = 100
	first, next := 0, crowd
	heap, peak := liveHeap(), uint64(0)
	used, began := processorTime(), time.Now()
	seconds := 0
	for b.Loop() {
		for tick := range ticks {
			for range churn / ticks {
				c.leave(first)
				c.enter(next)
				first, next = first+1, next+1
			}
			time.Sleep(time.Until(began.Add(time.Duration(seconds*ticks+tick+1) * time.Second / ticks)))
		}
		seconds++
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapAlloc)
	}
	used = processorTime() - used
	grown := int64(liveHeap()) - int64(heap)
	messages, bytes := c.follower(before)
	each := float64(seconds)
	b.ReportMetric(used.Seconds()*1000/each, "cpu-ms/s")
	b.ReportMetric(float64(messages)/each, "messages/s")
	b.ReportMetric(float64(bytes)/each, "follower-bytes/s")
	b.ReportMetric(float64(c.heap)/crowd, "heap-bytes/member")
	b.ReportMetric(float64(grown)/(1<<20), "heap-grown-MiB")
	b.ReportMetric(float64(peak)/(1<<20), "heap-peak-MiB")
}

// follower is what somebody is sent who follows the channel that tells of the crowd.
func (c *crowded) follower(from wire.Offset) (messages, bytes int) {
	for more := true; more; {
		q := channel.Query{From: wire.Start{Kind: wire.StartOffset, Offset: from}, Limit: 1000, Bytes: 1 << 20}
		c.engine.Engine.Read(roomLog, q, func(run channel.Run, _ error) {
			for i := range run.Entries {
				m := wire.Message{Channel: roomLog}
				run.Entries[i].Message(&m)
				m.Offset = run.Offset(i)
				bytes += len(wire.JSON.AppendMessage(nil, &m))
				from = m.Offset
			}
			messages += len(run.Entries)
			more = run.More
		})
	}
	return messages, bytes
}

// BenchmarkCrowdEnter is what it costs a session to enter beside a crowd, until it is told.
func BenchmarkCrowdEnter(b *testing.B) {
	c := newCrowd(b)
	i := crowd
	for b.Loop() {
		c.enter(i)
		i++
	}
}
