package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"
)

// page is bench/RESULTS.md.
type page struct {
	settings
	began    time.Time
	took     time.Duration
	subjects []subject
	tallies  []tally
	apart    string // sections of the page before that stay
}

const introduction = `# Results

Magpie beside its peers and beside the limit, a bare epoll loop that writes the very same bytes with no protocol, no
authentication and no history (bench/limit). ` + "`make bench-peers`" + ` makes this page; every figure is a median of %d rounds.
In every round each server is started anew on one processor, and the load tool, %s, runs on another. It checks
every message: none was lost, came twice or out of order in any round that is counted here.

`

func (p *page) write(ctx context.Context, w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, introduction, p.rounds, "`magpie bench`")
	fmt.Fprintf(&b, "- Measured on %s, in %s.\n- The machine: %s.\n", p.began.UTC().Format("2006-01-02 15:04 MST"), p.took.Round(time.Second), machine(ctx))
	for i := range p.subjects {
		fmt.Fprintf(&b, "- %s: %s.\n", p.subjects[i].name, p.subjects[i].versionOf(ctx, p.bin))
	}
	if len(p.of(sectionGeneral)) > 0 {
		p.general(&b)
	}
	p.calls(&b)
	p.filters(&b)
	if p.apart != "" {
		b.WriteString("\n" + strings.TrimSuffix(p.apart, "\n"))
	}
	p.commands(&b)
	p.failures(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// of returns what was measured for a section.
func (p *page) of(s section) (list []*tally) {
	for i := range p.tallies {
		if p.tallies[i].section == s {
			list = append(list, &p.tallies[i])
		}
	}
	return list
}

// general writes the tables of the general section.
func (p *page) general(b *strings.Builder) {
	p.headline(b)
	p.table(b, "Spread", "The same, with the least and the greatest of the rounds.", func(t *tally, name string) string {
		return t.of(name, t.value).String()
	})
	p.table(b, "Throughput", "Operations per second, with one processor for the server and one for the load tool.", func(t *tally, name string) string {
		return figure(t.of(name, perSecond).median)
	})
	p.table(b, "Latency", "p50 / p99 in milliseconds, under this load: as much as the server takes. With so much in flight it says how long the queue is.", latencyCell)
}

// columns are the subjects of the tables of the general section.
func (p *page) columns() (names []string) {
	for i := range p.subjects {
		if name := p.subjects[i].name; name != grpcRelay {
			names = append(names, name)
		}
	}
	return names
}

func latencyCell(t *tally, name string) string {
	half := t.of(name, p50).median
	if math.IsNaN(half) || half == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3g / %.3g", half, t.of(name, p99).median)
}

const explanation = `
## The figures

Deliveries, round trips, lines and messages are those of one second of the server's processor, user and system time together:
more is better. Of milliseconds, bytes and shares of a core less is better. "Goroutines" is Magpie with the driver that other
systems than Linux have. Memory is the process's own (RssAnon), of sessions that were authenticated by a JSON Web Token, as their
handshakes have left it, and once more where the runtime is told to keep little garbage (GOGC=5): nearly what lines hold.

`

// headline is the table that matters.
func (p *page) headline(b *strings.Builder) {
	b.WriteString(explanation)
	b.WriteString("| |")
	columns := p.columns()
	for _, name := range columns {
		fmt.Fprintf(b, " %s |", name)
	}
	b.WriteString(" Magpie / NATS | Magpie / limit | goroutines / NATS |\n|---|" + strings.Repeat("---|", len(columns)+3) + "\n")
	for _, t := range p.of(sectionGeneral) {
		fmt.Fprintf(b, "| %s (%s) |", t.name, t.what)
		for _, name := range columns {
			fmt.Fprintf(b, " %s |", figure(t.of(name, t.value).median))
		}
		fmt.Fprintf(b, " %s | %s | %s |\n", times(t.ratio(magpie, nats)), times(t.ratio(magpie, limit)), times(t.ratio(goroutines, nats)))
	}
}

func times(ratio float64) string {
	if math.IsNaN(ratio) || math.IsInf(ratio, 0) {
		return "-"
	}
	return fmt.Sprintf("%.2f", ratio)
}

// table has a row for each measurement and a column for each subject.
func (p *page) table(b *strings.Builder, title, about string, cell func(t *tally, name string) string) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n| |", title, about)
	columns := p.columns()
	for _, name := range columns {
		fmt.Fprintf(b, " %s |", name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, t := range p.of(sectionGeneral) {
		fmt.Fprintf(b, "| %s |", t.name)
		for _, name := range columns {
			fmt.Fprintf(b, " %s |", cell(t, name))
		}
		b.WriteString("\n")
	}
}

// commands shows how each row can be had by hand.
func (p *page) commands(b *strings.Builder) {
	b.WriteString("\n## Commands\n\nThe server, for instance `taskset -c " + p.server + " magpie serve --dev`, then:\n\n```\n")
	for i := range p.tallies {
		args := strings.Join(p.tallies[i].args, " ")
		if i > 0 && args == strings.Join(p.tallies[i-1].args, " ") {
			continue // another reading of the same
		}
		also := "# and --target nats, socketio, limit"
		switch {
		case p.tallies[i].tls:
			also = "--url wss://127.0.0.1:8080 --ca cert.pem   # and --target nats"
		case p.tallies[i].section == sectionCalls:
			also = "# and --target nats, grpc"
		case p.tallies[i].section == sectionFilters:
			also = ""
		}
		command := fmt.Sprintf("taskset -c %s magpie bench %s --duration %s   %s", p.client, args, max(p.duration, p.tallies[i].duration), also)
		b.WriteString(strings.TrimRight(command, " ") + "\n")
	}
	b.WriteString("```\n")
}

// failures names what could not be measured.
func (p *page) failures(b *strings.Builder) {
	var lines []string
	for i := range p.tallies {
		t := &p.tallies[i]
		for j := range p.subjects {
			if why := t.failures[p.subjects[j].name]; why != "" {
				counted := len(t.results[p.subjects[j].name])
				lines = append(lines, fmt.Sprintf("- %s, %s: %d of %d rounds counted; otherwise: %s", t.name, p.subjects[j].name, counted, p.rounds, why))
			}
		}
	}
	if len(lines) > 0 {
		b.WriteString("\n## Rounds that are not counted\n\n" + strings.Join(lines, "\n") + "\n")
	}
}

// socketIOVersion reads what is installed.
func socketIOVersion() string {
	var installed struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	text, err := os.ReadFile("bench/socketio/package.json")
	if err != nil || json.Unmarshal(text, &installed) != nil {
		return "unknown"
	}
	d := installed.Dependencies
	return fmt.Sprintf("%s with the engine ws %s and bufferutil %s", d["socket.io"], d["ws"], d["bufferutil"])
}
