package magpieclient

import (
	"slices"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

func TestHistoryGivesAPage(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		type result struct {
			page *HistoryPage
			err  error
		}
		done := make(chan result, 1)
		go func() {
			page, err := c.History(t.Context(), "order.update", HistoryOptions{From: Since(time.UnixMilli(7)), Limit: 2, Reverse: true})
			done <- result{page, err}
		}()
		asked := p.expect("history")
		if from, _ := asked["from"].(map[string]any); from["time"] != 7.0 || asked["limit"] != 2.0 || asked["reverse"] != true || asked["channel"] != "order.update" {
			t.Errorf("asked was %v", asked)
		}
		p.send(`{"type":"page","requestId":%q,"channel":"order.update","epoch":"k1","head":3,"tail":9,"gap":{"epoch":"k1","fromOffset":1,"toOffset":2,"reason":"retention"},`+
			`"messages":[{"offset":5,"messageId":"m5","timestamp":6,"text":"five"},{"offset":4,"timestamp":5,"data":4}],"next":{"epoch":"k1","offset":4}}`, asked.id())
		got := <-done
		if got.err != nil {
			t.Fatal(got.err)
		}
		page := got.page
		if page.Epoch != "k1" || page.Head != 3 || page.Tail != 9 || !page.More || page.Next != (Position{"k1", 4}) || len(page.Messages) != 2 {
			t.Errorf("the page is %+v", page)
		}
		if *page.Gap != (Gap{Channel: "order.update", Epoch: "k1", FromOffset: 1, ToOffset: 2, Reason: GapRetention}) {
			t.Errorf("the gap is %+v", page.Gap)
		}
		if m := page.Messages[0]; m.Channel != "order.update" || m.Position != (Position{"k1", 5}) || m.ID != "m5" || string(m.Payload.Bytes) != "five" {
			t.Errorf("the first message is %+v", m)
		}
		if m := page.Messages[1]; string(m.Payload.Bytes) != "4" || m.Payload.Kind != PayloadJSON {
			t.Errorf("the second message is %+v", m)
		}
		p.finish(c)
	})
}

// TestHistoryGoesOnOverABrokenLine goes through two pages, of which the second is asked for on two lines.
func TestHistoryGoesOnOverABrokenLine(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		events := make(chan []uint64, 1)
		go func() {
			var offsets []uint64
			for event, err := range c.HistoryEvents(t.Context(), "a", HistoryOptions{}) {
				switch event := event.(type) {
				case *Message:
					offsets = append(offsets, event.Position.Offset)
				case *Gap:
					offsets = append(offsets, event.ToOffset)
				default:
					t.Errorf("the history ended with %v", err)
				}
			}
			events <- offsets
		}()
		first := p.expect("history")
		if first["from"] != nil {
			t.Errorf("the first page is asked for from %v", first["from"])
		}
		p.send(`{"type":"page","requestId":%q,"channel":"a","epoch":"k1","head":1,"tail":9,"messages":[{"offset":1,"timestamp":1}],"next":{"epoch":"k1","offset":1}}`, first.id())
		p.expect("history")
		p.cut()
		p = g.welcome()
		again := p.expect("history")
		if again.offset("from") != 1 {
			t.Errorf("the second page is asked for from %v", again["from"])
		}
		p.send(`{"type":"page","requestId":%q,"channel":"a","epoch":"k1","head":8,"tail":9,"gap":{"epoch":"k1","fromOffset":2,"toOffset":7,"reason":"retention"},"messages":[{"offset":8,"timestamp":1},{"offset":9,"timestamp":1}]}`, again.id())
		if got := <-events; !slices.Equal(got, []uint64{1, 7, 8, 9}) {
			t.Errorf("the history was %v", got)
		}
		p.finish(c)
	})
}

func TestHistoryIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, g *gateway) {
		c, p := g.open(g.options())
		if _, err := c.History(t.Context(), "a..b", HistoryOptions{}); CodeOf(err) != Code(wire.CodeInvalidArgument) {
			t.Errorf("a channel that is none: %v", err)
		}
		if _, err := c.History(t.Context(), "a", HistoryOptions{Limit: 1001}); CodeOf(err) != Code(wire.CodeInvalidArgument) {
			t.Errorf("a page that is too long: %v", err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := c.History(t.Context(), "a", HistoryOptions{})
			done <- err
		}()
		p.send(`{"type":"error","requestId":%q,"error":{"code":"permission_denied","message":"not yours"}}`, p.expect("history").id())
		if err := <-done; CodeOf(err) != CodePermissionDenied {
			t.Errorf("what the gateway refuses: %v", err)
		}
		p.finish(c)
	})
}
