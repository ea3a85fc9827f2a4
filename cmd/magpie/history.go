package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

// historyPage is how many messages are asked for at once: as many as a gateway gives.
const historyPage = 1000

// historyFlags are what the command line of history says.
type historyFlags struct {
	line    *lineFlags
	json    bool
	reverse bool
	last    uint64
	from    string
	since   string
	until   string
	limit   int
}

func newHistoryCommand(env environment) *cobra.Command {
	f := &historyFlags{}
	cmd := &cobra.Command{
		Use:   "history CHANNEL",
		Short: "Print what a channel keeps",
		Long: `Print the messages that a channel keeps, and exit: all of them, or those from an offset or within a time, the oldest first
or, with --reverse, the newest first. Messages that the gateway does not keep any more are told of on stderr.

With --reverse, --from is the offset that is come from: the messages before it are printed.`,
		Example: `  magpie history order.update
  magpie history chat.lobby --last 20
  magpie history order.update --since 1h --until 2026-01-31T10:00:00Z
  magpie history order.update --reverse --limit 5
  magpie history order.update --from 41 --json | jq -c .data`,
		Args: usage(between(1, 1, "the channel")),
		RunE: func(cmd *cobra.Command, args []string) error {
			span, err := f.span(time.Now())
			err = cmp.Or(exclusive(cmd, "last", "from", "since"), exclusive(cmd, "last", "until"), f.exclusiveInReverse(cmd), err, checkChannels(args...))
			if err != nil {
				return err
			}
			return f.print(cmd.Context(), env, args[0], span)
		},
	}
	f.line = addLineFlags(cmd, env)
	flags := cmd.Flags()
	flags.BoolVar(&f.json, "json", false, "print each message as one line of JSON")
	flags.BoolVar(&f.reverse, "reverse", false, "print the newest message first")
	flags.Uint64Var(&f.last, "last", 0, "print the newest `N` messages")
	flags.StringVar(&f.from, "from", "", "begin after an `OFFSET` (0: with the oldest), or EPOCH:OFFSET")
	flags.StringVar(&f.since, "since", "", "print the messages of the last `DURATION` (10m), or since a time (2026-01-31T10:00:00Z)")
	flags.StringVar(&f.until, "until", "", "print those before a time, or those older than a `DURATION`")
	flags.IntVar(&f.limit, "limit", 0, "print at most `N` messages (0: all)")
	return cmd
}

// exclusiveInReverse refuses two places to begin at.
func (f *historyFlags) exclusiveInReverse(cmd *cobra.Command) error {
	if !f.reverse {
		return nil
	}
	return exclusive(cmd, "from", "until")
}

// historySpan is what of a channel is to be printed.
type historySpan struct {
	from         magpieclient.Start
	since, until time.Time // the zero time bounds nothing
	limit        int       // 0: all
}

// span is what the flags say.
func (f *historyFlags) span(now time.Time) (s historySpan, err error) {
	if f.limit < 0 {
		return s, usagef("--limit %d: expected 0 or more", f.limit)
	}
	s.limit = f.limit
	if f.since != "" {
		if s.since, err = parseTime("--since", f.since, now); err != nil {
			return s, err
		}
	}
	if f.until != "" {
		if s.until, err = parseTime("--until", f.until, now); err != nil {
			return s, err
		}
	}
	switch {
	case f.from != "":
		s.from, err = parseFrom(f.from)
	case f.last > 0 && f.reverse:
		if last := int(min(f.last, math.MaxInt32)); s.limit == 0 || last < s.limit {
			s.limit = last
		}
	case f.last > 0:
		s.from = magpieclient.Last(f.last)
	case f.reverse && f.until != "":
		s.from = magpieclient.Since(s.until) // in reverse, what is before it
	case !f.reverse && f.since != "":
		s.from = magpieclient.Since(s.since)
	}
	return s, err
}

// beyond reports whether a message, and every one behind it, is outside of the time that was asked for.
func (s *historySpan) beyond(m *magpieclient.Message, reverse bool) bool {
	if reverse {
		return m.Time.Before(s.since)
	}
	return !s.until.IsZero() && !m.Time.Before(s.until)
}

// print prints the messages, page by page.
func (f *historyFlags) print(ctx context.Context, env environment, channel string, span historySpan) error {
	client, err := f.line.dial(ctx)
	if err != nil {
		return unlessDone(ctx, err)
	}
	defer client.Close() //nolint:errcheck // it has no error to tell
	p := &historyPrinter{flags: f, env: env, span: span, today: time.Now(), out: bufio.NewWriter(env.stdout)}
	progress := p.watch(ctx)
	err = p.pages(ctx, client, channel)
	progress()
	if err != nil {
		return unlessDone(ctx, explain(err, f.line.options()))
	}
	if p.count.Load() == 0 && !f.line.quiet {
		say(env, "%s keeps no message that was asked for", channel)
	}
	return nil
}

// historyPrinter prints pages as they come.
type historyPrinter struct {
	flags *historyFlags
	env   environment
	span  historySpan
	today time.Time
	out   *bufio.Writer
	buf   []byte

	count  atomic.Int64 // of the messages printed
	offset atomic.Uint64
	tail   atomic.Uint64
}

// watch shows how far it has come, where that cannot be seen from what is printed. done ends it.
func (p *historyPrinter) watch(ctx context.Context) (done func()) {
	if p.flags.line.quiet || isTerminal(p.env.stdout) || !isTerminal(p.env.stderr) {
		return func() {}
	}
	showing, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		(&progressLine{w: p.env.stderr}).run(showing, func() string {
			return fmt.Sprintf("%s, at offset %d of %d", counted(p.count.Load(), "message"), p.offset.Load(), p.tail.Load())
		})
	}()
	return func() {
		stop()
		<-ended
	}
}

func (p *historyPrinter) pages(ctx context.Context, client *magpieclient.Client, channel string) error {
	opts := magpieclient.HistoryOptions{From: p.span.from, Reverse: p.flags.reverse, Limit: historyPage}
	if p.span.limit > 0 {
		opts.Limit = min(opts.Limit, p.span.limit)
	}
	for page, err := range client.HistoryPages(ctx, channel, opts) {
		if err != nil {
			return err
		}
		p.tail.Store(page.Tail)
		if page.Gap != nil {
			say(p.env, "%s", describeGap(page.Gap))
		}
		more, err := p.page(page.Messages)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// page prints the messages of a page, and reports whether the next one is wanted.
func (p *historyPrinter) page(messages []*magpieclient.Message) (more bool, err error) {
	format := p.appendDated
	if p.flags.json {
		format = appendJSON
	}
	for _, m := range messages {
		if p.span.beyond(m, p.flags.reverse) || p.enough() {
			return false, p.out.Flush()
		}
		if p.buf, err = format(p.buf[:0], m); err != nil {
			return false, err
		}
		if _, err = p.out.Write(p.buf); err != nil {
			return false, err
		}
		p.count.Add(1)
		p.offset.Store(m.Position.Offset)
	}
	return !p.enough(), p.out.Flush()
}

// appendDated appends the message as one line for a person, with the date where that is not today's.
func (p *historyPrinter) appendDated(dst []byte, m *magpieclient.Message) ([]byte, error) {
	const date = "2006-01-02 "
	if at := m.Time.Local().Format(date); at != p.today.Local().Format(date) {
		dst = append(dst, at...)
	}
	return appendPretty(dst, m)
}

// enough reports whether --limit is reached.
func (p *historyPrinter) enough() bool {
	return p.span.limit > 0 && p.count.Load() >= int64(p.span.limit)
}
