package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
	"github.com/magpie-bridge/magpie/protocol/gen/magpie/v1/magpiev1connect"
)

// sessionsFlags are what the command line of sessions says.
type sessionsFlags struct {
	line          *lineFlags
	user, channel string
	limit         int
	after         string
	json          bool
}

func newSessionsCommand(env environment) *cobra.Command {
	f := &sessionsFlags{}
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "List who is connected to a gateway",
		Long: `List the sessions that are connected to a gateway: whose they are, what they are connected by, for how long, when they were
heard last, and how many channels they have subscribed.

Outside development mode the credential needs the right to call sys.sessions.`,
		Example: `  magpie sessions
  magpie sessions --user ann
  magpie sessions --channel order.update --limit 10
  magpie sessions --json`,
		Args: between(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLimit(f.limit); err != nil {
				return err
			}
			if f.channel != "" {
				if err := checkChannels(f.channel); err != nil {
					return err
				}
			}
			return f.show(cmd.Context(), env)
		},
	}
	f.line = addLineFlags(cmd, env)
	flags := cmd.Flags()
	flags.StringVar(&f.user, "user", "", "only those of this user")
	flags.StringVar(&f.channel, "channel", "", "only those that have subscribed this channel")
	flags.IntVar(&f.limit, "limit", 100, "how many at most")
	flags.StringVar(&f.after, "after", "", "go on behind what was listed before")
	flags.BoolVar(&f.json, "json", false, "print one JSON object for each session")
	return cmd
}

func (f *sessionsFlags) show(ctx context.Context, env environment) error {
	answer, err := askService(ctx, f.line, &magpiev1.SessionsRequest{
		UserId: f.user, Channel: f.channel, Limit: int64(f.limit), After: f.after,
	}, magpiev1connect.GatewayServiceClient.Sessions)
	if err != nil {
		return err
	}
	list, now := answer.GetSessions(), time.Now()
	if f.json {
		err = writeJSON(env.stdout, list...)
	} else {
		err = writeTable(env.stdout, "SESSION\tUSER\tDEVICE\tTOKEN\tBY\tSINCE\tHEARD\tSUBSCRIPTIONS", list,
			func(s *magpiev1.SessionInfo) string { return sessionRow(s, now) })
	}
	if err != nil {
		return err
	}
	if answer.GetTotal() == 0 && !f.line.quiet {
		say(env, "there are no such sessions")
	}
	sayMore(env, f.line, len(list), answer.GetTotal(), answer.GetNext())
	return nil
}

func sessionRow(s *magpiev1.SessionInfo, now time.Time) string {
	ago := func(at int64) time.Duration { return max(0, now.Sub(time.UnixMilli(at))).Round(time.Second) }
	shown := func(text string) string { return cmp.Or(inert(text), "-") }
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s/%s\t%s\t%s\t%d", inert(s.GetSessionId()), shown(s.GetUserId()), shown(s.GetDevice()),
		shown(s.GetTokenId()), shown(s.GetTransport()), shown(s.GetFormat()), ago(s.GetSince()), ago(s.GetLastActive()), s.GetSubscriptions())
}
