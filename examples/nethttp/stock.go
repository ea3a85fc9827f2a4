package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/magpie-bridge/magpie"
)

// changes is the channel in which the pages see what becomes of the stock.
const changes = "stock.changes"

const maxItems = 1000

// item is something in the stock.
type item struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// inventory is all there is, with every change up to Version in it.
type inventory struct {
	Version int64  `json:"version"`
	Items   []item `json:"items"`
}

// change is what the pages are told. Item is nil when it was thrown away. Who has an inventory needs only the changes after
// its version.
type change struct {
	Version int64  `json:"version"`
	ID      string `json:"id"`
	Item    *item  `json:"item"`
	By      string `json:"by"`
}

// stock is what the service is about. It is safe for concurrent use. Its errors are *magpie.Error: a call carries them to its
// caller as they are, and refuse tells them over HTTP.
type stock struct {
	gw       *magpie.Gateway
	patience time.Duration // how long somebody may think before confirming

	mu      sync.Mutex // guards the fields below
	version int64
	items   map[string]item
}

func newStock(gw *magpie.Gateway, patience time.Duration) *stock {
	return &stock{gw: gw, patience: patience, items: map[string]item{
		"lantern": {"lantern", "Paper lantern", 12},
		"plank":   {"plank", "Bridge plank", 80},
		"rope":    {"rope", "Rope, 20 m", 7},
	}}
}

func (s *stock) inventory() inventory {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := slices.SortedFunc(maps.Values(s.items), func(a, b item) int { return cmp.Compare(a.ID, b.ID) })
	return inventory{Version: s.version, Items: items}
}

func (s *stock) item(id string) (item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, ok := s.items[id]
	if !ok {
		return item{}, missing(id)
	}
	return it, nil
}

// set makes an item what it is to be.
func (s *stock) set(ctx context.Context, it item, by string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.items[it.ID]; !ok && len(s.items) >= maxItems {
		return &magpie.Error{Code: "resource_exhausted", Message: "the stock is full"}
	}
	return s.apply(ctx, change{ID: it.ID, Item: &it, By: by})
}

// take takes some of an item out, and returns what is left of it.
func (s *stock) take(ctx context.Context, id string, count int, by string) (item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, ok := s.items[id]
	switch {
	case !ok:
		return item{}, missing(id)
	case count < 1:
		return item{}, &magpie.Error{Code: "invalid_argument", Message: "take one or more"}
	case it.Count < count:
		return item{}, &magpie.Error{Code: "failed_precondition", Message: fmt.Sprintf("%s: only %d left", it.Name, it.Count)}
	}
	it.Count -= count
	return it, s.apply(ctx, change{ID: id, Item: &it, By: by})
}

// throwAway removes an item that is still as it was when somebody said so.
func (s *stock) throwAway(ctx context.Context, asItWas item, by string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items[asItWas.ID] != asItWas {
		return &magpie.Error{Code: "aborted", Message: asItWas.Name + " has changed meanwhile: look again"}
	}
	return s.apply(ctx, change{ID: asItWas.ID, By: by})
}

// apply publishes a change and makes it. The caller holds mu, so that changes are published in their order; one that cannot
// be published does not happen.
func (s *stock) apply(ctx context.Context, c change) error {
	c.Version = s.version + 1
	if _, err := s.gw.Publish(ctx, changes, magpie.Message{Key: c.ID, Data: c}); err != nil {
		return err
	}
	s.version = c.Version
	if c.Item == nil {
		delete(s.items, c.ID)
	} else {
		s.items[c.ID] = *c.Item
	}
	return nil
}

func missing(id string) error {
	return &magpie.Error{Code: "not_found", Message: fmt.Sprintf("there is no %q in the stock", id)}
}
