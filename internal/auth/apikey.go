package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
)

// APIKeyPrefix begins every API key, so that people, chains and secret scanners know one when they see it.
const APIKeyPrefix = "mgp_"

// KeyHash is the SHA-256 of an API key; the gateway keeps no more of it. A plain hash is enough only because nobody can
// guess a key.
type KeyHash [sha256.Size]byte

// APIKey is one key that a service may present.
type APIKey struct {
	Name   string  // tells keys apart in logs; becomes the ID of the principal's Token
	Hash   KeyHash // of the whole key, its prefix included
	UserID string  // whom the key stands for; empty: Name
	Rights Rights
}

// APIKeys accepts a fixed set of keys.
type APIKeys struct {
	entries []apiKeyEntry
}

type apiKeyEntry struct {
	hash      KeyHash
	principal *Principal
}

// NewAPIKeys makes an [Authenticator] for keys.
func NewAPIKeys(keys []APIKey) (*APIKeys, error) {
	a := &APIKeys{}
	names, hashes := make(map[string]bool), make(map[KeyHash]string)
	for _, key := range keys {
		user := key.UserID
		if user == "" {
			user = key.Name
		}
		switch other, taken := hashes[key.Hash]; {
		case key.Name == "":
			return nil, errors.New("an API key needs a name")
		case names[key.Name]:
			return nil, fmt.Errorf("two API keys are called %q", key.Name)
		case taken:
			return nil, fmt.Errorf("the API keys %q and %q are the same key", other, key.Name)
		}
		for _, id := range []string{key.Name, user} {
			if err := CheckID(id); err != nil {
				return nil, fmt.Errorf("the name or user of API key %q %w", key.Name, err)
			}
		}
		names[key.Name], hashes[key.Hash] = true, key.Name
		a.entries = append(a.entries, apiKeyEntry{
			hash:      key.Hash,
			principal: &Principal{UserID: user, Token: &Token{ID: key.Name}, Method: MethodAPIKey, Rights: key.Rights},
		})
	}
	return a, nil
}

// Renew makes an [Authenticator] for other keys. Those that a has under the same name, for the same user, keep their
// principals: the rights of whoever has shown one become those of the new key.
func (a *APIKeys) Renew(keys []APIKey) (*APIKeys, error) {
	next, err := NewAPIKeys(keys)
	if err != nil {
		return nil, err
	}
	for i := range next.entries {
		e := &next.entries[i]
		for _, before := range a.entries {
			goesOn := before.principal.Rights.of != nil && e.principal.Rights.of != nil
			if goesOn && before.hash == e.hash && before.principal.UserID == e.principal.UserID && before.principal.Token.ID == e.principal.Token.ID {
				before.principal.Rights.Become(e.principal.Rights)
				e.principal = before.principal
			}
		}
	}
	return next, nil
}

// Revoked reports whether p stands for an API key that is not one of these.
func (a *APIKeys) Revoked(p *Principal) bool {
	if p.Method != MethodAPIKey {
		return false
	}
	for _, e := range a.entries {
		if e.principal.Rights == p.Rights {
			return false
		}
	}
	return true
}

// Authenticate compares the key with every known one, and takes the same time whichever it is.
func (a *APIKeys) Authenticate(_ context.Context, credential Credential) (*Principal, error) {
	if err := checkToken(credential); err != nil {
		return nil, err
	}
	hash := HashKey(credential.Token)
	var found *Principal
	for _, entry := range a.entries {
		if subtle.ConstantTimeCompare(hash[:], entry.hash[:]) == 1 {
			found = entry.principal
		}
	}
	if found == nil {
		return nil, unauthenticated("the API key is not known here: compare it with auth.api_keys, or make a new one")
	}
	return found, nil
}

// HashKey returns what is stored of a key.
func HashKey(key string) KeyHash { return sha256.Sum256([]byte(key)) }

// NewAPIKey makes a key of 128 random bits or more.
func NewAPIKey() string { return APIKeyPrefix + rand.Text() }
