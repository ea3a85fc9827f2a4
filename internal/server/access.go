package server

import (
	"context"
	"fmt"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/config"
)

// access is who may come in, and what may change of it while the gateway runs.
type access struct {
	authenticator auth.Authenticator
	jwt           *auth.JWT
	defaults      auth.Rights   // of tokens that name none
	keys          *auth.APIKeys // nil where there are none
	before        func(ctx context.Context, token string) (*auth.Principal, error)
}

// newAccess makes the ways in that the configuration opens. before is asked first, if it is not nil.
func newAccess(cfg *config.Config, before func(ctx context.Context, token string) (*auth.Principal, error)) (*access, error) {
	a := &access{before: before}
	var err error
	if a.defaults, err = newRights(cfg.Auth.DefaultRights); err != nil {
		return nil, fmt.Errorf("auth.default_rights: %w", err)
	}
	if cfg.Auth.JWT.Secret.IsSet() && !cfg.Development {
		if a.jwt, err = newJWT(&cfg.Auth.JWT, a.defaults); err != nil {
			return nil, err
		}
	}
	keys, err := newAPIKeys(cfg.Auth.APIKeys)
	if err == nil && len(keys) > 0 {
		a.keys, err = auth.NewAPIKeys(keys)
	}
	if err != nil {
		return nil, fmt.Errorf("auth.api_keys: %w", err)
	}
	a.chain(cfg)
	return a, nil
}

// renewed is the access with other API keys and default rights. The rights of those who are in change at once.
func (a *access) renewed(cfg *config.Config) (*access, error) {
	next := *a
	defaults, err := newRights(cfg.Auth.DefaultRights)
	if err != nil {
		return nil, fmt.Errorf("auth.default_rights: %w", err)
	}
	keys, err := newAPIKeys(cfg.Auth.APIKeys)
	if err != nil {
		return nil, fmt.Errorf("auth.api_keys: %w", err)
	}
	switch {
	case len(keys) == 0:
		next.keys = nil
	case a.keys == nil:
		next.keys, err = auth.NewAPIKeys(keys)
	default:
		next.keys, err = a.keys.Renew(keys)
	}
	if err != nil {
		return nil, fmt.Errorf("auth.api_keys: %w", err)
	}
	a.defaults.Become(defaults)
	next.chain(cfg)
	return &next, nil
}

// chain puts the ways in behind each other.
func (a *access) chain(cfg *config.Config) {
	if cfg.Development {
		a.authenticator = auth.Development()
	} else {
		var chain auth.Chain
		if a.jwt != nil {
			chain.JWT = a.jwt
		}
		if a.keys != nil {
			chain.Keys = a.keys
		}
		a.authenticator = chain
	}
	if a.before != nil {
		a.authenticator = auth.Before{First: a.before, Next: a.authenticator}
	}
}

// revoked reports whether a principal stands for an API key that is gone.
func (a *access) revoked(p *auth.Principal) bool {
	if a.keys == nil {
		return p.Method == auth.MethodAPIKey
	}
	return a.keys.Revoked(p)
}

func newJWT(cfg *config.JWT, defaults auth.Rights) (*auth.JWT, error) {
	leeway := cfg.Leeway
	if leeway == 0 {
		leeway = -1 // none was asked for; zero would mean the default there
	}
	jwt, err := auth.NewJWT(auth.JWTOptions{
		Secret:             cfg.Secret.Reveal(),
		Issuer:             cfg.Issuer,
		Audience:           cfg.Audience,
		AllowMissingExpiry: !cfg.RequireExpiry,
		Leeway:             leeway,
		DefaultRights:      defaults,
	})
	if err != nil {
		return nil, fmt.Errorf("auth.jwt: %w", err)
	}
	return jwt, nil
}

func newAPIKeys(list []config.APIKey) ([]auth.APIKey, error) {
	keys := make([]auth.APIKey, len(list))
	for i, key := range list {
		rights, err := newRights(key.Rights)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		keys[i] = auth.APIKey{Name: key.Name, Hash: auth.KeyHash(key.SHA256), UserID: key.User, Rights: rights}
	}
	return keys, nil
}

func newRights(r config.Rights) (auth.Rights, error) {
	return auth.NewRights(auth.Grants{Publish: r.Publish, Subscribe: r.Subscribe, Call: r.Call, Serve: r.Serve, Reach: r.Reach, Presence: r.Presence})
}

// newOwnPrincipal is whom the gateway's own sources publish as.
func newOwnPrincipal() (*auth.Principal, error) {
	rights, err := auth.NewRights(auth.AllGrants())
	if err != nil {
		return nil, err
	}
	return &auth.Principal{UserID: "magpie", Method: auth.MethodInternal, Rights: rights}, nil
}
