package magpieclient

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// SubscribeOptions say how to subscribe.
type SubscribeOptions struct {
	// From is where to begin: with what is published from now on, when it is left out. Of a filtered subscription Last counts
	// the messages that the filter lets through.
	From Start
	// Filter lets only some of the messages through, such as "level>=warn service=order-*"; the guide to filters has the
	// language. Empty: all of them.
	Filter string
	// ExcludeSelf leaves out what this client has published on its line.
	ExcludeSelf bool
	// Conflate leaves out all but the newest message of each key, where the channel's namespace keeps an index of them
	// (slow_consumer: latest).
	Conflate bool
	// Info is what the client says of itself to the other members of the channel, where that has presence: a JSON value of
	// at most 1 KiB.
	Info json.RawMessage
	// Positions are where channels of a pattern begin that do not begin at From: those that Subscription.Positions gave. With
	// them From is best After(0), so that what has appeared since comes from its first message on.
	Positions map[string]Position
}

// choice is what a subscription leaves out besides what its filter does.
type choice struct{ excludeSelf, conflate bool }

// phase is where a subscription is in its life.
type phase uint8

const (
	phaseOpening phase = iota // subscribed has not come yet, on this line
	phaseLive                 // messages come
	phaseParked               // closed at the gateway until the queue has room
	phaseEnded                // for good
)

// Subscription is a cursor over a channel, or cursors over those that a pattern stands for. Next, TryNext and Events are for
// one goroutine at a time, the other methods for any.
type Subscription struct {
	client  *Client
	filter  string          // set once
	choice  choice          // set once
	info    json.RawMessage // told to the members of the channel; set once
	members *membership     // of a pattern; nil otherwise. Set once
	queue   chan item
	done    chan struct{} // closed with phaseEnded
	opened  chan struct{} // closed when the first subscribed has come, or with phaseEnded
	parked  atomic.Bool   // whether phase is phaseParked, for the consumer's cheap look

	// Guarded by Client.mu.
	phase     phase
	requestID string // of the subscribe that is unanswered, in phaseOpening
	carried   bool   // its position was in the connect frame
	cursor    cursor
	wasOpened bool
	waits     backoff
	timer     *time.Timer // opens again after the gateway refused for now
	err       error       // why it ended
	parkings  uint64

	mu       sync.Mutex // guards the field below
	consumed Position
}

// Subscribe opens a cursor over a channel and waits until the gateway has accepted it. From then on it lives until it
// is closed, also over broken lines; ctx bounds only the opening. A client has one subscription to a channel at a time.
//
// The channel may be a pattern, such as "order.*" or "logs.>": * stands for one word, a last > for one or more. The
// subscription then has the messages of all channels that it stands for and that the client may subscribe, those that appear
// later from their first message on; each message and each gap names its channel.
func (c *Client) Subscribe(ctx context.Context, channel string, opts SubscribeOptions) (*Subscription, error) {
	name := wire.ChannelName(channel)
	if len(opts.Info) > 0 && !json.Valid(opts.Info) || len(opts.Info) > wire.MaxInfoBytes {
		return nil, errorf(wire.CodeInvalidArgument, "what is said of oneself is no JSON value of at most %d bytes", wire.MaxInfoBytes)
	}
	s := c.newSubscription(name, opts.From)
	s.filter, s.info = opts.Filter, opts.Info
	s.choice = choice{excludeSelf: opts.ExcludeSelf, conflate: opts.Conflate}
	if name.IsPattern() {
		if opts.From.start.Kind == wire.StartPosition {
			return nil, errorf(wire.CodeInvalidArgument, "a pattern has no position of its own: give those of its channels in Positions")
		}
		s.members = newMembership(opts.Positions)
	} else if err := name.Check(); err != nil {
		return nil, errorOf(wire.AsError(err))
	}
	if err := c.register(s); err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", channel, err)
	}
	var err error
	select {
	case <-s.opened:
		err = s.Err()
	case <-ctx.Done():
		err = context.Cause(ctx)
		if failure := c.Err(); failure != nil {
			err = &waitError{cause: err, line: failure}
		}
		s.close(err)
	}
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", channel, err)
	}
	return s, nil
}

func (c *Client) newSubscription(channel wire.ChannelName, from Start) *Subscription {
	return &Subscription{
		client: c,
		queue:  make(chan item, c.opts.Buffer),
		done:   make(chan struct{}),
		opened: make(chan struct{}),
		cursor: newCursor(channel, from.start),
		waits:  newBackoff(),
	}
}

func (c *Client) register(s *Subscription) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return c.failure
	}
	if c.subscriptions[s.cursor.channel] != nil {
		return errorf(wire.CodeAlreadyExists, "this client has a subscription to the channel: close that one first")
	}
	c.subscriptions[s.cursor.channel] = s
	c.open(s)
	c.wantLine()
	return nil
}

// handOut gives the owner a subscription that was opened from the gateway's side; c.mu is held.
func (c *Client) handOut(body *wire.Subscribed) {
	if c.ctx.Err() != nil {
		return // nobody would end it
	}
	s := c.newSubscription(body.Channel, Now())
	c.subscriptions[body.Channel] = s
	s.live(body)
	c.handlers.Go(func() { c.opts.OnSubscription(s) })
}

