package auth

import (
	"context"
	"log/slog"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// MaxTokenBytes bounds a token before anything else is done with it.
const MaxTokenBytes = 8 << 10

// Source tells where a credential was found. It is worded to follow "the token from".
type Source string

// The sources of credentials.
const (
	SourceHeader      Source = "the Authorization header"
	SourceSubprotocol Source = "the subprotocol bearer.<token>"
	SourceCookie      Source = "the cookie magpie_token"
	SourceQuery       Source = "the query parameter token"
	SourceFrame       Source = "the connect frame"
)

// Credential is what a client presented to say who it is. The zero value says nothing. Printing and logging one shows
// its source only.
type Credential struct {
	Token  string
	Source Source
}

// Authenticator finds out whom a credential stands for. Its errors are unauthenticated [wire.Error]s, whose sentences
// help a developer and never repeat the token; any other error is the gateway's own failure. Implementations are safe
// for use by many goroutines, and may block.
type Authenticator interface {
	Authenticate(ctx context.Context, credential Credential) (*Principal, error)
}

// String hides the token.
func (c Credential) String() string {
	if c.Token == "" {
		return "no token"
	}
	return "token from " + string(c.Source)
}

// GoString hides the token.
func (c Credential) GoString() string { return "auth.Credential{" + c.String() + "}" }

// LogValue hides the token.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText hides the token from encoders.
func (c Credential) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

func unauthenticated(format string, args ...any) error {
	return wire.Errorf(wire.CodeUnauthenticated, format, args...)
}

// checkToken refuses what no authenticator needs to look at.
func checkToken(c Credential) error {
	if c.Token == "" {
		return unauthenticated("no token was given: send one in the header Authorization: Bearer, in the connect frame, " +
			"as the subprotocol bearer.<token>, in the cookie magpie_token or as ?token=")
	}
	if len(c.Token) > MaxTokenBytes {
		return unauthenticated("%s has %d bytes: at most %d are allowed", c, len(c.Token), MaxTokenBytes)
	}
	return nil
}
