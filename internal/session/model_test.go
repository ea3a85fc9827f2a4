package session

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// model drives many clients at random, and audits what each of them hears. A write takes time, and the loop's slices
// are so short that most passes over a channel's subscribers are interrupted.
type model struct {
	rig       *rig
	random    *rand.Rand
	names     []wire.ChannelName
	published map[wire.ChannelName][]string
	logs      map[wire.ChannelName]*channel.Log
	clients   []*client
	audits    []*audit
	requests  int
	heard     int
	gaps      int
	plant     func([]event) []event // falsifies what was heard, to prove the audit
}

const (
	modelClients = 150
	writeTakes   = 20 * time.Microsecond
)

func newModel(t *testing.T, seed uint64) *model {
	m := &model{
		rig: newRig(t, rigOptions{
			settings:  Settings{MaxOutbox: 3000},
			retention: channel.Retention{Messages: 40, Bytes: 1 << 20, Age: time.Hour},
		}),
		random:    rand.New(rand.NewPCG(seed, 0)),
		names:     []wire.ChannelName{"t.1", "t.2", "t.3"},
		published: make(map[wire.ChannelName][]string),
		logs:      make(map[wire.ChannelName]*channel.Log),
		clients:   make([]*client, modelClients),
		audits:    make([]*audit, modelClients),
	}
	for _, name := range m.names {
		w := channel.NewWatch(func(*channel.Watch) {})
		log, err := m.rig.engine.Watch(name, w)
		if err != nil {
			t.Fatal(err)
		}
		m.logs[name] = log
	}
	for i := range m.clients {
		m.join(i)
	}
	return m
}

// join puts a new client in place i.
func (m *model) join(i int) {
	m.audits[i] = &audit{
		published: m.published,
		logs:      m.logs,
		starts:    make(map[string]wire.Offset),
		next:      make(map[wire.ChannelName]wire.Offset),
	}
	m.clients[i] = m.rig.openAs(principal("alice"), []lineFormat{jsonLine, protobufLine}[m.random.IntN(2)])
	m.clients[i].line.pause = writeTakes
}

func (m *model) name() wire.ChannelName { return m.names[m.random.IntN(len(m.names))] }

// step does one thing at random.
func (m *model) step() error {
	i := m.random.IntN(len(m.clients))
	c := m.clients[i]
	switch n := m.random.IntN(100); {
	case n < 30:
		m.publish()
	case n < 45:
		m.subscribe(c, m.audits[i])
	case n < 52:
		if name := m.name(); c.s.find(name) >= 0 && len(c.pending) == 0 {
			c.tell(fmt.Sprintf(`{"type":"unsubscribe","requestId":"u","channel":%q}`, name))
		}
	case n < 54:
		c.line.room = m.random.IntN(300)
	case n < 62:
		c.take(m.random.IntN(1000))
	case n < 69:
		c.take(endless)
	case n < 72:
		c.tell(`{"type":"call","requestId":"e","method":"magpie.echo","text":"` + strings.Repeat("x", m.random.IntN(1000)) + `"}`)
	case n < 76:
		if err := m.listen(i); err != nil {
			return err
		}
		c.hang()
		m.heard, m.gaps = m.heard+m.audits[i].heard, m.gaps+m.audits[i].gaps
		m.join(i)
	case n < 94:
		m.turn()
	case n < 95:
		for m.turn() {
			continue
		}
		return m.atRest()
	default:
		return m.listen(i)
	}
	return nil
}

// turn gives the loop a slice that has time for some of a channel's subscribers.
func (m *model) turn() bool {
	return m.rig.loop.turn(m.rig.shard, time.Duration(1+m.random.IntN(1000))*time.Microsecond)
}

