package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// subscriber follows channels over line after line, each time from its own positions.
type subscriber struct {
	url   string
	check *checker
	views map[string]*view

	mu     sync.Mutex      // guards the fields below
	broken time.Time       // when the gateway was broken; zero: it has come back since
	waits  []time.Duration // from then until all channels were subscribed again
}

func newSubscriber(name, url string, check *checker, channels []string) *subscriber {
	s := &subscriber{url: url, check: check, views: map[string]*view{}}
	for _, channel := range channels {
		s.views[channel] = &view{name: name, channel: channel}
	}
	return s
}

// run follows until ctx ends.
func (s *subscriber) run(ctx context.Context) {
	for ctx.Err() == nil {
		if l, err := dial(ctx, s.url); err == nil {
			_ = s.serve(ctx, l) // it says that the line is gone
			l.cut()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (s *subscriber) serve(ctx context.Context, l *line) error {
	for channel, v := range s.views {
		from := `{"offset":0}`
		if v.position.Epoch != "" {
			from = fmt.Sprintf(`{"epoch":%q,"offset":%d}`, v.position.Epoch, v.position.Offset)
		}
		if err := l.write(ctx, `{"type":"subscribe","requestId":%q,"channel":%q,"from":%s}`, channel, channel, from); err != nil {
			return err
		}
	}
	subscribed := 0
	for {
		f, err := l.read(ctx)
		if err != nil {
			return err
		}
		v := s.views[f.Channel]
		switch f.Type {
		case "subscribed":
			s.check.subscribed(v, &f)
			if subscribed++; subscribed == len(s.views) {
				s.back()
			}
		case "message":
			s.check.message(v, &f)
		case "gap":
			s.check.gap(v, &f)
		case "error":
			return fmt.Errorf("subscribe to %s: %s", f.RequestID, f.Error.Message)
		}
	}
}

// breaks notes that the gateway is broken now.
func (s *subscriber) breaks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = time.Now()
}

func (s *subscriber) back() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.broken.IsZero() {
		s.waits = append(s.waits, time.Since(s.broken))
		s.broken = time.Time{}
	}
}
