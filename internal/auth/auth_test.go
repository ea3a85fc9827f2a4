package auth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

func testSecret() []byte { return []byte("canary-secret-8c1f0b7e5d2a4936b7e0c5d1") }

// noon is when the tests happen.
func noon() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

func rights(t testing.TB, grants auth.Grants) auth.Rights {
	t.Helper()
	r, err := auth.NewRights(grants)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantRefusal checks the code and the sentence of a wire error, and that no canary is in it.
func wantRefusal(t *testing.T, err error, code wire.Code, sentence string) {
	t.Helper()
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		t.Fatalf("got %T (%v), want a *wire.Error", err, err)
	}
	if e.Code != code || e.Message != sentence {
		t.Errorf("got  %s: %s\nwant %s: %s", e.Code, e.Message, code, sentence)
	}
	if e.Retryable {
		t.Error("a refusal is not retryable")
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("the error shows a token or a secret: %v", err)
	}
}