// atRest checks that a loop with nothing to do has left out nobody whose line has room.
func (m *model) atRest() error {
	for i, c := range m.clients {
		for _, sub := range c.s.subs {
			if next, tail := sub.topic.cursors[sub.index].next, sub.topic.log.Tail(); next <= tail && !c.line.owing {
				return fmt.Errorf("client %d: %s stands before %d of %d, and nobody moves it along", i, sub.topic.log.Name(), next, tail)
			}
		}
		if len(c.pending) > 0 && !c.line.owing {
			return fmt.Errorf("client %d: %d frames wait, and nobody reads them", i, len(c.pending))
		}
	}
	return nil
}

func (m *model) publish() {
	name := m.name()
	for range 1 + m.random.IntN(4) {
		payload := fmt.Sprint(name, " ", len(m.published[name])+1, strings.Repeat(".", m.random.IntN(60)))
		m.published[name] = append(m.published[name], payload)
		m.rig.publish(name, payload)
	}
}

func (m *model) subscribe(c *client, a *audit) {
	name := m.name()
	head, tail := m.logs[name].Head(), m.logs[name].Tail()
	m.requests++
	id := fmt.Sprint("r", m.requests)
	from, start := "", tail
	switch m.random.IntN(4) {
	case 0:
	case 1:
		n := wire.Offset(m.random.IntN(60))
		from = fmt.Sprintf(`,"from":{"last":%d}`, n)
		start = max(tail-min(n, tail), head-1)
	case 2:
		offset := wire.Offset(m.random.IntN(int(tail) + 1))
		from = fmt.Sprintf(`,"from":{"offset":%d}`, offset)
		start = max(offset, head-1)
	case 3:
		from = fmt.Sprintf(`,"from":{"epoch":%q,"offset":%d}`, m.logs[name].Epoch(), head-1)
		start = head - 1
	}
	if len(c.pending) == 0 && !c.s.Full() {
		a.starts[id] = start // otherwise it is read later, when the log is another
	}
	c.tell(fmt.Sprintf(`{"type":"subscribe","requestId":%q,"channel":%q%s}`, id, name, from))
}

// listen audits what client i has heard.
func (m *model) listen(i int) error {
	events := m.clients[i].hear()
	if m.plant != nil {
		events = m.plant(events)
	}
	for _, e := range events {
		if err := m.audits[i].check(e); err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
	}
	return nil
}

// consistent checks that sessions and topics agree about each other, and that no outbox is beyond its bound.
func (m *model) consistent() error {
	sh := m.rig.shard
	cursors := 0
	for name, topic := range sh.topics {
		if len(topic.cursors) == 0 {
			return fmt.Errorf("%s has no subscriber and is kept", name)
		}
		cursors += len(topic.cursors)
		for index, c := range topic.cursors {
			s := sh.sessions[c.slot]
			if s == nil || int(c.sub) >= len(s.subs) || s.subs[c.sub].topic != topic || s.subs[c.sub].index != uint32(index) {
				return fmt.Errorf("cursor %d of %s does not know its session", index, name)
			}
			if c.next > topic.log.Tail()+1 {
				return fmt.Errorf("cursor %d of %s stands at %d, the tail is %d", index, name, c.next, topic.log.Tail())
			}
		}
	}
	subscriptions := 0
	for _, s := range sh.sessions {
		if s != nil {
			subscriptions += len(s.subs)
			if s.waiting() > sh.settings.MaxOutbox+2000 {
				return fmt.Errorf("%d bytes in an outbox", s.waiting())
			}
		}
	}
	if n := sh.Metrics.Subscriptions.Load(); cursors != subscriptions || n != int64(cursors) {
		return fmt.Errorf("%d cursors, %d subscriptions, %d counted", cursors, subscriptions, n)
	}
	return nil
}