// open asks the gateway for the subscription, now or on the next line; c.mu is held.
func (c *Client) open(s *Subscription) {
	s.phase = phaseOpening
	if s.timer != nil {
		s.timer.Stop()
	}
	if c.line == nil {
		return
	}
	_, s.requestID = c.newID()
	body := &wire.Subscribe{
		Channel: s.cursor.channel, From: s.cursor.start(), Filter: s.filter, Info: s.info,
		ExcludeSelf: s.choice.excludeSelf, Conflate: s.choice.conflate,
	}
	if s.members != nil {
		c.part(s)
		c.expand(s, body)
	}
	c.line.push(wire.Frame{RequestID: s.requestID, Body: body})
}

// reopenAll asks for every subscription over a new line, but for those whose consumers have no room, and those that a
// resumed session carries; c.mu is held.
func (c *Client) reopenAll(resumed bool) {
	for _, s := range c.subscriptions {
		s.carried = s.carried && resumed && s.phase != phaseParked
		switch {
		case s.carried:
			s.carry()
		case s.members != nil && s.phase != phaseParked:
			c.reopenPattern(s, resumed)
		case s.phase != phaseParked:
			c.open(s)
		}
	}
}

// refusedSubscription handles an error in answer to subscribe; c.mu is held.
func (c *Client) refusedSubscription(s *Subscription, e *wire.Error) {
	if !e.Retryable {
		s.end(errorOf(e))
		return
	}
	wait := s.waits.next()
	if e.RetryAfter > 0 {
		wait = e.RetryAfter
	}
	s.requestID = ""
	s.timer = time.AfterFunc(wait, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if s.phase == phaseOpening && s.requestID == "" {
			c.open(s)
		}
	})
}

// live begins the delivery; Client.mu is held.
func (s *Subscription) live(body *wire.Subscribed) {
	s.phase = phaseLive
	s.waits.reset()
	if s.members == nil {
		s.cursor.subscribed(body)
	}
	if s.wasOpened {
		return
	}
	s.wasOpened = true
	s.mu.Lock()
	s.consumed = positionOf(s.cursor.place())
	s.mu.Unlock()
	close(s.opened)
}

// end lets nothing more into the queue; Client.mu is held.
func (s *Subscription) end(err error) {
	if s.phase == phaseEnded {
		return
	}
	s.phase = phaseEnded
	s.err = err
	delete(s.client.subscriptions, s.cursor.channel)
	s.client.part(s)
	if s.timer != nil {
		s.timer.Stop()
	}
	if !s.wasOpened {
		close(s.opened)
	}
	close(s.done)
}

// Channel is the channel's name.
func (s *Subscription) Channel() string { return string(s.cursor.channel) }

// Next gives the next event, and waits for it until ctx is done. Events that have come are given out even when ctx is
// done or the subscription has ended: after the last of them, Next returns why it ended. That is [ErrClosed] after
// Close, and an [*Error] when the gateway took the subscription away.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		it, err := s.take(ctx)
		if err != nil {
			return nil, err
		}
		if event := s.consume(it); event != nil {
			return event, nil
		}
	}
}

// consume moves the consumer's position to the item that was taken. The event is nil where only the position moves.
func (s *Subscription) consume(it item) Event {
	s.mu.Lock()
	if s.members == nil {
		s.consumed = positionOf(it.after)
	} else {
		s.members.consumed[string(it.of.channel)] = positionOf(it.after)
	}
	s.mu.Unlock()
	s.client.relieve(s)
	return it.event
}

func (s *Subscription) take(ctx context.Context) (item, error) {
	select {
	case it := <-s.queue:
		return it, nil
	default:
	}
	select {
	case it := <-s.queue:
		return it, nil
	case <-s.done:
	case <-ctx.Done():
		return item{}, context.Cause(ctx)
	}
	select {
	case it := <-s.queue:
		return it, nil
	default:
		return item{}, s.Err()
	}
}

// Events gives every event, and at last, with a nil event, why there are no more.
func (s *Subscription) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			event, err := s.Next(ctx)
			if !yield(event, err) || err != nil {
				return
			}
		}
	}
}

// TryNext gives the next event if one has come, and does not wait.
func (s *Subscription) TryNext() (Event, bool) {
	for {
		select {
		case it := <-s.queue:
			if event := s.consume(it); event != nil {
				return event, true
			}
		default:
			return nil, false
		}
	}
}

// Position is where the subscription stands after the last event that Next gave. A program that saves it once the
// event is dealt with, and starts [At] it, misses nothing and repeats at most what it had not saved. Of a pattern it says
// nothing: see [Subscription.Positions].
func (s *Subscription) Position() Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.consumed
}

// Err tells why the subscription ended; it is nil while it lives.
func (s *Subscription) Err() error {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.err
}

// Stats are counts since the subscription was made.
type Stats struct {
	Repeated    uint64 // messages that came again, and were dropped
	Unexplained uint64 // holes that the gateway did not explain
	Parked      uint64 // times the subscription stepped aside because its consumer was slower than the channel
}

// Stats gives the counts.
func (s *Subscription) Stats() Stats {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	stats := Stats{Repeated: s.cursor.repeated, Unexplained: s.cursor.jumps, Parked: s.parkings}
	if s.members != nil {
		for _, k := range s.members.cursors {
			stats.Repeated += k.repeated
			stats.Unexplained += k.jumps
		}
	}
	return stats
}

// Close ends the subscription.
func (s *Subscription) Close() error {
	s.close(ErrClosed)
	return nil
}

func (s *Subscription) close(err error) {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.phase == phaseEnded {
		return
	}
	if c.line != nil && s.phase != phaseParked {
		_, id := c.newID()
		c.line.push(wire.Frame{RequestID: id, Body: &wire.Unsubscribe{Channel: s.cursor.channel}})
	}
	s.end(err)
}
