package server

import (
	"fmt"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/config"
	"github.com/magpie-bridge/magpie/internal/engine/diskengine"
	"github.com/magpie-bridge/magpie/internal/hub/presence"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// newAuthenticator makes the ways in that the configuration opens.
func newAuthenticator(cfg *config.Config) (auth.Authenticator, error) {
	if cfg.Development {
		return auth.Development(), nil
	}
	var chain auth.Chain
	if cfg.Auth.JWT.Secret.IsSet() {
		jwt, err := newJWT(&cfg.Auth)
		if err != nil {
			return nil, err
		}
		chain.JWT = jwt
	}
	if len(cfg.Auth.APIKeys) > 0 {
		keys, err := newAPIKeys(cfg.Auth.APIKeys)
		if err != nil {
			return nil, err
		}
		chain.Keys = keys
	}
	return chain, nil
}

func newJWT(cfg *config.Auth) (*auth.JWT, error) {
	rights, err := newRights(cfg.DefaultRights)
	if err != nil {
		return nil, fmt.Errorf("auth.default_rights: %w", err)
	}
	leeway := cfg.JWT.Leeway
	if leeway == 0 {
		leeway = -1 // none was asked for; zero would mean the default there
	}
	jwt, err := auth.NewJWT(auth.JWTOptions{
		Secret:             cfg.JWT.Secret.Reveal(),
		Issuer:             cfg.JWT.Issuer,
		Audience:           cfg.JWT.Audience,
		AllowMissingExpiry: !cfg.JWT.RequireExpiry,
		Leeway:             leeway,
		DefaultRights:      rights,
	})
	if err != nil {
		return nil, fmt.Errorf("auth.jwt: %w", err)
	}
	return jwt, nil
}

func newAPIKeys(list []config.APIKey) (*auth.APIKeys, error) {
	keys := make([]auth.APIKey, len(list))
	for i, key := range list {
		rights, err := newRights(key.Rights)
		if err != nil {
			return nil, fmt.Errorf("auth.api_keys[%d]: %w", i, err)
		}
		keys[i] = auth.APIKey{Name: key.Name, Hash: auth.KeyHash(key.SHA256), UserID: key.User, Rights: rights}
	}
	made, err := auth.NewAPIKeys(keys)
	if err != nil {
		return nil, fmt.Errorf("auth.api_keys: %w", err)
	}
	return made, nil
}

func newRights(r config.Rights) (auth.Rights, error) {
	return auth.NewRights(auth.Grants{
		Publish: r.Publish, Subscribe: r.Subscribe, Call: r.Call, Serve: r.Serve, Reach: r.Reach, Presence: r.Presence,
	})
}

// newOwnPrincipal is whom the gateway's own sources publish as.
func newOwnPrincipal() (*auth.Principal, error) {
	rights, err := auth.NewRights(auth.AllGrants())
	if err != nil {
		return nil, err
	}
	return &auth.Principal{UserID: "magpie", Method: auth.MethodInternal, Rights: rights}, nil
}

// rules are what holds for a channel.
type rules struct {
	retention channel.Retention
	level     diskengine.Level
	presence  bool
	slow      session.SlowPolicy
}

// newRules returns what holds for each channel: what the first namespace that covers it says, or the same as for all
// others.
func newRules(cfg *config.Config) (func(wire.ChannelName) *rules, error) {
	type namespace struct {
		pattern auth.Pattern
		rules   rules
	}
	namespaces := make([]namespace, len(cfg.Namespaces))
	for i, ns := range cfg.Namespaces {
		pattern, err := auth.ParsePattern(ns.Pattern)
		if err != nil {
			return nil, fmt.Errorf("namespaces[%d].pattern: %w", i, err)
		}
		namespaces[i] = namespace{pattern, rulesOf(&ns)}
	}
	general := rulesOf(cfg.General())
	telling := general
	telling.level = diskengine.Memory // who is here is nothing that a restart leaves true
	return func(name wire.ChannelName) *rules {
		if presence.Tells(name) {
			return &telling
		}
		for i := range namespaces {
			if namespaces[i].pattern.Covers(name) {
				return &namespaces[i].rules
			}
		}
		return &general
	}, nil
}

func rulesOf(ns *config.Namespace) rules {
	r, i := &ns.Retention, &ns.Idempotency
	level := diskengine.Synced
	switch ns.Durability {
	case config.DurabilityMemory:
		level = diskengine.Memory
	case config.DurabilityWritten:
		level = diskengine.Written
	}
	return rules{
		retention: channel.Retention{
			Messages: int64(r.Messages), Bytes: int64(r.Bytes), Age: r.Age,
			Window: channel.Window{Messages: int64(i.Messages), Age: i.Age},
			Newest: ns.SlowConsumer == config.SlowLatest,
		},
		level:    level,
		presence: ns.Presence,
		slow:     session.SlowPolicy{Action: slowAction(ns.SlowConsumer), MaxLag: uint64(ns.LagBound())}, //nolint:gosec // not negative
	}
}

func slowAction(name string) session.SlowAction {
	switch name {
	case config.SlowLatest:
		return session.SlowLatest
	case config.SlowDisconnect:
		return session.SlowDisconnect
	}
	return session.SlowLag
}
