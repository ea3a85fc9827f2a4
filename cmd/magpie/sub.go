package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

// subBatch is how many messages are printed, and remembered, at once when they come faster than one by one.
const subBatch = 256

// subFlags are what the command line of sub says.
type subFlags struct {
	line         *lineFlags
	json         bool
	filter       string
	last         uint64
	from         string
	since        string
	count        int
	positionFile string
}

func newSubCommand(env environment) *cobra.Command {
	f := &subFlags{}
	cmd := &cobra.Command{
		Use:   "sub CHANNEL...",
		Short: "Print the messages of channels",
		Long: `Print the messages of channels as they come, until Ctrl-C. The line is made again when it breaks, and no message is left
out or printed twice. In the place of a channel may stand a pattern of which * is any one word and a last > the rest: the
channels that there are, and those that appear, from their first message on. Messages that the gateway does not keep any more are told of on stderr.

With --position-file the command continues where it stopped, also after it was killed; --last, --from and --since are
then for the first time. With the output appended to a regular file (>> FILE) each message is in it exactly once. With
a pipe, a kill in the moment between printing and remembering makes the last messages appear again, under the same
offsets.`,
		Example: `  magpie sub order.update
  magpie sub chat.lobby --last 20
  magpie sub order.update --since 10m --count 5
  magpie sub 'logs.>' 'order.*'
  magpie sub order.update --json | jq -c .data
  magpie sub logs.local --last 50 --filter 'level>=warn service=order-* "timed out"'
  magpie sub order.update --from 0 --json --position-file order.position >> order.jsonl`,
		Args: atLeast(1, "the channel"),
		RunE: func(cmd *cobra.Command, args []string) error {
			start, err := f.start(time.Now())
			if err = cmp.Or(exclusive(cmd, "last", "from", "since"), err, checkFollowed(args...), f.checkPatterns(args)); err != nil {
				return err
			}
			return f.receive(cmd.Context(), env, args, start)
		},
	}
	f.line = addLineFlags(cmd, env)
	flags := cmd.Flags()
	flags.BoolVar(&f.json, "json", false, "print each message as one line of JSON")
	flags.StringVar(&f.filter, "filter", "", "print only what this `EXPRESSION` lets through, such as 'level>=warn service=order-*'")
	flags.Uint64Var(&f.last, "last", 0, "begin with the newest `N` messages")
	flags.StringVar(&f.from, "from", "", "begin after an `OFFSET` (0: with the oldest), or EPOCH:OFFSET")
	flags.StringVar(&f.since, "since", "", "begin with the messages of the last `DURATION` (10m), or since a time (2026-01-31T10:00:00Z)")
	flags.IntVar(&f.count, "count", 0, "exit after `N` messages (0: never)")
	flags.StringVar(&f.positionFile, "position-file", "", "remember in this `FILE` what was printed, and continue there")
	return cmd
}

// checkPatterns refuses a start that no pattern has.
func (f *subFlags) checkPatterns(args []string) error {
	if _, err := strconv.ParseUint(f.from, 10, 53); f.from == "" || err == nil {
		return nil
	}
	for _, name := range args {
		if _, ok := patternOf(name); ok {
			return usagef("--from %s: the channels of the pattern %s have positions of their own: use an offset, --last or --since", f.from, name)
		}
	}
	return nil
}

// start is where to begin, as the flags say.
func (f *subFlags) start(now time.Time) (magpieclient.Start, error) {
	switch {
	case f.count < 0:
		return magpieclient.Start{}, usagef("--count %d: expected 0 or more", f.count)
	case f.last > 0:
		return magpieclient.Last(f.last), nil
	case f.from != "":
		return parseFrom(f.from)
	case f.since != "":
		return parseSince(f.since, now)
	}
	return magpieclient.Now(), nil
}

func parseFrom(s string) (magpieclient.Start, error) {
	if offset, err := strconv.ParseUint(s, 10, 53); err == nil {
		return magpieclient.After(offset), nil
	}
	position, err := magpieclient.ParsePosition(s)
	if err != nil {
		return magpieclient.Start{}, usagef("--from %q: expected an offset, such as 41, or EPOCH:OFFSET, such as k3:41", s)
	}
	return magpieclient.At(position), nil
}

func parseSince(s string, now time.Time) (magpieclient.Start, error) {
	at, err := parseTime("--since", s, now)
	return magpieclient.Since(at), err
}

// parseTime reads what a flag says of a time: how long ago it was, or when.
func parseTime(flag, s string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, usagef("%s %q: expected a duration, such as 10m, or a time, such as 2026-01-31T10:00:00Z", flag, s)
	}
	return at, nil
}

