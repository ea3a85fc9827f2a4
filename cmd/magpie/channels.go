package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

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
}

func newChannelsCommand(env environment) *cobra.Command {
	f := &channelsFlags{}
	cmd := &cobra.Command{
		Use:   "channels [PATTERN]",
		Short: "List the channels of a gateway",
		Long: `List the channels that a gateway keeps, in the order of their names: the oldest and the newest offset, how many messages are
kept and how large they are, and how many subscriptions there are. PATTERN stands for names: * for one word, a last > for the
rest.

Outside development mode the credential needs the right to call sys.channels.`,
		Example: `  magpie channels
  magpie channels 'order.>' --limit 10
  magpie channels --after order.update
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
			return f.show(cmd.Context(), env, pattern)
		},
	}
	f.line = addLineFlags(cmd, env)
	flags := cmd.Flags()
	flags.IntVar(&f.limit, "limit", 100, "how many at most")
	flags.StringVar(&f.after, "after", "", "only those whose names come after this one")
	flags.BoolVar(&f.json, "json", false, "print one JSON object for each channel")
	return cmd
}

func (f *channelsFlags) show(ctx context.Context, env environment, pattern string) error {
	answer, err := askService(ctx, f.line, &magpiev1.ChannelsRequest{Pattern: pattern, Limit: int64(f.limit), After: f.after},
		magpiev1connect.GatewayServiceClient.Channels)
	if err != nil {
		return err
	}
	list := answer.GetChannels()
	if f.json {
		err = writeJSON(env.stdout, list...)
	} else {
		err = writeTable(env.stdout, "CHANNEL\tEPOCH\tHEAD\tTAIL\tMESSAGES\tBYTES\tSUBSCRIBERS", list, channelRow)
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

func channelRow(c *magpiev1.ChannelInfo) string {
	return fmt.Sprintf("%s\t%s\t%d\t%d\t%d\t%d\t%d", inert(c.GetChannel()), cmp.Or(inert(c.GetEpoch()), "-"),
		c.GetHead(), c.GetTail(), c.GetMessages(), c.GetBytes(), c.GetSubscribers())
}
