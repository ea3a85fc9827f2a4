package bench

import (
	"fmt"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench/target"
)

const (
	// batchEvery is how often what is due is published.
	batchEvery = 2 * time.Millisecond
	// batchRecords bounds a batch: servers commonly take frames of 64 KiB.
	batchRecords = 128
)

// filters publishes log records to one channel at a rate, in batches. Each line views what one of some filters lets through.
func filters(s *stage) error {
	v, err := newViews(s)
	if err != nil {
		return err
	}
	if err := s.openAll(v); err != nil {
		return err
	}
	v.from = s.swarm.Now()
	if err := s.measure(v.step); err != nil {
		return err
	}
	v.figures()
	return v.settle()
}

// views is the play of filters.
type views struct {
	*stage
	publisher int // the line that publishes; it views nothing
	pool      *pool
	filters   int // 0: every line gets everything
	viewers   []viewer
	matches   [][]uint64 // by filter: the sequence numbers of what was published for it
	published uint64
	batches   []batch // by sequence number of the line, less one
	stored    uint64  // messages that were acknowledged
	before    uint64  // of them, before the measured time began
	measuring bool
	base      uint64 // the offset before that of the first message
	based     bool
	from      time.Duration // when publishing began
	ticks     uint64        // batches that were due since
	records   []target.Record
}

// batch is what was published together.
type batch struct {
	first  uint64
	count  int
	stored bool
}

// newViews prepares the lines of a stage, and one more to publish on.
func newViews(s *stage) (*views, error) {
	v := &views{stage: s, publisher: s.lines, viewers: make([]viewer, s.lines), filters: min(max(s.opts.Filters, 0), s.lines)}
	texts := filterTexts(v.filters)
	var err error
	if v.pool, err = newPool(texts); err != nil {
		return nil, err
	}
	v.matches = make([][]uint64, max(v.filters, 1))
	for line := range v.viewers {
		if v.filters > 0 {
			v.viewers[line].filter = line % v.filters
			s.members[line].filter = texts[line%v.filters]
		}
	}
	s.members = append(s.members, member{steps: []target.Kind{target.Connect}})
	s.result.Filters, s.result.PayloadBytes = v.filters, v.pool.bytes
	return v, nil
}

// joined implements play: nothing has been published yet, so that all begin at the same place.
func (v *views) joined(line int, at target.Place) {
	if line != v.publisher {
		v.viewers[line].at = at.Offset
		v.begins(at.Offset)
	}
}

// begins notes the offset before that of the first message; nobody else publishes, so that it is always the same.
func (v *views) begins(at uint64) {
	if v.based && v.base != at {
		v.faults.Misplaced++
		return
	}
	v.base, v.based = at, true
}

// left implements play: the line itself is the fault.
func (*views) left(int) {}

// received implements play.
func (v *views) received(line int, e target.Event) {
	switch {
	case line == v.publisher:
		v.acknowledged(e)
	case e.Kind == target.Moved:
		v.viewers[line].moved(v, e.Offset)
	default:
		m, ok := readStamp(e.Payload, v.run)
		if !ok || m.sequence == 0 || m.sequence > v.published {
			v.faults.Unreadable++
			return
		}
		if v.viewers[line].take(v, m.sequence, e) {
			v.count++
			v.latency.Record(v.swarm.Heard() - time.Duration(m.at))
		}
	}
}

// missed implements positioned.
func (v *views) missed(line int, gap target.Gap) {
	if line != v.publisher {
		v.viewers[line].missed(v, gap)
	}
}

// acknowledged notes that a batch is stored, and checks where.
func (v *views) acknowledged(e target.Event) {
	if e.Sequence == 0 || e.Sequence > uint64(len(v.batches)) {
		v.faults.Unreadable++
		return
	}
	b := &v.batches[e.Sequence-1]
	if b.stored {
		v.faults.Duplicated++
		return
	}
	b.stored = true
	v.stored += uint64(b.count)
	v.begins(e.Offset - b.first)
}

// step publishes what is due, and says how long there is nothing to publish.
func (v *views) step() (time.Duration, error) {
	if !v.members[v.publisher].joined {
		return 0, fmt.Errorf("the line that publishes broke: %w", v.cause)
	}
	if !v.measuring && v.began != 0 {
		v.measuring, v.before = true, v.stored
	}
	now := v.swarm.Now()
	for {
		due := v.from + time.Duration(v.ticks+1)*batchEvery
		if due > now {
			return due - now, nil
		}
		v.ticks++
		until := uint64(v.opts.Rate * (time.Duration(v.ticks) * batchEvery).Seconds())
		for v.published < until {
			v.publish(min(int(until-v.published), batchRecords), due)
		}
	}
}

// publish sends a batch that was due then.
func (v *views) publish(n int, at time.Duration) {
	v.batches = append(v.batches, batch{first: v.published + 1, count: n})
	v.records = v.records[:0]
	for range n {
		v.published++
		m := stamp{run: v.run, sequence: v.published, at: uint64(at)}
		v.records = append(v.records, v.pool.stamped(m))
		passes := v.pool.passes[v.pool.index(v.published)]
		for f := range v.matches {
			if v.filters == 0 || passes&(1<<f) != 0 {
				v.matches[f] = append(v.matches[f], v.published)
			}
		}
	}
	v.say(target.Command{Kind: target.Batch, Line: v.publisher, Sequence: uint64(len(v.batches)), Records: v.records})
}

// figures adds what was published in the measured time, which has just ended.
func (v *views) figures() {
	r := &v.result
	r.Published = v.stored - v.before
	if r.Server != nil && r.Published > 0 {
		r.Server.CPUMicrosPerMessage = r.Server.CPUSeconds * 1e6 / float64(r.Published)
	}
}

// settle waits for what is under way, and counts what never came.
func (v *views) settle() error {
	if err := v.rest(v.complete); err != nil {
		return err
	}
	v.faults.Lost += v.published - v.stored
	var told uint64
	for line := range v.viewers {
		if w := &v.viewers[line]; v.members[line].joined {
			w.reader.finish(uint64(len(v.matches[w.filter])), &v.faults)
			told += w.told
		}
	}
	v.result.Told = told
	return nil
}

// complete reports whether everything is stored, and every line has what is for it.
func (v *views) complete() bool {
	if v.stored < v.published {
		return false
	}
	for line := range v.viewers {
		if w := &v.viewers[line]; v.members[line].joined && w.reader.last < uint64(len(v.matches[w.filter])) {
			return false
		}
	}
	return true
}
