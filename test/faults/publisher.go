package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// window is how many publishes a publisher has under way.
const window = 16

// publisher publishes numbered messages to a channel until it is told to stop, over line after line. What was not
// acknowledged it sends again, with the same id, in the same order.
type publisher struct {
	name, channel string
	url           string
	check         *checker
	stopping      atomic.Bool

	refused atomic.Int64 // publishes that were refused for now

	mu   sync.Mutex // guards the fields below
	open []string   // ids without an answer, in order
	next int
}

// pause is what clients wait before they come back: short, to meet as much trouble as can be.
const pause = 5 * time.Millisecond

// run publishes until it is stopped and everything is acknowledged, or ctx ends.
func (p *publisher) run(ctx context.Context) error {
	for !p.done() {
		if l, err := dial(ctx, p.url); err == nil {
			err = p.serve(ctx, l)
			l.cut()
			if final, ok := errors.AsType[refusal](err); ok {
				return final
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %d messages were never acknowledged", p.name, len(p.open))
		case <-time.After(pause):
		}
	}
	return nil
}

// refusal is an answer that nothing can be done about.
type refusal string

func (r refusal) Error() string { return string(r) }

func (p *publisher) done() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopping.Load() && len(p.open) == 0
}

// serve publishes over one line until it breaks.
func (p *publisher) serve(ctx context.Context, l *line) error {
	p.mu.Lock()
	again := append([]string(nil), p.open...)
	p.mu.Unlock()
	for _, id := range again {
		if err := p.send(ctx, l, id); err != nil {
			return err
		}
	}
	for !p.done() {
		for p.more() {
			p.mu.Lock()
			id := fmt.Sprintf("%s.%d.%d", p.name, p.next, time.Now().UnixNano())
			p.next++
			p.open = append(p.open, id)
			p.mu.Unlock()
			if err := p.send(ctx, l, id); err != nil {
				return err
			}
		}
		f, err := l.read(ctx)
		if err != nil {
			return err
		}
		if err := p.answer(ctx, l, &f); err != nil {
			return err
		}
	}
	return nil
}

// sinceSent reads out of a message's id how long ago it was published first.
func sinceSent(id string) time.Duration {
	at, _ := strconv.ParseInt(id[strings.LastIndexByte(id, '.')+1:], 10, 64)
	return time.Since(time.Unix(0, at))
}

func (p *publisher) more() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.stopping.Load() && len(p.open) < window
}

// filler makes messages of different sizes, so that frames are cut at different places.
var filler = strings.Repeat("x", 2000)

func (p *publisher) send(ctx context.Context, l *line, id string) error {
	size := len(id) * 7919 % 300
	if strings.HasSuffix(id, "7") {
		size = len(filler)
	}
	return l.write(ctx, `{"type":"publish","requestId":%q,"channel":%q,"messageId":%q,"data":%q}`, id, p.channel, id, filler[:size])
}

func (p *publisher) answer(ctx context.Context, l *line, f *frame) error {
	switch {
	case f.Type == "published":
		p.check.acknowledged(p.name, p.channel, f.Position, f.RequestID)
		p.mu.Lock()
		defer p.mu.Unlock()
		for i, id := range p.open {
			if id == f.RequestID {
				p.open = append(p.open[:i], p.open[i+1:]...)
				break
			}
		}
	case f.Type == "error" && f.Error.Retryable:
		p.refused.Add(1)
		time.Sleep(pause)
		return p.send(ctx, l, f.RequestID)
	case f.Type == "error":
		return refusal(fmt.Sprintf("%s: publish of %s was refused: %s: %s", p.name, f.RequestID, f.Error.Code, f.Error.Message))
	}
	return nil
}
