package server

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/config"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/engine/diskengine"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/hub/presence"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// rules are what holds for a channel.
type rules struct {
	retention channel.Retention
	level     diskengine.Level
	presence  bool
	slow      session.SlowPolicy
	policy    engine.Policy
	hub       hub.Namespace
}

// rulebook has the rules of all channels, which may change while the gateway runs. Safe for concurrent use.
type rulebook struct {
	current atomic.Pointer[edition]
}

// edition is the rules of one configuration. It is immutable.
type edition struct {
	namespaces []ruled
	byWord     map[string][]int // the namespaces that may cover names with this first word, in their order
	wild       []int            // those that may cover names with any other
	general    rules
	telling    rules // of the channels that tell who is here
}

// ruled is a namespace.
type ruled struct {
	pattern string
	rules   rules
	// private is the same without rights given to others: what holds for users' own channels, where a wildcard stands in
	// place of their first word.
	private *rules
}

// newRulebook returns the rules of a configuration, which may have been made without a file.
func newRulebook(cfg *config.Config) (*rulebook, error) {
	for i := range cfg.Namespaces {
		if _, err := auth.ParsePattern(cfg.Namespaces[i].Pattern); err != nil {
			return nil, fmt.Errorf("namespaces[%d].pattern: %w", i, err)
		}
	}
	b := &rulebook{}
	b.publish(cfg)
	return b, nil
}

// publish has the rules of another configuration hold from now on.
func (b *rulebook) publish(cfg *config.Config) {
	e := &edition{byWord: make(map[string][]int), general: rulesOf(cfg.General())}
	e.telling = e.general
	e.telling.level = diskengine.Memory // who is here is nothing that a restart leaves true
	for i := range cfg.Namespaces {
		ns := &cfg.Namespaces[i]
		e.namespaces = append(e.namespaces, newRuled(ns))
		word, _, _ := strings.Cut(ns.Pattern, ".")
		if isWild(word) {
			e.wild = append(e.wild, i)
			for known := range e.byWord {
				e.byWord[known] = append(e.byWord[known], i)
			}
			continue
		}
		if _, known := e.byWord[word]; !known {
			e.byWord[word] = slices.Clone(e.wild)
		}
		e.byWord[word] = append(e.byWord[word], i)
	}
	b.current.Store(e)
}

func newRuled(ns *config.Namespace) ruled {
	r := ruled{pattern: ns.Pattern, rules: rulesOf(ns)}
	word, _, _ := strings.Cut(ns.Pattern, ".")
	if isWild(word) {
		private := r.rules
		private.hub.Publish, private.hub.Subscribe, private.hub.SeeMembers = nil, nil, nil
		r.private = &private
	}
	return r
}

func isWild(word string) bool { return word == "*" || word == ">" }

// of returns what holds for a channel: what the first namespace that covers it says, or the same as for all others. The
// result is not changed any more. It allocates nothing.
func (b *rulebook) of(name wire.ChannelName) *rules {
	e := b.current.Load()
	if presence.Tells(name) {
		return &e.telling
	}
	word, _, _ := strings.Cut(string(name), ".")
	candidates, known := e.byWord[word]
	if !known {
		candidates = e.wild
	}
	for _, i := range candidates {
		ns := &e.namespaces[i]
		switch {
		case !config.Covers(ns.pattern, name):
		case ns.private != nil && strings.HasPrefix(string(name), auth.UserChannelPrefix):
			return ns.private
		default:
			return &ns.rules
		}
	}
	return &e.general
}

// given asks an audience; nil where it is nobody.
func given(a *config.Audience) func(user string) bool {
	if a.None() {
		return nil
	}
	return a.Has
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
	policy := engine.Policy{TTL: ns.TTL, Given: !ns.Create}
	return rules{
		policy: policy,
		hub: hub.Namespace{
			MaxMessage: int(ns.MaxMessage), Publish: given(&ns.Publish), Subscribe: given(&ns.Subscribe), SeeMembers: given(&ns.SeeMembers), Create: ns.Create,
		},
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
