package session

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/filter"
	"github.com/magpie-bridge/magpie/internal/hub/keep"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// stage is what a story is played on.
type stage struct {
	rig     *rig
	random  *rand.Rand
	world   map[wire.ChannelName]*past
	clients [storyClients]*actor
	step    int
	ids     int
	plant   func(a *actor, events []event) []event // falsifies what is heard at rest, to prove the oracle; nil: nothing does
}

// actor is a client with what it knows.
type actor struct {
	*client
	*reader
	user  string
	token string
	final bool // there has been time for all that may come later
}

func newStage(t *testing.T, seed uint64) *stage {
	keeps := func(name wire.ChannelName) channel.Retention {
		r := channel.DefaultRetention()
		if strings.HasPrefix(string(name), smallPrefix) {
			r.Messages = smallKept
		}
		return r
	}
	compile := func(text string) (channel.Filter, error) {
		p, err := filter.Parse(text)
		if err != nil {
			return nil, err
		}
		return p, nil
	}
	st := &stage{
		rig:    newRig(t, rigOptions{settings: Settings{MaxOutbox: 4000, Filter: compile}, keeps: keeps, keep: &keep.Options{}}),
		random: rand.New(rand.NewPCG(seed, 6)),
		world:  make(map[wire.ChannelName]*past),
	}
	for _, name := range storyChannels {
		st.world[name] = &past{name: name, kept: int(keeps(name).Messages)}
	}
	return st
}

// rest lets everything that is under way come to an end.
func (st *stage) rest() {
	for synctest.Wait(); st.rig.loop.turn(st.rig.shard, time.Second); synctest.Wait() {
		continue
	}
	for _, c := range st.world {
		if c.published > 0 && c.settled == 0 {
			c.settled = st.step
		}
	}
}

// play plays a story, and returns what was wrong.
func (st *stage) play(story []step) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("step %d: %v\n%s", st.step, r, debug.Stack())
		}
	}()
	for i := range st.clients {
		a := &actor{reader: newReader(st.world), user: fmt.Sprint("user", i)}
		st.clients[i] = a
		if err := st.connect(a, ""); err != nil {
			return err
		}
	}
	for i, s := range story {
		st.step = i + 1
		if err := st.do(s); err != nil {
			return fmt.Errorf("step %d, client %d: %w", i, s.client, err)
		}
		for range s.turns {
			synctest.Wait()
			st.rig.loop.turn(st.rig.shard, 0)
		}
	}
	for range 2 {
		if err := st.check(); err != nil {
			return fmt.Errorf("in the end: %w", err)
		}
		time.Sleep(time.Minute) // those who are left where they stand for some time are told then
		for _, a := range st.clients {
			a.final = true
		}
	}
	for _, a := range st.clients {
		a.hang()
	}
	st.rest()
	return nil
}

func (st *stage) do(s step) error {
	a := st.clients[s.client]
	switch s.verb {
	case doPublish:
		st.publish(s)
	case doSubscribe:
		st.ask(a, &wire.Subscribe{Channel: s.name, Filter: s.filter, From: st.start(s)})
	case doUnsubscribe:
		st.ask(a, &wire.Unsubscribe{Channel: s.name})
	case doHistory:
		st.ask(a, &wire.History{Channel: s.name, From: st.start(s), Limit: int64(1 + s.n%20), Reverse: s.odd})
	case doStop:
		a.stop()
	case doTake:
		a.take(s.n)
	case doTakeIn:
		a.take(endless)
	case doListen:
		return st.listen(a, false)
	case doRest:
		return st.check()
	case doResume, doReturn:
		return st.comeBack(a, s)
	}
	return nil
}

// publish appends some messages.
func (st *stage) publish(s step) {
	c := st.world[s.name]
	var records []channel.Record
	for range 1 + s.n%(2+s.n%smallKept) {
		f := fact{color: storyColors[st.random.IntN(len(storyColors))], n: st.random.IntN(10)}
		c.facts = append(c.facts, f)
		records = append(records, channel.Record{Publication: wire.Publication{Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte(f.payload())}}})
	}
	st.mention(s.name)
	if c.published == 0 {
		c.published = st.step
	}
	st.rig.engine.Append(s.name, records, func(epoch wire.Epoch, _ []channel.Placed, err error) {
		if c.epoch = epoch; err != nil {
			st.rig.t.Error(err)
		}
	})
}

// mention notes that a channel may exist from now on.
func (st *stage) mention(name wire.ChannelName) {
	if c := st.world[name]; c != nil && c.mentioned == 0 {
		c.mentioned = st.step
	}
}

// start is the place that a step means.
func (st *stage) start(s step) wire.Start {
	from := wire.Start{Kind: s.from}
	c := st.world[s.name]
	tail := wire.Offset(10)
	if c != nil {
		tail = c.tail()
	}
	switch s.from {
	case wire.StartPosition:
		if from.Offset, from.Epoch = wire.Offset(s.n)%(tail+1), "elsewhere"; c != nil && c.epoch != "" && !s.odd {
			from.Epoch = c.epoch
		}
	case wire.StartOffset:
		from.Offset = wire.Offset(s.n) % (tail + 1)
		if s.verb == doSubscribe && s.odd && s.n%3 == 0 {
			from.Offset += tail + 1
		}
	case wire.StartLast:
		from.Last = uint64(1 + s.n%12)
	case wire.StartNow, wire.StartTime:
	}
	return from
}

