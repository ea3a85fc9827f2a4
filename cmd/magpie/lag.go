package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/magpie-bridge/magpie/internal/api"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
	"github.com/magpie-bridge/magpie/protocol/gen/magpie/v1/magpiev1connect"
	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
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
			if f.limit < 1 || f.limit > 1000 {
				return usagef("--limit %d: expected 1 to 1000", f.limit)
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
	answer, err := f.ask(ctx, channel)
	if err != nil {
		return err
	}
	if f.json {
		encoder := json.NewEncoder(env.stdout)
		for _, s := range answer.GetSubscriptions() {
			if err := encoder.Encode(api.NewSubscriptionJSON(s)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := writeLag(env.stdout, answer.GetSubscriptions(), time.Now()); err != nil {
		return err
	}
	if len(answer.GetSubscriptions()) == 0 && !f.line.quiet {
		say(env, "none of %d subscriptions is behind", answer.GetTotal())
	}
	return nil
}

// ask calls the gateway's server API. What goes wrong is explained as for a line.
func (f *lagFlags) ask(ctx context.Context, channel string) (*magpiev1.SubscriptionsResponse, error) {
	opts := f.line.options()
	if err := checkURL(opts.URL); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	request := connect.NewRequest(&magpiev1.SubscriptionsRequest{Channel: channel, Limit: int64(f.limit)})
	if opts.Token != "" {
		request.Header().Set("Authorization", "Bearer "+opts.Token)
	}
	client := magpiev1connect.NewGatewayServiceClient(http.DefaultClient, serviceURL(opts.URL))
	answer, err := client.Subscriptions(ctx, request)
	if err != nil {
		return nil, explain(lineError(err), opts)
	}
	return answer.Msg, nil
}

// serviceURL is where the server API of the gateway is whose lines begin at address.
func serviceURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.Scheme = strings.Replace(u.Scheme, "ws", "http", 1)
	u.Path = strings.TrimSuffix(u.Path, "/ws")
	u.RawQuery = ""
	return u.String()
}

// lineError makes an answer of the server API the error that a line would have given; others stay what they are.
func lineError(err error) error {
	failure, ok := errors.AsType[*connect.Error](err)
	if !ok || !connect.IsWireError(err) {
		return err
	}
	return &magpieclient.Error{Code: magpieclient.Code(failure.Code().String()), Message: failure.Message()}
}

// writeLag prints a table.
func writeLag(w io.Writer, list []*magpiev1.SubscriptionLag, now time.Time) error {
	if len(list) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SESSION\tUSER\tCHANNEL\tPOSITION\tTAIL\tLAG\tSINCE") // what fails is told by Flush
	for _, s := range list {
		since := "-"
		if s.GetSince() > 0 {
			since = now.Sub(time.UnixMilli(s.GetSince())).Round(time.Second).String()
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%s\n", s.GetSessionId(), cmp.Or(inert(s.GetUserId()), "-"),
			s.GetChannel(), s.GetPosition().GetOffset(), s.GetTail(), s.GetLag(), since)
	}
	return table.Flush()
}
