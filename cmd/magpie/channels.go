package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/magpie-bridge/magpie/internal/auth"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
	"github.com/magpie-bridge/magpie/protocol/gen/magpie/v1/magpiev1connect"
)

// channelsFlags are what the command line of channels says.
type channelsFlags struct {
	line  *lineFlags
	limit int
	after string
	json  bool
	watch bool
	every time.Duration
}

func newChannelsCommand(env environment) *cobra.Command {
	f := &channelsFlags{}
	cmd := &cobra.Command{
		Use:   "channels [PATTERN]",
		Short: "List the channels of a gateway",
		Long: `List the channels that a gateway keeps, in the order of their names: the oldest and the newest offset, how many messages are
kept and how large they are, how many subscriptions there are, for how long there has been such a channel, and how long after
its last use it is gone. PATTERN stands for names: * for one word, a last > for the rest.

With --watch the gateway is asked again and again, and the channels that have changed are printed; Ctrl-C ends it.

Outside development mode the credential needs the right to call sys.channels.`,
		Example: `  magpie channels
  magpie channels 'order.>' --limit 10
  magpie channels --after order.update
  magpie channels 'room.>' --watch
  magpie channels --json`,
		Args: between(0, 1, ""),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkLimit(f.limit); err != nil {
				return err
			}
			pattern := strings.Join(args, "")
			if pattern != "" {
				if _, err := auth.ParsePattern(pattern); err != nil {
					return &usageError{err}
				}
			}
			if f.every < 100*time.Millisecond {
				return usagef("--every %s: expected 100ms or more", f.every)
			}
			if f.watch {
				return f.follow(cmd.Context(), env, pattern)
			}
			return f.show(cmd.Context(), env, pattern)
		},
	}
	f.line = addLineFlags(cmd, env)
	flags := cmd.Flags()
	flags.IntVar(&f.limit, "limit", 100, "how many at most")
	flags.StringVar(&f.after, "after", "", "only those whose names come after this one")
	flags.BoolVar(&f.json, "json", false, "print one JSON object for each channel")
	flags.BoolVar(&f.watch, "watch", false, "go on, and print what changes")
	flags.DurationVar(&f.every, "every", 2*time.Second, "how often to look, with --watch")
	return cmd
}

func (f *channelsFlags) show(ctx context.Context, env environment, pattern string) error {
	answer, err := f.ask(ctx, pattern)
	if err != nil {
		return err
	}
	list := answer.GetChannels()
	if f.json {
		err = writeJSON(env.stdout, list...)
	} else {
		err = writeTable(env.stdout, channelHead, list, channelRow(time.Now()))
	}
	if err != nil {
		return err
	}
	if answer.GetTotal() == 0 && !f.line.quiet {
		say(env, "there are no such channels")
	}
	sayMore(env, f.line, len(list), answer.GetTotal(), answer.GetNext())
	return nil
}

// ask asks for one page.
func (f *channelsFlags) ask(ctx context.Context, pattern string) (*magpiev1.ChannelsResponse, error) {
	return askService(ctx, f.line, &magpiev1.ChannelsRequest{Pattern: pattern, Limit: int64(f.limit), After: f.after},
		magpiev1connect.GatewayServiceClient.Channels)
}

// follow prints the page, and then whatever changes of it until ctx ends.
func (f *channelsFlags) follow(ctx context.Context, env environment, pattern string) error {
	known := make(map[string]*magpiev1.ChannelInfo)
	ticker := time.NewTicker(f.every)
	defer ticker.Stop()
	for {
		answer, err := f.ask(ctx, pattern)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f.tellChanges(env, known, answer.GetChannels()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// tellChanges prints the channels that are not as they are known, and those that are gone.
func (f *channelsFlags) tellChanges(env environment, known map[string]*magpiev1.ChannelInfo, list []*magpiev1.ChannelInfo) error {
	var changed []*magpiev1.ChannelInfo
	there := make(map[string]bool, len(list))
	for _, c := range list {
		there[c.GetChannel()] = true
		if !proto.Equal(known[c.GetChannel()], c) {
			known[c.GetChannel()] = c
			changed = append(changed, c)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if there[name] {
			continue
		}
		delete(known, name)
		if !f.line.quiet {
			say(env, "%s is not listed any more", inert(name))
		}
	}
	if f.json {
		return writeJSON(env.stdout, changed...)
	}
	return writeTable(env.stdout, channelHead, changed, channelRow(time.Now()))
}

const channelHead = "CHANNEL\tEPOCH\tHEAD\tTAIL\tMESSAGES\tBYTES\tSUBSCRIBERS\tFOR\tTTL"

func channelRow(now time.Time) func(*magpiev1.ChannelInfo) string {
	return func(c *magpiev1.ChannelInfo) string {
		age, ttl := "-", "-"
		if c.Created != nil {
			age = max(0, now.Sub(time.UnixMilli(c.GetCreated()))).Round(time.Second).String()
		}
		if c.TtlMs != nil {
			ttl = (time.Duration(c.GetTtlMs()) * time.Millisecond).String()
		}
		return fmt.Sprintf("%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s", inert(c.GetChannel()), cmp.Or(inert(c.GetEpoch()), "-"),
			c.GetHead(), c.GetTail(), c.GetMessages(), c.GetBytes(), c.GetSubscribers(), age, ttl)
	}
}
