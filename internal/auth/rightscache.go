package auth

import (
	"encoding/json"
	"sync"
)

// maxCachedRights bounds the different rights that are remembered: issuers give out a handful, and whoever gives every user
// his own gains nothing by them.
const maxCachedRights = 1024

// rightsCache compiles the rights of tokens once for all that grant the same. It is safe for concurrent use.
type rightsCache struct {
	mu    sync.Mutex // guards known
	known map[string]Rights
}

func newRightsCache() *rightsCache { return &rightsCache{known: make(map[string]Rights)} }

// of is as [NewRights].
func (c *rightsCache) of(grants Grants) (Rights, error) {
	key, err := json.Marshal(grants)
	if err != nil {
		return Rights{}, err
	}
	c.mu.Lock()
	rights, ok := c.known[string(key)]
	c.mu.Unlock()
	if ok {
		return rights, nil
	}
	if rights, err = NewRights(grants); err != nil {
		return Rights{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxCachedRights {
		clear(c.known)
	}
	c.known[string(key)] = rights
	return rights, nil
}
