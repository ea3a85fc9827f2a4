package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/magpie-bridge/magpie/internal/server"
	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
	"github.com/magpie-bridge/magpie/protocol/gen/magpie/v1/magpiev1connect"
)

// reloadOnHangup has the gateway read its configuration again at each SIGHUP, until stop is called. The gateway's log tells
// what came of it.
func reloadOnHangup(ctx context.Context, g *server.Gateway) (stop func()) {
	hangups := make(chan os.Signal, 1) // one that comes during a reload asks for another
	signal.Notify(hangups, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	var listening sync.WaitGroup
	listening.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
				_, _ = g.Reload(ctx) // it is in the log
			}
		}
	})
	return func() {
		signal.Stop(hangups)
		cancel()
		listening.Wait()
	}
}

func newReloadCommand(env environment) *cobra.Command {
	var line *lineFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have a gateway read its configuration again",
		Long: `Have a gateway read its configuration again, as a hangup (SIGHUP) does, and print what has changed: what is in use now, and what
takes a restart. No line is dropped. A wrong configuration is refused whole, and the gateway runs on with the one before.

Outside development mode the credential needs the right to call sys.reload.`,
		Example: `  magpie reload
  magpie reload --json`,
		Args: between(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, err := askService(cmd.Context(), line, &magpiev1.ReloadRequest{}, magpiev1connect.GatewayServiceClient.Reload)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(env.stdout, answer)
			}
			return tellReload(env, line, answer)
		},
	}
	line = addLineFlags(cmd, env)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func tellReload(env environment, line *lineFlags, answer *magpiev1.ReloadResponse) error {
	row := func(c *magpiev1.ConfigChange) string {
		applied := "takes a restart"
		if c.GetApplied() {
			applied = "in use"
		}
		return fmt.Sprintf("%s\t%s\t%s\t%s", inert(c.GetKey()), cmp.Or(inert(c.GetBefore()), "-"), cmp.Or(inert(c.GetAfter()), "-"), applied)
	}
	if err := writeTable(env.stdout, "SETTING\tBEFORE\tAFTER\tNOW", answer.GetChanges(), row); err != nil {
		return err
	}
	if line.quiet {
		return nil
	}
	if len(answer.GetChanges()) == 0 {
		say(env, "nothing has changed")
	}
	if n := answer.GetUnsubscribed(); n > 0 {
		say(env, "subscriptions ended, because the right to them is missing now: %d", n)
	}
	if n := answer.GetUnserved(); n > 0 {
		say(env, "methods not served any more, because the right to serve them is missing now: %d", n)
	}
	if n := answer.GetDisconnected(); n > 0 {
		say(env, "sessions ended, because their API key is gone: %d", n)
	}
	return nil
}
