package auth

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// keysOf makes keys that may publish to a channel each, by their names.
func keysOf(t *testing.T, rights map[string]string) []APIKey {
	t.Helper()
	var keys []APIKey
	for name, channel := range rights {
		granted, err := NewRights(Grants{Publish: []string{channel}})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, APIKey{Name: name, Hash: HashKey(APIKeyPrefix + name), Rights: granted})
	}
	return keys
}

func TestRenewedKeysGiveOtherRightsToWhoeverHasShownThem(t *testing.T) {
	before, err := NewAPIKeys(keysOf(t, map[string]string{"a": "x", "b": "x"}))
	if err != nil {
		t.Fatal(err)
	}
	shown := func(keys *APIKeys, name string) *Principal {
		t.Helper()
		p, err := keys.Authenticate(context.Background(), Credential{Token: APIKeyPrefix + name})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	a, b := shown(before, "a").OnDevice("phone"), shown(before, "b")
	after, err := before.Renew(keysOf(t, map[string]string{"a": "y", "c": "x"}))
	if err != nil {
		t.Fatal(err)
	}
	if a.Has(Publish, "x") || !a.Has(Publish, "y") || a.May(Publish, "y") != nil {
		t.Error("the principal of a key that stayed has its old rights")
	}
	if after.Revoked(a) || !after.Revoked(b) {
		t.Errorf("revoked: a %t, b %t; want b alone", after.Revoked(a), after.Revoked(b))
	}
	if after.Revoked(&Principal{UserID: "ann", Method: MethodJWT}) {
		t.Error("a token counts as a key that is gone")
	}
	if !shown(after, "c").Has(Publish, "x") {
		t.Error("a new key has no rights")
	}
}

func TestHasIsWhatMaySays(t *testing.T) {
	rights, err := NewRights(AllGrants())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Principal{{UserID: "ann", Rights: rights}, {UserID: "ann"}} {
		for action := range actions {
			for _, name := range []wire.ChannelName{"a", "user.ann", "user.bob", "sys.nodes", "sys", "magpie.echo"} {
				if got, want := p.Has(action, name), p.May(action, name) == nil; got != want {
					t.Errorf("%s %s: Has says %t, May %t", action, name, got, want)
				}
			}
		}
	}
}

func TestAnOriginPolicyBecomesAnother(t *testing.T) {
	policy := func(origins ...string) *OriginPolicy {
		p, err := NewOriginPolicy(origins, false)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "http://gateway.example.com/ws", nil)
	r.Header.Set("Origin", "https://app.example.com")
	p := policy()
	if p.Check(r) == nil {
		t.Error("allowed before")
	}
	p.Become(policy("https://app.example.com"))
	if err := p.Check(r); err != nil {
		t.Error(err)
	}
	p.Become(policy())
	if p.Check(r) == nil {
		t.Error("allowed afterwards")
	}
}