// receive prints the messages of all channels.
func (f *subFlags) receive(ctx context.Context, env environment, channels []string, start magpieclient.Start) error {
	channels = slices.Compact(slices.Sorted(slices.Values(channels)))
	remembered, err := openPositions(f.positionFile, env.stdout)
	if err != nil {
		return err
	}
	client, err := f.line.dial(ctx)
	if err != nil {
		return unlessDone(ctx, err)
	}
	defer client.Close() //nolint:errcheck // it has no error to tell
	p := &printer{flags: f, env: env, positions: remembered, left: f.count}
	receiving, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var group sync.WaitGroup
	for _, channel := range channels {
		opts := magpieclient.SubscribeOptions{From: start, Filter: f.filter}
		if pattern, ok := patternOf(channel); ok {
			if opts.Positions = remembered.under(pattern); len(opts.Positions) > 0 {
				opts.From = magpieclient.After(0) // what is not known has appeared since
			}
		} else if position, ok := remembered.of(channel); ok {
			opts.From = magpieclient.At(position)
		}
		group.Go(func() { stop(p.channel(receiving, client, channel, opts)) })
	}
	group.Wait()
	err = context.Cause(receiving)
	if errors.Is(err, errEnough) {
		err = nil
	}
	return unlessDone(ctx, explain(err, f.line.options()))
}

// unlessDone drops an error that is only the consequence of Ctrl-C.
func unlessDone(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

// errEnough ends the command after --count messages.
var errEnough = errors.New("enough messages")

// printer prints the events of all subscriptions.
type printer struct {
	flags *subFlags
	env   environment

	mu        sync.Mutex // guards the fields below
	positions *positionFile
	left      int // messages until --count is reached, if there is one
	buf       []byte
}

// patternOf reads what is a pattern; false for the name of a channel, and for what is neither.
func patternOf(channel string) (auth.Pattern, bool) {
	if !wire.ChannelName(channel).IsPattern() {
		return auth.Pattern{}, false
	}
	pattern, err := auth.ParsePattern(channel)
	return pattern, err == nil
}

// checkFollowed reports what is neither the name of a channel nor a pattern.
func checkFollowed(names ...string) error {
	for _, name := range names {
		if !wire.ChannelName(name).IsPattern() {
			if err := checkChannels(name); err != nil {
				return err
			}
		} else if _, err := auth.ParsePattern(name); err != nil {
			return &usageError{err}
		}
	}
	return nil
}

// channel prints a channel's events until it must not go on.
func (p *printer) channel(ctx context.Context, client *magpieclient.Client, channel string, opts magpieclient.SubscribeOptions) error {
	s, err := client.Subscribe(ctx, channel, opts)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // it has no error to tell
	if err := p.begin(s); err != nil {
		return err
	}
	for event, err := range s.Events(ctx) {
		if err != nil {
			return fmt.Errorf("%s: %w", channel, err)
		}
		if err := p.print(s, event); err != nil {
			return err
		}
	}
	return nil
}

// begin remembers where the subscription began, or what comes between a kill and the next start would be missed.
func (p *printer) begin(s *magpieclient.Subscription) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.positions.print(p.env.stdout, nil, s.Positions())
}

// print prints an event, and those that came meanwhile, with one write.
func (p *printer) print(s *magpieclient.Subscription, event magpieclient.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.enough() {
		return errEnough
	}
	p.buf = p.buf[:0]
	for n, more := 1, true; more; n++ {
		if err := p.add(event); err != nil {
			return err
		}
		if n == subBatch || p.enough() {
			break // before another event is taken, which would be lost
		}
		event, more = s.TryNext()
	}
	if err := p.positions.print(p.env.stdout, p.buf, s.Positions()); err != nil {
		return err
	}
	if p.enough() {
		return errEnough
	}
	return nil
}

// enough reports whether --count is reached.
func (p *printer) enough() bool { return p.flags.count > 0 && p.left == 0 }

// add puts one event into the buffer. Gaps go to stderr: stdout has messages and nothing else.
func (p *printer) add(event magpieclient.Event) error {
	switch event := event.(type) {
	case *magpieclient.Gap:
		say(p.env, "%s", describeGap(event))
	case *magpieclient.Message:
		p.left--
		format := appendPretty
		if p.flags.json {
			format = appendJSON
		}
		var err error
		p.buf, err = format(p.buf, event)
		return err
	}
	return nil
}

func describeGap(g *magpieclient.Gap) string {
	missing := fmt.Sprintf("%s: messages %d to %d cannot be delivered", g.Channel, g.FromOffset, g.ToOffset)
	switch g.Reason {
	case magpieclient.GapRetention:
		return missing + ": the gateway does not keep them any more"
	case magpieclient.GapEpoch:
		return fmt.Sprintf("%s: the numbering began anew (epoch %s); messages since the last one printed may be missing", g.Channel, g.Epoch)
	case magpieclient.GapBeyondTail:
		return missing + ": the channel has not come that far"
	case magpieclient.GapDamage:
		return missing + ": the gateway's disk could not give them back"
	default:
		return missing + ": " + g.Reason
	}
}
