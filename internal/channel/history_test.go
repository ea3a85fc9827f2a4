package channel

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// pager goes through a log page by page, and checks that each page continues the one before or tells what is missing.
type pager struct {
	t    *testing.T
	log  *Log
	q    Query
	last wire.Offset // of the last page; 0 before the first
	gaps int
}

// page reads the next page and reports whether there is another.
func (p *pager) page() (more bool) {
	run := p.log.Run(&p.q, Archive{})
	if run.Head > run.Tail+1 || run.More && len(run.Entries) == 0 {
		p.t.Errorf("a page of %d entries between %d and %d, more %t", len(run.Entries), run.Head, run.Tail, run.More)
	}
	if p.last > 0 {
		want := p.q.After(p.last)
		if gap := run.Gap; gap != nil {
			p.gaps++
			edge := gap.FromOffset
			if p.q.Reverse {
				edge = gap.ToOffset
			}
			if edge != want || gap.Reason != wire.GapRetention {
				p.t.Errorf("behind %d is the gap %+v", p.last, gap)
			}
			want = gap.ToOffset + 1
		}
		if len(run.Entries) > 0 && run.First != want {
			p.t.Errorf("behind %d comes %d with the gap %+v", p.last, run.First, run.Gap)
		}
		if len(run.Entries) == 0 && run.Gap == nil {
			p.t.Errorf("behind %d there was to be something, and comes nothing", p.last)
		}
	}
	if n := len(run.Entries); n > 0 {
		p.last = run.Offset(n - 1)
	}
	p.q.From = wire.Start{Kind: wire.StartPosition, Epoch: run.Epoch, Offset: p.last}
	return run.More
}

// TestPagesAmongAppendsAndSweeps reads pages of a log whose head and tail both move.
func TestPagesAmongAppendsAndSweeps(t *testing.T) {
	r := keepAll()
	r.Messages = 200
	l, c := testLog(r)
	var ended atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		defer ended.Store(true)
		for l.Tail() < 20_000 {
			fill(t, l, 1)
		}
	})
	wg.Go(func() {
		for !ended.Load() {
			c.advance(time.Millisecond)
			l.Sweep()
			l.DropOldest()
			time.Sleep(time.Millisecond)
		}
	})
	for _, reverse := range []bool{false, true} {
		wg.Go(func() {
			for !ended.Load() {
				p := &pager{t: t, log: l, q: Query{Limit: 7, Bytes: 1 << 20, Reverse: reverse}}
				for more := true; more && !ended.Load(); {
					more = p.page()
				}
			}
		})
	}
	wg.Wait()
}

// TestPagesMeetTheHead trims between two pages: the next one says what went.
func TestPagesMeetTheHead(t *testing.T) {
	for _, reverse := range []bool{false, true} {
		l, _ := testLog(keepAll())
		fill(t, l, 100)
		p := &pager{t: t, log: l, q: Query{Limit: 10, Bytes: 1 << 20, Reverse: reverse}}
		p.page()
		if reverse {
			l.TrimTo(95)
		} else {
			l.TrimTo(51)
		}
		if more := p.page(); more == reverse || p.gaps != 1 {
			t.Errorf("reverse %t: more %t and %d gaps", reverse, more, p.gaps)
		}
	}
}

// TestPagesMeetDamage shows that what is lost to damage is told, also where nobody asked for an offset.
func TestPagesMeetDamage(t *testing.T) {
	l, _ := testLog(keepAll())
	fill(t, l, 100)
	p := &pager{t: t, log: l, q: Query{Limit: 10, Bytes: 1 << 20, Reverse: true}}
	p.page()
	l.Damage(90)
	if run := l.Run(&p.q, Archive{}); run.Gap == nil || run.Gap.Reason != wire.GapDamage || run.Gap.FromOffset != 1 || run.Gap.ToOffset != 90 || run.More {
		t.Errorf("before 91 there is %+v with the gap %+v", run, run.Gap)
	}
	newest := l.Run(&Query{Limit: 10, Bytes: 1 << 20, Reverse: true}, Archive{})
	if len(newest.Entries) != 10 || !newest.More {
		t.Errorf("a page that ends at damage says more is %t, and the next one could not tell", newest.More)
	}
}