// tails are those of all channels now.
func (st *stage) tails() map[wire.ChannelName]wire.Offset {
	tails := make(map[wire.ChannelName]wire.Offset)
	for name, c := range st.world {
		tails[name] = c.tail()
	}
	return tails
}

// ask sends a request.
func (st *stage) ask(a *actor, b wire.Body) {
	st.ids++
	id := fmt.Sprint("r", st.ids)
	synctest.Wait() // filters have looked at all that was published: how many are the newest is exact then
	a.open[id] = request{st.step, b, st.tails()}
	switch b := b.(type) {
	case *wire.Subscribe:
		st.mention(b.Channel)
	case *wire.History:
		st.mention(b.Channel)
	}
	a.tell(string(wire.JSON.Append(nil, &wire.Frame{RequestID: id, Body: b})))
}

// listen has a client hear what has come to it.
func (st *stage) listen(a *actor, atRest bool) error {
	events := a.client.hear()
	last := 0 // the first after every answer: from there on it is certain what the client can count on
	for i, e := range events {
		if b := e.body(); b != nil && (b.Type() == wire.TypeSubscribed || b.Type() == wire.TypeUnsubscribed) {
			last = i + 1
		}
	}
	if err := st.take(a, events[:last]); err != nil {
		return err
	}
	events = events[last:]
	if atRest && st.plant != nil {
		events = st.plant(a, events)
	}
	return st.take(a, events)
}

// take has a client hear events.
func (st *stage) take(a *actor, events []event) error {
	for _, e := range events {
		if err := a.reader.hear(st.step, e); err != nil {
			return fmt.Errorf("%s: %w", a.user, err)
		}
	}
	return nil
}

// check lets everybody read everything, and checks that nothing is owed then.
func (st *stage) check() error {
	for _, a := range st.clients {
		a.take(endless)
	}
	st.rest()
	for _, a := range st.clients {
		if err := st.listen(a, true); err != nil {
			return err
		}
		if err := a.complete(a.final); err != nil {
			return fmt.Errorf("%s: %w", a.user, err)
		}
	}
	return nil
}

// connect begins a line, and takes what is heard until it is connected.
func (st *stage) connect(a *actor, resume string) error {
	a.client = st.rig.open(principal(a.user))
	a.tell(`{"type":"connect","requestId":"c"` + resume + `}`)
	st.rest()
	events := a.client.hear()
	if len(events) == 0 || events[0].body().Type() != wire.TypeConnected {
		return fmt.Errorf("%s: connect is answered with %v", a.user, events)
	}
	b := events[0].body().(*wire.Connected)
	if b.Resumed != (resume != "") {
		return fmt.Errorf("%s: resumed is %t", a.user, b.Resumed)
	}
	a.token = b.ResumeToken
	return st.take(a, events[1:])
}

// comeBack breaks a client's line, and has it go on on another.
func (st *stage) comeBack(a *actor, s step) error {
	if s.n%2 == 0 {
		if err := st.listen(a, false); err != nil {
			return err
		}
	}
	if !s.odd || s.verb == doReturn {
		a.hang()
	}
	was := a.reader
	a.reader = newReader(st.world)
	if s.verb == doReturn {
		if err := st.connect(a, ""); err != nil {
			return err
		}
		st.again(a, was)
		return nil
	}
	v := &revival{places: was.places, patterns: was.patterns, given: make(map[wire.ChannelName]wire.Position), tails: st.tails(), exact: len(was.open) == 0, step: st.step}
	a.revived = v
	var positions []string
	for _, name := range slices.Sorted(maps.Keys(was.places)) {
		if p := was.places[name]; p.filter == "" {
			v.given[name] = wire.Position{Epoch: p.epoch, Offset: p.stands()}
			positions = append(positions, fmt.Sprintf(`%q:{"epoch":%q,"offset":%d}`, name, p.epoch, p.stands()))
		}
	}
	if err := st.connect(a, withToken(a.token, positions...)); err != nil {
		return err
	}
	return v.complete(a.reader)
}

// stands is the client's position, with which it comes back.
func (p *place) stands() wire.Offset {
	if p.owed != nil && p.owed.Reason == wire.GapRetention {
		return p.owed.FromOffset - 1 // what has been lost is not told yet
	}
	return p.at
}

// again subscribes what a client has had, from its own positions.
func (st *stage) again(a *actor, was *reader) {
	for _, name := range slices.Sorted(maps.Keys(was.places)) {
		if p := was.places[name]; p.own {
			st.ask(a, &wire.Subscribe{Channel: name, Filter: p.asked, From: wire.Start{Kind: wire.StartPosition, Epoch: p.epoch, Offset: p.stands()}})
		}
	}
	for _, text := range slices.Sorted(maps.Keys(was.patterns)) {
		b := &wire.Subscribe{Channel: text, Filter: was.patterns[text].filter, From: wire.Start{Kind: wire.StartOffset}}
		for _, name := range slices.Sorted(maps.Keys(was.places)) {
			if p := was.places[name]; slices.Contains(p.by, text) {
				b.Positions = append(b.Positions, wire.ChannelPosition{Channel: name, Position: wire.Position{Epoch: p.epoch, Offset: p.stands()}})
			}
		}
		st.ask(a, b)
	}
}
