package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/magpie-bridge/magpie/internal/source/file"
	"github.com/magpie-bridge/magpie/internal/wire"
	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

// defaultLogChannel is the one that the console shows without being told.
const defaultLogChannel = "logs.local"

// tailFlags are what the command line of tail says.
type tailFlags struct {
	line      *lineFlags
	channel   string
	service   string
	fromStart bool
	lines     int
}

func newTailCommand(env environment) *cobra.Command {
	f := &tailFlags{}
	cmd := &cobra.Command{
		Use:   "tail FILE...",
		Short: "Publish log files as they grow",
		Long: `Follow log files and publish every line as a log record, until Ctrl-C. FILE may be a pattern, which is looked at again as
files appear, or - for stdin. Rotation is followed. Lines are understood whatever wrote them: JSON, logfmt or plain
text; a stack trace stays with its line.

While there is no gateway the files wait, and are read on when it is back: nothing is left out or published twice.`,
		Example: `  magpie tail /var/log/syslog '/var/log/nginx/*.log'
  magpie tail app.log --from-start --service order
  ./server 2>&1 | magpie tail - --service server --channel logs.staging
  magpie tail app.log --channel logs.$(hostname -s)`,
		Args: atLeast(1, "the file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cmp.Or(exclusive(cmd, "from-start", "lines"), f.check()); err != nil {
				return err
			}
			return f.follow(cmd.Context(), env, args)
		},
	}
	f.line = addLineFlags(cmd, env)
	flags := cmd.Flags()
	flags.StringVar(&f.channel, "channel", defaultLogChannel, "the channel to publish to")
	flags.StringVar(&f.service, "service", "", "the service that writes the lines, where they do not tell")
	flags.BoolVar(&f.fromStart, "from-start", false, "publish what is in the files already")
	flags.IntVarP(&f.lines, "lines", "n", 10, "begin with the last `N` lines of each file")
	return cmd
}

func (f *tailFlags) check() error {
	if f.lines < 0 {
		return usagef("--lines %d: expected 0 or more", f.lines)
	}
	return checkChannels(f.channel)
}

func (f *tailFlags) from() file.From {
	switch {
	case f.fromStart:
		return file.FromBeginning
	case f.lines == 0:
		return file.FromEnd
	}
	return file.From(f.lines)
}

func (f *tailFlags) follow(ctx context.Context, env environment, paths []string) error {
	var progress *progressLine
	if !f.line.quiet && isTerminal(env.stderr) {
		progress = &progressLine{w: env.stderr}
		env.stderr = progress
		f.line.env = env
	}
	publisher := &linePublisher{}
	level := slog.LevelInfo
	if f.line.quiet {
		level = slog.LevelError
	}
	tailer, err := file.New(file.Options{
		Paths:     paths,
		Stdin:     env.stdin,
		From:      f.from(),
		Publisher: publisher,
		Channel:   wire.ChannelName(f.channel),
		Service:   f.service,
		Logger:    slog.New(slog.NewTextHandler(env.stderr, &slog.HandlerOptions{Level: level})),
	})
	if err != nil {
		return &usageError{err}
	}
	if publisher.client, err = f.line.dial(ctx); err != nil {
		return unlessDone(ctx, err)
	}
	defer publisher.client.Close() //nolint:errcheck // it has no error to tell
	following, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	publisher.stop = stop
	var showing sync.WaitGroup
	if progress != nil {
		showing.Go(func() { progress.run(following, func() string { return describeStats(tailer.Stats()) }) })
	}
	err = tailer.Run(following)
	cause := context.Cause(following)
	stop(nil)
	showing.Wait()
	if cause != nil && !errors.Is(cause, context.Canceled) {
		return explain(cause, f.line.options())
	}
	if err == nil && !f.line.quiet {
		say(env, "%s", describeStats(tailer.Stats()))
	}
	return explain(err, f.line.options())
}

func describeStats(s file.Stats) string {
	parts := []string{counted(s.Published, "record") + " published"}
	if s.Files > 0 {
		parts = slices.Insert(parts, 0, counted(int64(s.Files), "file"))
	}
	if waiting := s.Records - s.Published - s.Refused; waiting > 0 {
		parts = append(parts, fmt.Sprintf("%d waiting", waiting))
	}
	if s.Refused > 0 {
		parts = append(parts, fmt.Sprintf("%d refused", s.Refused))
	}
	return strings.Join(parts, ", ")
}

// counted is a number of things.
func counted(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// linePublisher publishes over a client's line.
type linePublisher struct {
	client *magpieclient.Client
	stop   context.CancelCauseFunc
}

// Publish implements the file source's Publisher. When the client has ended for good, it ends the command.
func (p *linePublisher) Publish(ctx context.Context, channel wire.ChannelName, batch []wire.Publication) ([]wire.PublishResult, error) {
	publications := make([]magpieclient.Publication, len(batch))
	for i := range batch {
		publications[i] = publicationOf(&batch[i])
	}
	results, err := p.client.PublishBatch(ctx, string(channel), publications)
	if err != nil {
		if p.client.State() == magpieclient.StateClosed {
			p.stop(err)
		}
		return nil, wireError(err)
	}
	answers := make([]wire.PublishResult, len(results))
	for i, r := range results {
		answers[i].Position = wire.Position{Epoch: wire.Epoch(r.Position.Epoch), Offset: wire.Offset(r.Position.Offset)}
		answers[i].Duplicate = r.Duplicate
		if r.Err != nil {
			answers[i].Err = wire.AsError(wireError(r.Err))
		}
	}
	return answers, nil
}

func publicationOf(w *wire.Publication) magpieclient.Publication {
	p := magpieclient.Publication{ID: w.MessageID, Key: w.Key, Tags: make(map[string]string, len(w.Tags))}
	for _, tag := range w.Tags {
		p.Tags[tag.Key] = tag.Value
	}
	switch w.Payload.Kind {
	case wire.PayloadJSON:
		p.Payload = magpieclient.JSON(w.Payload.Bytes)
	case wire.PayloadText:
		p.Payload = magpieclient.Text(string(w.Payload.Bytes))
	case wire.PayloadBytes:
		p.Payload = magpieclient.Bytes(w.Payload.Bytes)
	case wire.PayloadNone:
	}
	return p
}

// wireError gives the gateway's refusal back the form in which sources know it.
func wireError(err error) error {
	refusal, ok := errors.AsType[*magpieclient.Error](err)
	if !ok {
		return err
	}
	return &wire.Error{
		Code:       wire.Code(refusal.Code),
		Message:    refusal.Message,
		Retryable:  refusal.Retryable,
		RetryAfter: refusal.RetryAfter,
		Details:    refusal.Details,
	}
}
