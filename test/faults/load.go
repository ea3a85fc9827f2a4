package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// load is publishers and subscribers of several channels at one gateway.
type load struct {
	check       *checker
	publishers  []*publisher
	subscribers []*subscriber

	cancel    context.CancelFunc
	publish   sync.WaitGroup
	subscribe sync.WaitGroup
	mu        sync.Mutex // guards failures
	failures  []error
}

// channels is how many a usual load has.
const channels = 3

// size is how large a load is.
type size struct{ channels, publishers, subscribers int } // publishers of each channel

// start begins a usual load that goes through url.
func (b *bench) start(url string) *load { return b.startOf(url, size{channels, 2, 4}) }

func (b *bench) startOf(url string, of size) *load {
	ctx, cancel := context.WithCancel(b.ctx)
	l := &load{check: newChecker(), cancel: cancel}
	var names []string
	for i := range of.channels {
		names = append(names, fmt.Sprintf("fault.%d", i))
		for n := range of.publishers {
			p := &publisher{name: fmt.Sprintf("p%d%d", i, n), channel: names[i], url: url, check: l.check}
			l.publishers = append(l.publishers, p)
		}
	}
	for i := range of.subscribers {
		l.subscribers = append(l.subscribers, newSubscriber(fmt.Sprintf("s%d", i), url, l.check, names))
	}
	for _, p := range l.publishers {
		l.publish.Go(func() {
			if err := p.run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				l.mu.Lock()
				l.failures = append(l.failures, err)
				l.mu.Unlock()
			}
		})
	}
	for _, s := range l.subscribers {
		l.subscribe.Go(func() { s.run(ctx) })
	}
	return l
}

// acknowledged is how many messages were.
func (l *load) acknowledged() int {
	l.check.mu.Lock()
	defer l.check.mu.Unlock()
	return l.check.tally.Acknowledged
}

// progress waits until so many more messages were acknowledged.
func (l *load) progress(more int) error { return l.progressWithin(more, patience) }

func (l *load) progressWithin(more int, patience time.Duration) error {
	begun, want := time.Now(), l.acknowledged()+more
	for l.acknowledged() < want {
		if time.Since(begun) > patience {
			return fmt.Errorf("of %d messages only %d were acknowledged in %s", more, more-(want-l.acknowledged()), patience)
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// breaks notes that the gateway is broken now.
func (l *load) breaks() {
	for _, s := range l.subscribers {
		s.breaks()
	}
}

// finish stops the publishers, waits until everything was acknowledged and seen, and gives the verdict.
func (l *load) finish() (report, error) {
	defer func() {
		l.cancel()
		l.subscribe.Wait()
	}()
	for _, p := range l.publishers {
		p.stopping.Store(true)
	}
	late := time.AfterFunc(patience, l.cancel)
	l.publish.Wait()
	late.Stop()
	if err := errors.Join(l.failures...); err != nil {
		return report{}, err
	}
	var views []*view
	for _, s := range l.subscribers {
		for _, v := range s.views {
			views = append(views, v)
		}
	}
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(5 * time.Millisecond) {
		if !slices.ContainsFunc(views, func(v *view) bool { return l.check.behind(v) > 0 }) {
			break
		}
	}
	l.cancel()
	l.subscribe.Wait()
	l.check.finish(views)
	r := l.check.report()
	var waits []time.Duration
	for _, s := range l.subscribers {
		waits = append(waits, s.waits...)
	}
	if len(waits) > 0 {
		r.Figures["back p50"], r.Figures["p99"] = quantile(waits, 0.5), quantile(waits, 0.99)
	}
	return r, nil
}

func quantile(d []time.Duration, q float64) string {
	d = slices.Sorted(slices.Values(d))
	return d[min(int(float64(len(d))*q), len(d)-1)].Round(time.Millisecond).String()
}

// inWords writes figures in one line.
func inWords(figures map[string]string) string {
	var parts []string
	for name, value := range figures {
		parts = append(parts, name+" "+value)
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
