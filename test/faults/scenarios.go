package main

import (
	"fmt"
	"syscall"
	"time"
)

// pick returns the short value, or the long one in the long form.
func pick[T any](b *bench, short, long T) T {
	if b.long {
		return long
	}
	return short
}

// kills kills the gateway at random moments.
func kills(b *bench, durability string) (report, error) {
	g, err := b.newGateway("kill-"+durability, "durability: "+durability+"\n")
	if err != nil {
		return report{}, err
	}
	if err := g.start(); err != nil {
		return report{}, err
	}
	defer g.kill()
	l := b.start(g.url())
	rounds := pick(b, 15, 100)
	for round := range rounds {
		if err := l.progress(20 + b.random.IntN(300)); err != nil {
			return report{}, err
		}
		time.Sleep(time.Duration(b.random.IntN(int(30 * time.Millisecond))))
		l.breaks()
		g.kill()
		if err := g.start(); err != nil {
			return report{}, fmt.Errorf("round %d: %w", round, err)
		}
	}
	r, err := l.finish()
	r.Figures = withRounds(r.Figures, rounds)
	return r, err
}

func withRounds(figures map[string]string, rounds int) map[string]string {
	if figures != nil {
		figures["rounds"] = fmt.Sprint(rounds)
	}
	return figures
}

// hang stops the process for some seconds; its lines stay, and it knows nothing of the time that has passed.
func hang(b *bench) (report, error) {
	g, err := b.newGateway("hang", "")
	if err != nil {
		return report{}, err
	}
	if err := g.start(); err != nil {
		return report{}, err
	}
	defer g.kill()
	l := b.start(g.url())
	for _, d := range pick(b, []time.Duration{5 * time.Second}, []time.Duration{5 * time.Second, 30 * time.Second}) {
		if err := l.progress(500); err != nil {
			return report{}, err
		}
		g.signal(syscall.SIGSTOP)
		time.Sleep(d)
		g.signal(syscall.SIGCONT)
	}
	if err := l.progress(500); err != nil {
		return report{}, err
	}
	return l.finish()
}

// cut resets lines after a random number of bytes.
func cut(b *bench) (report, error) {
	g, err := b.newGateway("cut", "durability: written\n")
	if err != nil {
		return report{}, err
	}
	if err := g.start(); err != nil {
		return report{}, err
	}
	defer g.kill()
	p, err := newProxy(g.address, b.random.Uint64())
	if err != nil {
		return report{}, err
	}
	defer p.close()
	l := b.start("ws://" + p.address() + "/ws")
	want := int64(pick(b, 300, 5000))
	for begun := time.Now(); p.cuts.Load() < want; time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > 5*patience {
			return report{}, fmt.Errorf("only %d lines were cut", p.cuts.Load())
		}
	}
	p.calm.Store(true)
	r, err := l.finish()
	if err == nil {
		r.Figures["lines cut"] = fmt.Sprint(p.cuts.Load())
	}
	return r, err
}

// drainBound is the longest that an orderly end may take: the configured drain, and some for the process.
const drainBound = 8 * time.Second

// drain ends the gateway in order, and starts it again.
func drain(b *bench) (report, error) {
	g, err := b.newGateway("drain", "")
	if err != nil {
		return report{}, err
	}
	if err := g.start(); err != nil {
		return report{}, err
	}
	defer g.kill()
	l := b.start(g.url())
	rounds := pick(b, 4, 20)
	var ends []time.Duration
	for range rounds {
		if err := l.progress(300); err != nil {
			return report{}, err
		}
		l.breaks()
		begun := time.Now()
		g.signal(syscall.SIGTERM)
		if err := g.gone(); err != nil {
			return report{}, fmt.Errorf("told to end, the gateway ended with %w\n%s", err, g.log.String())
		}
		if took := time.Since(begun); took > drainBound {
			return report{}, fmt.Errorf("the end took %s", took)
		}
		ends = append(ends, time.Since(begun))
		if err := g.start(); err != nil {
			return report{}, err
		}
	}
	r, err := l.finish()
	if err != nil {
		return r, err
	}
	r.Figures = withRounds(r.Figures, rounds)
	r.Figures["end p99"] = quantile(ends, 0.99)
	return r, secondSignal(b, g)
}

// secondSignal tells a gateway twice to end, whose client does not leave.
func secondSignal(b *bench, g *gateway) error {
	l, err := dial(b.ctx, g.url())
	if err != nil {
		return err
	}
	defer l.cut() // it reads nothing, and so does not answer the goodbye
	time.Sleep(50 * time.Millisecond)
	g.signal(syscall.SIGTERM)
	time.Sleep(200 * time.Millisecond)
	begun := time.Now()
	g.signal(syscall.SIGTERM)
	_ = g.gone() // with whatever status
	if took := time.Since(begun); took > time.Second {
		return fmt.Errorf("after the second signal the end took %s", took)
	}
	return nil
}