// finish lets every line take everything, and checks that nothing is owed to anybody then.
func (m *model) finish() error {
	for _, c := range m.clients {
		c.take(endless)
	}
	m.rig.settle()
	for i, c := range m.clients {
		if len(c.pending) > 0 || c.line.owing {
			return fmt.Errorf("client %d: %d frames are not read, owing %t", i, len(c.pending), c.line.owing)
		}
		if err := m.listen(i); err != nil {
			return err
		}
		if err := m.audits[i].complete(); err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
		m.heard, m.gaps = m.heard+m.audits[i].heard, m.gaps+m.audits[i].gaps
		c.hang()
	}
	m.rig.settle()
	if n := len(m.rig.shard.topics); n != 0 {
		return fmt.Errorf("%d topics are left when everybody is gone", n)
	}
	return nil
}

// run takes steps until one fails.
func (m *model) run(steps int) error {
	for step := range steps {
		if err := m.step(); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		if step%20 == 0 {
			if err := m.consistent(); err != nil {
				return fmt.Errorf("step %d: %w", step, err)
			}
		}
	}
	return m.finish()
}

// inBubble runs a model to its end in fake time.
func inBubble(t *testing.T, seed uint64, steps int, plant func([]event) []event) (m *model, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m = newModel(t, seed)
		m.plant = plant
		err = m.run(steps)
	})
	return m, err
}

func TestFanOutAgainstTheModel(t *testing.T) {
	for seed := range uint64(4) {
		m, err := inBubble(t, seed, 6000, nil)
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if m.heard < 10_000 || m.gaps < 100 {
			t.Errorf("seed %d: %d messages and %d gaps show little", seed, m.heard, m.gaps)
		}
	}
}

// TestTheModelSeesPlantedBugs falsifies one thing that one client hears: the audit must notice each.
func TestTheModelSeesPlantedBugs(t *testing.T) {
	isMessage := func(e event) bool { return e.body() != nil && e.body().Type() == wire.TypeMessage }
	for name, plant := range map[string]func([]event) []event{
		"drop": func(events []event) []event {
			if i := slices.IndexFunc(events, isMessage); i >= 0 {
				return slices.Delete(events, i, i+1)
			}
			return nil
		},
		"duplicate": func(events []event) []event {
			if i := slices.IndexFunc(events, isMessage); i >= 0 {
				return slices.Insert(events, i, events[i])
			}
			return nil
		},
		"swap": func(events []event) []event {
			for i := 1; i < len(events); i++ {
				if isMessage(events[i-1]) && isMessage(events[i]) && channelOf(events[i-1]) == channelOf(events[i]) {
					events[i-1], events[i] = events[i], events[i-1]
					return events
				}
			}
			return nil
		},
		"lost gap": func(events []event) []event {
			for i, e := range events {
				if g, ok := e.body().(*wire.Gap); ok && i > 0 && (i+1 < len(events) && isMessage(events[i+1])) &&
					events[i-1].body().Type() == wire.TypeMessage && channelOf(events[i+1]) == g.Channel {
					return slices.Delete(events, i, i+1)
				}
			}
			return nil
		},
		"message after unsubscribed": func(events []event) []event {
			for i := 1; i < len(events); i++ {
				if u, ok := events[i].body().(*wire.Unsubscribed); ok && isMessage(events[i-1]) && channelOf(events[i-1]) == u.Channel {
					events[i-1], events[i] = events[i], events[i-1]
					return events
				}
			}
			return nil
		},
		"another message's payload": func(events []event) []event {
			if i := slices.IndexFunc(events, isMessage); i >= 0 {
				events[i].body().(*wire.Message).Payload.Bytes = []byte("forged")
				return events
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			planted := false
			_, err := inBubble(t, 1, 6000, func(events []event) []event {
				if !planted {
					if falsified := plant(slices.Clone(events)); falsified != nil {
						planted = true
						return falsified
					}
				}
				return events
			})
			if !planted || err == nil {
				t.Errorf("planted %t, and the model says %v", planted, err)
			}
		})
	}
}

func channelOf(e event) wire.ChannelName {
	if m, ok := e.body().(*wire.Message); ok {
		return m.Channel
	}
	return ""
}
