package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// diskFull has a store on a small disk of its own, and fills that with something else.
func diskFull(b *bench) (report, error) {
	g, err := b.newGateway("disk-full", "")
	if err != nil {
		return report{}, err
	}
	if err := os.MkdirAll(g.data, 0o755); err != nil {
		return report{}, err
	}
	if err := syscall.Mount("tmpfs", g.data, "tmpfs", 0, "size=128m"); err != nil {
		return report{}, fmt.Errorf("a small disk cannot be mounted (root is needed): %w", err)
	}
	defer func() { _ = syscall.Unmount(g.data, syscall.MNT_DETACH) }()
	if err := g.start(); err != nil {
		return report{}, err
	}
	defer g.kill()
	l := b.start(g.url())
	rounds := pick(b, 2, 10)
	for range rounds {
		if err := l.progress(300); err != nil {
			return report{}, err
		}
		ballast := filepath.Join(g.data, "ballast")
		if err := fill(ballast); err != nil {
			return report{}, err
		}
		if err := l.refusals(50); err != nil {
			return report{}, err
		}
		before := l.acknowledged()
		time.Sleep(300 * time.Millisecond)
		if after := l.acknowledged(); after > before+window {
			return report{}, fmt.Errorf("%d messages were acknowledged on a full disk", after-before)
		}
		if err := os.Remove(ballast); err != nil {
			return report{}, err
		}
		if err := l.progress(300); err != nil {
			return report{}, fmt.Errorf("with room again: %w", err)
		}
		l.breaks()
		g.kill()
		if err := g.start(); err != nil {
			return report{}, err
		}
	}
	r, err := l.finish()
	r.Figures = withRounds(r.Figures, rounds)
	return r, err
}

// fill writes until there is no room.
func fill(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			if block = block[:len(block)/2]; len(block) == 0 {
				return nil
			}
		} else if err != nil {
			return err
		}
	}
}

// refusals waits until so many publishes were refused.
func (l *load) refusals(more int64) error {
	count := func() (n int64) {
		for _, p := range l.publishers {
			n += p.refused.Load()
		}
		return n
	}
	want := count() + more
	for begun := time.Now(); count() < want; time.Sleep(time.Millisecond) {
		if time.Since(begun) > patience {
			return errors.New("nothing is refused by a full disk")
		}
	}
	return nil
}

// damage damages the store while the gateway is down, in ways that a crash leaves and in ways that only a broken disk does.
func damage(b *bench) (report, error) {
	var all report
	for round := range pick(b, 3, 20) {
		if err := tornTail(b, round, &all); err != nil {
			return all, fmt.Errorf("torn tail: %w", err)
		}
		if err := flippedBytes(b, round, &all); err != nil {
			return all, fmt.Errorf("flipped bytes: %w", err)
		}
	}
	all.Figures["rounds"] = fmt.Sprint(pick(b, 3, 20))
	return all, nil
}

func (r *report) add(other report) {
	t, o := &r.Tally, &other.Tally
	t.Acknowledged += o.Acknowledged
	t.Delivered += o.Delivered
	t.Lost += o.Lost
	t.Twice += o.Twice
	t.Order += o.Order
	t.False += o.False
	t.Gaps += o.Gaps
	r.Faults = append(r.Faults, other.Faults...)
	if r.Figures == nil {
		r.Figures = map[string]string{}
	}
}

// tornTail appends garbage to the newest log, as a write that was under way may leave it: nothing may be lost by it.
func tornTail(b *bench, round int, all *report) error {
	g, l, err := b.filled(fmt.Sprintf("torn-%d", round))
	if err != nil {
		return err
	}
	defer g.kill()
	g.kill()
	newest, err := newestFile(g.data, ".log")
	if err != nil {
		return err
	}
	garbage := make([]byte, 1+b.random.IntN(5000))
	for i := range garbage {
		garbage[i] = byte(b.random.Uint32())
	}
	f, err := os.OpenFile(newest, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(garbage)
	if err := cmpErr(err, f.Close(), g.start()); err != nil {
		return err
	}
	r, err := l.finish()
	if err == nil && r.Tally.Gaps > 0 {
		r.Faults = append(r.Faults, "a torn tail cost messages")
	}
	all.add(r)
	return err
}

// filled is a gateway with a load that has made some progress.
func (b *bench) filled(name string) (*gateway, *load, error) {
	g, err := b.newGateway(name, "")
	if err != nil {
		return nil, nil, err
	}
	if err := g.start(); err != nil {
		return nil, nil, err
	}
	l := b.start(g.url())
	if err := l.progress(2000); err != nil {
		g.kill()
		return nil, nil, err
	}
	return g, l, nil
}

func newestFile(dir, suffix string) (newest string, err error) {
	var at time.Time
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, suffix) {
			return err
		}
		info, err := d.Info()
		if err == nil && !info.ModTime().Before(at) {
			newest, at = path, info.ModTime()
		}
		return err
	})
	if err == nil && newest == "" {
		err = fmt.Errorf("%s has no file *%s", dir, suffix)
	}
	return newest, err
}

