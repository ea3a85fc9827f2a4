package server

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// TestReadersFarBehindReadFromDisk fills a channel with more than memory keeps of it, has clients read it from the
// beginning, from the middle and from a time, and one that watches it live: each gets every message once, in order, and no
// gap.
func TestReadersFarBehindReadFromDisk(t *testing.T) {
	const before, after = 4000, 4400 // of 8 KiB: twice of what a channel has in memory
	r := start(t, "development: true\ndata: "+t.TempDir()+"\nengine: disk\nlogs: {own_log: false, globs: [/nowhere/*.log]}\n"+
		"namespaces:\n  - name: deep\n    pattern: deep.>\n    durability: written\n    retention: {messages: 100000, bytes: 1GiB, age: 1h}\n")
	payload := `"` + strings.Repeat("x", 8<<10) + `"`
	rights, err := auth.NewRights(auth.AllGrants())
	if err != nil {
		t.Fatal(err)
	}
	publisher := &auth.Principal{UserID: "p", Rights: rights}
	var failure atomic.Pointer[string]
	fill := func(from, to int) {
		var wg sync.WaitGroup
		for i := from; i < to; i++ {
			wg.Add(1)
			p := &wire.Publish{Channel: "deep.a", Publication: wire.Publication{
				MessageID: fmt.Sprint(i), Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte(payload)},
			}}
			r.Gateway().hub.Publish(publisher, p, func(_ *wire.Published, err error) {
				if err != nil {
					text := err.Error()
					failure.Store(&text)
				}
				wg.Done()
			})
			if i%100 == 99 {
				wg.Wait()
			}
		}
		wg.Wait()
		if text := failure.Load(); text != nil {
			t.Fatal(*text)
		}
	}
	fill(0, before)

	var reading sync.WaitGroup
	follow := func(from string, next int) {
		c := r.dial(t, "")
		c.write(`{"type":"subscribe","requestId":"s","channel":"deep.a"` + from + `}`)
		if f := c.until("subscribed"); f.Position.Offset != uint64(next-1) {
			t.Errorf("from %s: subscribed at %d, want %d", from, f.Position.Offset, next-1)
		}
		reading.Go(func() {
			for ; next <= after; next++ {
				f, err := c.tryRead()
				if err != nil || f.Type != "message" || f.Offset != uint64(next) || f.MessageID != fmt.Sprint(next-1) {
					t.Errorf("from %s: got %s %d %s (%v), want message %d", from, f.Type, f.Offset, f.MessageID, err, next)
					return
				}
			}
		})
	}
	follow("", before+1)
	for range 8 {
		follow(`,"from":{"offset":0}`, 1)
		follow(`,"from":{"offset":700}`, 701)
	}
	follow(`,"from":{"time":1000}`, 1)
	fill(before, after)
	reading.Wait()
	if n := r.Gateway().hub.Engine().Stats().Pages; n == 0 {
		t.Error("nothing was read from disk")
	}
}

// TestFiltersReachDownToTheDisk has clients filter a channel of which most is on disk: each is given what its filter lets
// through, once and in order, of what was there and of what comes.
func TestFiltersReachDownToTheDisk(t *testing.T) {
	const before, after = 4000, 4200 // of 8 KiB
	r := start(t, "development: true\ndata: "+t.TempDir()+"\nengine: disk\nlogs: {own_log: false, globs: [/nowhere/*.log]}\n"+
		"namespaces:\n  - name: deep\n    pattern: deep.>\n    durability: written\n    retention: {messages: 100000, bytes: 1GiB, age: 1h}\n")
	padding := strings.Repeat("x", 8<<10)
	rights, err := auth.NewRights(auth.AllGrants())
	if err != nil {
		t.Fatal(err)
	}
	publisher := &auth.Principal{UserID: "p", Rights: rights}
	fill := func(from, to int) {
		for i := from; i < to; {
			batch := &wire.Publish{Channel: "deep.b"}
			for ; i < to && len(batch.Messages) < 100; i++ {
				batch.Messages = append(batch.Messages, wire.Publication{
					Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: fmt.Appendf(nil, `{"n":%d,"padding":%q}`, i+1, padding)},
				})
			}
			if _, err := r.Gateway().hub.PublishWait(t.Context(), publisher, batch); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill(0, before)
	var reading sync.WaitGroup
	for _, test := range []struct {
		filter      string
		first, step int // of the matches
	}{{"n~7$", 7, 10}, {"n~7$", 7, 10}, {"n~00$", 100, 100}, {"n>0", 1, 1}} {
		c := r.dial(t, "")
		c.write(fmt.Sprintf(`{"type":"subscribe","requestId":"s","channel":"deep.b","from":{"offset":0},"filter":%q}`, test.filter))
		c.until("subscribed")
		reading.Go(func() {
			for at, next := 0, test.first; next <= after; {
				f, err := c.tryRead()
				switch {
				case err == nil && f.Type == "position":
					at = int(f.Position.Offset)
				case err != nil || f.Type != "message" || f.Offset != uint64(next) || f.Prev != 0 && f.Prev != uint64(at) || f.Prev == 0 && next != at+1:
					t.Errorf("%s: got %s %d after %d (%v), want message %d after %d", test.filter, f.Type, f.Offset, f.Prev, err, next, at)
					return
				default:
					at, next = next, next+test.step
				}
			}
		})
	}
	fill(before, after)
	reading.Wait()
	if n := r.Gateway().hub.Engine().Stats().Pages; n == 0 {
		t.Error("nothing was read from disk")
	}
}
