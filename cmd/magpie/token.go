package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/magpie-bridge/magpie/internal/auth"
)

// secretVariable is the one from which the gateway takes the secret too.
const secretVariable = "MAGPIE_AUTH_JWT_SECRET" //nolint:gosec // the name of a variable, not a secret

// tokenFlags are what the command line of token says.
type tokenFlags struct {
	user, device, issuer, audience string
	secretEnv, secretFile          string
	ttl                            time.Duration
	grants                         auth.Grants
	json                           bool
}

func newTokenCommand(env environment) *cobra.Command {
	f := &tokenFlags{}
	cmd := &cobra.Command{
		Use:   "token --user NAME",
		Short: "Make a token for development",
		Long: `Make a token (JWT, HS256) that a gateway with the same secret accepts. In production tokens come from the service that
knows the users.

The secret is read from an environment variable or a file, never from the command line, where other users of the
machine could see it. Without --publish, --subscribe, --call, --serve, --reach and --presence the token has the
gateway's default rights.`,
		Example: `  export MAGPIE_AUTH_JWT_SECRET=$(head -c 32 /dev/urandom | base64)
  magpie token --user alice
  magpie token --user pricing --secret-file secret.txt --publish 'price.>' --subscribe 'order.*' --ttl 24h
  MAGPIE_TOKEN=$(magpie token --user alice) magpie sub order.update`,
		Args: between(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := exclusive(cmd, "secret-env", "secret-file"); err != nil {
				return err
			}
			return f.mint(env, time.Now())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.user, "user", "", "whom the token stands for")
	flags.StringVar(&f.device, "device", "", "which of the user's devices")
	flags.StringVar(&f.issuer, "issuer", "", "the issuer, where the gateway asks for one")
	flags.StringVar(&f.audience, "audience", "", "the audience, where the gateway asks for one")
	flags.DurationVar(&f.ttl, "ttl", time.Hour, "how long the token is valid")
	flags.StringVar(&f.secretEnv, "secret-env", secretVariable, "the environment `VARIABLE` that holds the secret")
	flags.StringVar(&f.secretFile, "secret-file", "", "the `FILE` that holds the secret")
	flags.StringArrayVar(&f.grants.Publish, "publish", nil, "a channel, or a `PATTERN` with * and >, it may publish to; may be repeated")
	flags.StringArrayVar(&f.grants.Subscribe, "subscribe", nil, "a channel or `PATTERN` it may subscribe to; may be repeated")
	flags.StringArrayVar(&f.grants.Call, "call", nil, "a method or `PATTERN` it may call; may be repeated")
	flags.StringArrayVar(&f.grants.Serve, "serve", nil, "a method or `PATTERN` it may serve to others; may be repeated")
	flags.StringArrayVar(&f.grants.Reach, "reach", nil, "whom its calls may be directed at: user.ID, session.ID, a channel, or a `PATTERN`; may be repeated")
	flags.StringArrayVar(&f.grants.Presence, "presence", nil, "a channel, user.ID, or a `PATTERN`, whose members it may see; may be repeated")
	flags.BoolVar(&f.json, "json", false, "print one JSON object")
	return cmd
}

// tokenLine is what --json prints.
type tokenLine struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expiresAt"`
}

func (f *tokenFlags) mint(env environment, now time.Time) error {
	if f.user == "" {
		return usagef("whom is the token for? name the user with --user")
	}
	if f.ttl <= 0 {
		return usagef("--ttl %s: expected a duration above zero, such as 1h", f.ttl)
	}
	secret, err := f.secret(env)
	if err != nil {
		return err
	}
	claims := auth.TokenClaims{
		UserID:    f.user,
		DeviceID:  f.device,
		Issuer:    f.issuer,
		Audience:  f.audience,
		IssuedAt:  now,
		ExpiresAt: now.Add(f.ttl),
	}
	if !f.grants.None() {
		claims.Rights = &f.grants
	}
	token, err := auth.Mint(secret, claims)
	if err != nil {
		return &usageError{err}
	}
	if f.json {
		return json.NewEncoder(env.stdout).Encode(tokenLine{token, claims.ExpiresAt.UTC().Truncate(time.Second)})
	}
	_, err = fmt.Fprintln(env.stdout, token)
	return err
}

func (f *tokenFlags) secret(env environment) ([]byte, error) {
	if f.secretFile != "" {
		data, err := os.ReadFile(f.secretFile)
		if err != nil {
			return nil, usagef("--secret-file: %w", err)
		}
		return bytes.TrimRight(data, "\r\n"), nil // as the gateway reads such a file
	}
	secret := env.getenv(f.secretEnv)
	if secret == "" {
		return nil, usagef("no secret: set %s, or name a file with --secret-file", f.secretEnv)
	}
	return []byte(secret), nil
}
