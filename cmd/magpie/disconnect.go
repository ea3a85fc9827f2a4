package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
	"github.com/magpie-bridge/magpie/protocol/gen/magpie/v1/magpiev1connect"
)

// disconnectFlags are what the command line of disconnect says.
type disconnectFlags struct {
	line                   *lineFlags
	session, user, tokenID string
	reason                 string
	mayReturn              bool
	json                   bool
}

func newDisconnectCommand(env environment) *cobra.Command {
	f := &disconnectFlags{}
	cmd := &cobra.Command{
		Use:   "disconnect (--session ID | --user ID | --token-id ID)",
		Short: "End sessions of a gateway",
		Long: `End one session of a gateway, those of a user, or those of a token or API key. Their clients stay away, but for new
programs, or come back when that is allowed. That nobody was connected is no error.

Outside development mode the credential needs the right to call sys.disconnect.`,
		Example: `  magpie disconnect --user ann --reason 'the account was closed'
  magpie disconnect --session n1-0-3-9f86d081884c7d65
  magpie disconnect --token-id pricing --may-return
  magpie disconnect --user ann --json`,
		Args: between(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := exclusive(cmd, "session", "user", "token-id"); err != nil {
				return err
			}
			if f.session == "" && f.user == "" && f.tokenID == "" {
				return usagef("whom to disconnect is missing: %s", cmd.UseLine())
			}
			return f.end(cmd.Context(), env)
		},
	}
	f.line = addLineFlags(cmd, env)
	flags := cmd.Flags()
	flags.StringVar(&f.session, "session", "", "the session with this id")
	flags.StringVar(&f.user, "user", "", "all sessions of this user")
	flags.StringVar(&f.tokenID, "token-id", "", "all sessions of the token with this id (jti), or of the API key with this name")
	flags.StringVar(&f.reason, "reason", "", "what the clients are told; at most 120 bytes")
	flags.BoolVar(&f.mayReturn, "may-return", false, "let the clients connect again by themselves")
	flags.BoolVar(&f.json, "json", false, "print the answer as a JSON object")
	return cmd
}

func (f *disconnectFlags) end(ctx context.Context, env environment) error {
	answer, err := askService(ctx, f.line, &magpiev1.DisconnectRequest{
		SessionId: f.session, UserId: f.user, TokenId: f.tokenID, Reason: f.reason, MayReturn: f.mayReturn,
	}, magpiev1connect.GatewayServiceClient.Disconnect)
	if err != nil {
		return err
	}
	if f.json {
		return writeJSON(env.stdout, answer)
	}
	if !f.line.quiet {
		_, err = fmt.Fprintf(env.stdout, "sessions ended: %d\n", answer.GetSessions())
	}
	return err
}
