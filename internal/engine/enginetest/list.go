package enginetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// RunList tests the listing of the engines that open returns, which are as [Run] wants them.
func RunList(t *testing.T, open func(t *testing.T) engine.Engine) {
	for name, test := range map[string]func(*testing.T, engine.Engine){
		"ListsByPage":         listsByPage,
		"ListsWhatMatches":    listsWhatMatches,
		"ListsHowTheyStand":   listsHowTheyStand,
		"ListsWhilePublished": listsWhilePublished,
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t)
			defer end(t, e)
			test(t, e)
		})
	}
}

// list asks an engine that is a lister.
func list(t *testing.T, e engine.Engine, q engine.ListQuery) engine.Listing {
	t.Helper()
	lister, ok := e.(engine.Lister)
	if !ok {
		t.Fatalf("%T is no engine.Lister", e)
	}
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	page, err := lister.List(ctx, q)
	if err != nil {
		t.Fatalf("list %+v: %v", q, err)
	}
	if len(page.Channels) > q.Limit {
		t.Errorf("a page of at most %d has %d channels", q.Limit, len(page.Channels))
	}
	return page
}

func names(page engine.Listing) (all []wire.ChannelName) {
	for _, c := range page.Channels {
		all = append(all, c.Name)
	}
	return all
}

// listsByPage checks that pages follow each other to the end in the order of the names.
func listsByPage(t *testing.T, e engine.Engine) {
	const total = 30
	var want []wire.ChannelName
	for i := range total {
		name := wire.ChannelName(fmt.Sprint("c", (i*7)%total)) // in no order
		must(t, e, name, text("x"))
		want = append(want, name)
	}
	slices.Sort(want)
	for _, limit := range []int{1, 7, total - 1, total, 2 * total} {
		var got []wire.ChannelName
		for q := (engine.ListQuery{Limit: limit}); ; {
			page := list(t, e, q)
			if page.Total != total {
				t.Fatalf("pages of %d: of %d channels, want %d", limit, page.Total, total)
			}
			got = append(got, names(page)...)
			if !page.More || len(page.Channels) == 0 {
				break
			}
			q.After = got[len(got)-1]
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %v, want %v", limit, got, want)
		}
	}
	if page := list(t, e, engine.ListQuery{Limit: 5, After: "d"}); len(page.Channels) != 0 || page.More || page.Total != total {
		t.Errorf("after the last: %+v", page)
	}
}

func listsWhatMatches(t *testing.T, e engine.Engine) {
	for _, name := range []wire.ChannelName{"order.a", "order.b", "price.a", "order.c"} {
		must(t, e, name, text("x"))
	}
	q := engine.ListQuery{Limit: 2, Match: func(name wire.ChannelName) bool { return strings.HasPrefix(string(name), "order.") }}
	first := list(t, e, q)
	if want := []wire.ChannelName{"order.a", "order.b"}; !slices.Equal(names(first), want) || !first.More || first.Total != 3 {
		t.Errorf("got %+v, want %v of 3", first, want)
	}
	q.After = "order.b"
	if rest := list(t, e, q); !slices.Equal(names(rest), []wire.ChannelName{"order.c"}) || rest.More || rest.Total != 3 {
		t.Errorf("then %+v, want order.c and no more", rest)
	}
}

func listsHowTheyStand(t *testing.T, e engine.Engine) {
	epoch := must(t, e, "a", text("one"), text("two"), identified("p", "3")).epoch
	w := watch(t, e, "empty")
	defer w.log.Unwatch(w.watch)
	page := list(t, e, engine.ListQuery{Limit: 10})
	if len(page.Channels) != 2 || page.Total != 2 || page.More {
		t.Fatalf("got %+v, want two channels", page)
	}
	size := int64(0)
	for _, entry := range read(t, e, "a", channel.Query{Limit: 10, Bytes: plenty}).Entries {
		size += int64(len(entry))
	}
	created := page.Channels[0].Created
	if now := time.Now(); created > now.UnixMilli() || created < now.Add(-wait).UnixMilli() {
		t.Errorf("made at %d, and it is %d", created, now.UnixMilli())
	}
	if got, want := page.Channels[0], (engine.ChannelInfo{Name: "a", Epoch: epoch, Head: 1, Tail: 3, Bytes: size, Created: created}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := page.Channels[1], (engine.ChannelInfo{Name: "empty", Epoch: w.log.Epoch(), Head: 1, Created: page.Channels[1].Created}); got != want {
		t.Errorf("the one that is only watched: %+v, want %+v", got, want)
	}
}

// listsWhilePublished checks that no channel is missed, or listed twice, that was there all the time.
func listsWhilePublished(t *testing.T, e engine.Engine) {
	const total = 20
	for i := range total {
		must(t, e, wire.ChannelName(fmt.Sprint("a", i)), text("x"))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 5 * total {
			publish(t, e, wire.ChannelName(fmt.Sprint("b", i)), text("x"))
		}
	}()
	for busy := true; busy; {
		select {
		case <-done:
			busy = false
		default:
		}
		page := list(t, e, engine.ListQuery{Limit: plenty})
		seen := make(map[wire.ChannelName]bool)
		old := 0
		for _, c := range page.Channels {
			if seen[c.Name] {
				t.Fatalf("%s is listed twice", c.Name)
			}
			seen[c.Name] = true
			if c.Name[0] == 'a' {
				old++
			}
		}
		if old != total {
			t.Fatalf("%d of the %d channels that were there are listed", old, total)
		}
	}
}

// whatIsNotUsedIsListed checks that a channel is listed that nobody has asked for since the start.
func whatIsNotUsedIsListed(t *testing.T, r reopener) {
	e := r.Open(t)
	epoch := must(t, e, "a", text("one"), text("two")).epoch
	must(t, e, "b", text("one"))
	before := list(t, e, engine.ListQuery{Limit: 10})
	e = r.reopen(t, e)
	defer end(t, e)
	must(t, e, "c", text("one"))
	page := list(t, e, engine.ListQuery{Limit: 2})
	if !slices.Equal(names(page), []wire.ChannelName{"a", "b"}) || !page.More || page.Total != 3 {
		t.Fatalf("got %+v, want a and b of 3", page)
	}
	want := engine.ChannelInfo{Name: "a", Epoch: epoch, Head: 1, Tail: 2, Bytes: before.Channels[0].Bytes, Created: before.Channels[0].Created}
	if got := page.Channels[0]; got != want || want.Created == 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