// flippedBytes flips bytes in the files of a store that was closed. Either it is refused with words, or what is damaged is
// told as a gap; never is anything else served than what was acknowledged.
func flippedBytes(b *bench, round int, all *report) error {
	g, l, err := b.filled(fmt.Sprintf("flipped-%d", round))
	if err != nil {
		return err
	}
	defer g.kill()
	for _, p := range l.publishers {
		p.stopping.Store(true)
	}
	l.publish.Wait()
	g.kill()
	var files []string
	for _, suffix := range []string{".sst", ".log"} {
		if f, err := newestFile(g.data, suffix); err == nil {
			files = append(files, f)
		}
	}
	file := files[b.random.IntN(len(files))]
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for range 1 + b.random.IntN(3) {
		data[len(data)/4+b.random.IntN(len(data)/2)] ^= 1 << b.random.IntN(8)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return err
	}
	if err := g.start(); err != nil {
		l.cancel()
		l.subscribe.Wait()
		if !strings.Contains(g.log.String(), "damaged") {
			return fmt.Errorf("the gateway does not say what is wrong: %w", err)
		}
		all.add(l.check.report())
		all.Figures["refused"] = "in words"
		return nil
	}
	// Another reader from the beginning: what it is given must be what was acknowledged, or a gap, or a new epoch.
	err = l.readAll(b, g)
	r := l.check.report()
	all.add(r)
	return err
}

// readAll reads every channel from its beginning to its end.
func (l *load) readAll(b *bench, g *gateway) error {
	l.cancel()
	l.subscribe.Wait()
	conn, err := dial(b.ctx, g.url())
	if err != nil {
		return err
	}
	defer conn.cut()
	for i := range channels {
		if err := l.readChannel(b, conn, fmt.Sprintf("fault.%d", i)); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) readChannel(b *bench, conn *line, channel string) error {
	if err := conn.write(b.ctx, `{"type":"subscribe","requestId":"r","channel":%q,"from":{"offset":0}}`, channel); err != nil {
		return err
	}
	if err := conn.write(b.ctx, `{"type":"call","requestId":"end","method":"magpie.echo"}`); err != nil {
		return err
	}
	book := l.check.book(channel)
	tail, next, told := uint64(0), uint64(1), uint64(0)
	for done := false; !done || next <= tail; {
		f, err := conn.read(b.ctx)
		if err != nil {
			return err
		}
		switch f.Type {
		case "subscribed":
			tail = max(tail, f.Tail)
			if f.Position.Epoch != book.epoch {
				return conn.write(b.ctx, `{"type":"unsubscribe","requestId":"u","channel":%q}`, channel) // told so
			}
		case "message":
			l.check.mu.Lock()
			if f.Offset != next {
				l.check.fault(&l.check.tally.Order, "%d of %s came where %d was due", f.Offset, channel, next)
			}
			l.check.place("after the damage", channel, book, f.Offset, f.MessageID)
			l.check.mu.Unlock()
			next = f.Offset + 1
		case "gap":
			told += f.ToOffset + 1 - f.FromOffset
			next = f.ToOffset + 1
		case "error":
			done = true
			if f.RequestID == "r" {
				return nil // refused in words
			}
		case "reply":
			done = true
		}
	}
	if last := book.last; tail < last {
		l.check.mu.Lock()
		l.check.fault(&l.check.tally.Lost, "after the damage %s ends at %d in the same epoch, and %d was acknowledged", channel, tail, last)
		l.check.mu.Unlock()
	}
	return nil
}
