package bench

import (
	"errors"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench/swarm"
	"github.com/magpie-bridge/magpie/internal/bench/target"
)

// play is told what happens to the lines of a crew.
type play interface {
	// joined says that a line has done all its steps, the last of them at that place.
	joined(line int, at target.Place)
	// received hands over a message, or a call, or that the line was moved along.
	received(line int, e target.Event)
	// left says that a line is gone which nobody dropped.
	left(line int)
}

// positioned is a play that follows the positions of lines also where the server could not deliver.
type positioned interface {
	// missed says that the server told a line of a gap, which is a fault already.
	missed(line int, gap target.Gap)
}

// member is one line of a crew.
type member struct {
	steps   []target.Kind // what it has to do before it has joined
	done    int           // of them
	channel int           // what it subscribes to
	joined  bool
	dialled time.Duration // when
	after   target.Place  // for Subscribe: where it was
	filter  string        // for Subscribe: what it wants
}

// crew are lines that speak a target's protocol: they take their steps, answer pings, and pass messages on.
type crew struct {
	swarm   *swarm.Swarm
	target  target.Target
	binary  bool
	play    play
	members []member
	joined  int // members that have joined
	faults  Faults
	cause   error  // the first thing that went wrong
	message []byte // being put together
	events  []target.Event
}

func newCrew(o swarm.Options, t target.Target) (*crew, error) {
	upgrade := t.Upgrade()
	if o.Path == "/" || o.Path == "" {
		o.Path = upgrade.Path
	}
	o.Header, o.GRPC = upgrade.Header, upgrade.GRPC
	c := &crew{target: t, binary: upgrade.Binary}
	var err error
	c.swarm, err = swarm.New(o, c)
	return c, err
}

// dial opens the line of a member, who begins anew.
func (c *crew) dial(line int) error {
	m := &c.members[line]
	m.done, m.joined, m.dialled = 0, false, c.swarm.Now()
	return c.swarm.Dial(line)
}

// drop ends a line.
func (c *crew) drop(line int) {
	if l := c.swarm.Line(line); l != nil {
		l.Drop()
	}
	c.forget(line)
}

func (c *crew) forget(line int) {
	if m := &c.members[line]; m.joined {
		m.joined = false
		c.joined--
	}
}

// say queues what a command looks like in the target's protocol, and reports whether that is anything.
func (c *crew) say(cmd target.Command) bool {
	c.message = c.target.Append(c.message[:0], cmd)
	l := c.swarm.Line(cmd.Line)
	if len(c.message) == 0 || l == nil {
		return false
	}
	l.Send(c.message, c.binary)
	return true
}

// Upgraded implements [swarm.Handler].
func (c *crew) Upgraded(l *swarm.Line) { c.proceed(l.Index(), target.Place{}) }

// proceed takes the next step, and those after it that need no word. place is what the last acknowledgement said.
func (c *crew) proceed(line int, place target.Place) {
	m := &c.members[line]
	for m.done < len(m.steps) {
		step := m.steps[m.done]
		if c.say(target.Command{Kind: step, Line: line, Channel: m.channel, After: m.after, Filter: m.filter}) {
			return
		}
		m.done++
	}
	m.joined = true
	c.joined++
	c.play.joined(line, place)
}

// Message implements [swarm.Handler].
func (c *crew) Message(l *swarm.Line, message []byte) {
	line := l.Index()
	c.events = c.target.Parse(c.events[:0], message)
	for i := range c.events {
		e := &c.events[i]
		switch e.Kind {
		case target.Message, target.Called, target.Moved:
			c.play.received(line, *e)
		case target.Ack:
			if m := &c.members[line]; !m.joined {
				m.done++
				c.proceed(line, e.Place)
			}
		case target.Ping:
			c.say(target.Command{Kind: target.Pong, Line: line})
		case target.Refused:
			c.faults.Refused++
			c.blame(errors.New(e.Reason))
			if p, ok := c.play.(positioned); ok && e.Gap.From != 0 {
				p.missed(line, e.Gap)
			}
		}
	}
}

// Closed implements [swarm.Handler].
func (c *crew) Closed(l *swarm.Line, err error) {
	c.faults.Broken++
	c.blame(err)
	c.forget(l.Index())
	c.play.left(l.Index())
}

func (c *crew) blame(err error) {
	if c.cause == nil {
		c.cause = err
	}
}
