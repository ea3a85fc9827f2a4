package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// plant is a fault in the gateway's source: text that is found once in a file, and what stands in its place.
type plant struct {
	name, file, find, instead string
	found                     func(*tally) int // what has to be counted
}

// plants are the faults that the checker is tried on. The build takes them from an overlay; the source is not touched.
func plants() []plant {
	const view, commit = "internal/channel/view.go", "internal/engine/diskengine/commit.go"
	const count = "		e.tally.next(g.batch)\n"
	const lay = "		buf = format.AppendMessage(buf, m)\n"
	return []plant{
		{
			"drop", view, lay, "		if m.Offset%97 != 50 {\n	" + lay + "		}\n",
			func(t *tally) int { return t.Order },
		},
		{
			"duplicate", view, lay, lay + "		if m.Offset%97 == 50 {\n	" + lay + "		}\n",
			func(t *tally) int { return t.Twice },
		},
		{
			"swap", view, "		readRecord(c.entry(i), m)\n",
			"		at := i\n		switch (c.first + wire.Offset(i)) % 97 {\n		case 50:\n			at = min(i+1, int(c.count.Load())-1)\n" +
				"		case 51:\n			at = max(i-1, 0)\n		}\n		readRecord(c.entry(at), m)\n",
			func(t *tally) int { return t.False + t.Twice },
		},
		{
			"forget", commit, count, "		if len(requests)%5 == 1 {\n			g.batch.Reset()\n		}\n" + count,
			func(t *tally) int { return t.Lost + t.False + t.Twice + t.Order },
		},
	}
}

// planted runs gateways that drop, duplicate, swap and forget messages, and finds fault with the checker where it finds none
// with them.
func planted(b *bench) (report, error) {
	all := report{Figures: map[string]string{}}
	for _, p := range plants() {
		r, err := tryPlant(b, p)
		if err != nil && r.Figures == nil {
			return report{}, fmt.Errorf("%s: %w", p.name, err)
		}
		n := p.found(&r.Tally)
		all.Figures[p.name] = fmt.Sprintf("found %d times", n)
		if n == 0 {
			all.Faults = append(all.Faults, fmt.Sprintf("the planted fault %q was not found (%+v, %v)", p.name, r.Tally, err))
		}
	}
	return all, nil
}

// stuckAfter is how long a gateway with a fault may take for some progress.
const stuckAfter = 3 * time.Second

func tryPlant(b *bench, p plant) (report, error) {
	binary, err := buildPlanted(b, p)
	if err != nil {
		return report{}, err
	}
	g, err := b.newGateway("planted-"+p.name, "durability: written\n")
	if err != nil {
		return report{}, err
	}
	g.binary = binary
	if err := g.start(); err != nil {
		return report{}, err
	}
	defer g.kill()
	l := b.start(g.url())
	for range 3 {
		if err := l.progressWithin(300, stuckAfter); err != nil {
			return l.check.report(), err // a gateway that forgets what it has acknowledged may well be stuck
		}
		g.kill()
		if err := g.start(); err != nil {
			return l.check.report(), err
		}
	}
	time.Sleep(200 * time.Millisecond)
	l.cancel() // what it has forgotten would be waited for
	l.publish.Wait()
	l.subscribe.Wait()
	return l.check.report(), nil
}

// buildPlanted builds a gateway with the fault.
func buildPlanted(b *bench, p plant) (binary string, err error) {
	source, err := os.ReadFile(p.file)
	if err != nil {
		return "", fmt.Errorf("run this from the root of the repository: %w", err)
	}
	if n := strings.Count(string(source), p.find); n != 1 {
		return "", fmt.Errorf("%s has %d places for the fault, want one: bring planted.go up to date", p.file, n)
	}
	dir := filepath.Join(b.dir, "plant-"+p.name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	changed := filepath.Join(dir, "planted.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(source), p.find, p.instead, 1)), 0o644); err != nil {
		return "", err
	}
	file, err := filepath.Abs(p.file)
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{file: changed}})
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o644); err != nil {
		return "", err
	}
	binary = filepath.Join(dir, "magpie")
	return binary, build(b.ctx, binary, "-overlay", list)
}
