package auth

import (
	"context"
	"strings"
)

// Chain picks the authenticator by the look of the token. Members that are nil accept nothing, and say so.
type Chain struct {
	Keys      Authenticator // for tokens that begin with APIKeyPrefix
	JWT       Authenticator // for tokens of three parts
	Anonymous Authenticator // for clients that present no token: Development(), or nil
}

// Authenticate asks the one member that the token is for.
func (c Chain) Authenticate(ctx context.Context, credential Credential) (*Principal, error) {
	if credential.Token == "" && c.Anonymous != nil {
		return c.Anonymous.Authenticate(ctx, credential)
	}
	if err := checkToken(credential); err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(credential.Token, APIKeyPrefix):
		if c.Keys == nil {
			return nil, unauthenticated("the token is an API key, but none is configured here (auth.api_keys)")
		}
		return c.Keys.Authenticate(ctx, credential)
	case strings.Count(credential.Token, ".") == 2:
		if c.JWT == nil {
			return nil, unauthenticated("the token is a JSON Web Token, but no secret to check it with is configured here (auth.jwt.secret)")
		}
		return c.JWT.Authenticate(ctx, credential)
	}
	return nil, unauthenticated("the token is neither a JSON Web Token (three parts with dots between them) nor an API key (%s...)", APIKeyPrefix)
}

// DevelopmentUser is the user id of everybody in development mode.
const DevelopmentUser = "dev"

type development struct{ principal *Principal }

// Development accepts everybody, with or without a token, as one user who may do everything. It is for a developer's
// own machine: [OriginPolicy] then keeps the pages of other sites away.
func Development() Authenticator {
	rights, err := NewRights(AllGrants())
	if err != nil {
		panic("auth: AllGrants do not compile: " + err.Error())
	}
	return development{&Principal{UserID: DevelopmentUser, Method: MethodDevelopment, Rights: rights}}
}

func (d development) Authenticate(context.Context, Credential) (*Principal, error) {
	return d.principal, nil
}
