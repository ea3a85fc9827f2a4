package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
	"github.com/magpie-bridge/magpie/protocol/gen/magpie/v1/magpiev1connect"
)

// lagFlags are what the command line of lag says.
type lagFlags struct {
	line  *lineFlags
	limit int
	json  bool
}

func newLagCommand(env environment) *cobra.Command {
	f := &lagFlags{}
	cmd := &cobra.Command{
		Use:   "lag [CHANNEL]",
		Short: "Show which subscriptions are behind",
		Long: `Show the subscriptions of a gateway that are behind their channels, those furthest behind first: whose they are, where they
stand, how many messages they have before them, and for how long the first of these has waited.

Outside development mode the credential needs the right to call sys.subscriptions.`,
		Example: `  magpie lag
  magpie lag order.update --limit 5
  magpie lag --json`,
		Args: between(0, 1, ""),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkLimit(f.limit); err != nil {
				return err
			}
			if err := checkChannels(args...); err != nil {
				return err
			}
			return f.show(cmd.Context(), env, strings.Join(args, ""))
		},
	}
	f.line = addLineFlags(cmd, env)
	flags := cmd.Flags()
	flags.IntVar(&f.limit, "limit", 20, "how many at most")
	flags.BoolVar(&f.json, "json", false, "print one JSON object for each subscription")
	return cmd
}

func (f *lagFlags) show(ctx context.Context, env environment, channel string) error {
	answer, err := askService(ctx, f.line, &magpiev1.SubscriptionsRequest{Channel: channel, Limit: int64(f.limit)},
		magpiev1connect.GatewayServiceClient.Subscriptions)
	if err != nil {
		return err
	}
	if f.json {
		return writeJSON(env.stdout, answer.GetSubscriptions()...)
	}
	if err := writeLag(env.stdout, answer.GetSubscriptions(), time.Now()); err != nil {
		return err
	}
	if len(answer.GetSubscriptions()) == 0 && !f.line.quiet {
		say(env, "none of %d subscriptions is behind", answer.GetTotal())
	}
	return nil
}

// writeLag prints a table.
func writeLag(w io.Writer, list []*magpiev1.SubscriptionLag, now time.Time) error {
	return writeTable(w, "SESSION\tUSER\tCHANNEL\tPOSITION\tTAIL\tLAG\tSINCE", list, func(s *magpiev1.SubscriptionLag) string {
		since := "-"
		if s.GetSince() > 0 {
			since = now.Sub(time.UnixMilli(s.GetSince())).Round(time.Second).String()
		}
		return fmt.Sprintf("%s\t%s\t%s\t%d\t%d\t%d\t%s", s.GetSessionId(), cmp.Or(inert(s.GetUserId()), "-"),
			s.GetChannel(), s.GetPosition().GetOffset(), s.GetTail(), s.GetLag(), since)
	})
}
