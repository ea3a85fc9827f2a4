package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/wire"
)

func TestChannelNames(t *testing.T) {
	for _, name := range []string{"a", "order.update", "A-1_b.2", strings.Repeat("a", wire.MaxChannelBytes)} {
		if err := wire.ChannelName(name).Check(); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"":                       "channel is missing",
		".a":                     "empty word at byte 0",
		"a..b":                   "empty word at byte 2",
		"a.":                     "ends with a dot",
		"a b":                    `" " at byte 1`,
		"a\r\nb":                 `"\r" at byte 1`,
		"\u0430":                 `"\xd0" at byte 0`,
		"a.*":                    `"*" at byte 2`,
		strings.Repeat("a", 256): "has 256 bytes: at most 255",
	} {
		err := wire.ChannelName(name).Check()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", name, err, want)
		}
	}
	if err := wire.CheckMethod("a b"); err == nil || !strings.Contains(err.Error(), "method") {
		t.Errorf("got %v", err)
	}
}

func TestTypeNames(t *testing.T) {
	if got := wire.TypeUnsubscribed.String(); got != "unsubscribed" {
		t.Errorf("got %q", got)
	}
	if got := wire.Type(99).String(); got != "type 99" {
		t.Errorf("got %q", got)
	}
	if wire.JSON.String() != "json" || wire.Protobuf.String() != "protobuf" {
		t.Errorf("codecs are named %v and %v", wire.JSON, wire.Protobuf)
	}
}

func TestCloseCodes(t *testing.T) {
	for code, want := range map[wire.CloseCode]bool{
		wire.CloseNormal: true, wire.CloseGoingAway: true, wire.CloseInternal: true,
		wire.CloseProtocolError: false, wire.CloseTooBig: false,
		wire.CloseDraining: true, wire.CloseTakenOver: true,
		wire.CloseMalformed: false, wire.CloseUnauthorized: false, wire.CloseForbidden: false,
	} {
		if got := code.Reconnect(); got != want {
			t.Errorf("%d: reconnect %v, want %v", code, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	refused := wire.Errorf(wire.CodeUnavailable, "node %d", 1)
	if got := refused.Error(); got != "unavailable: node 1" || !refused.Retryable {
		t.Errorf("got %q, retryable %v", got, refused.Retryable)
	}
	if got := wire.AsError(fmt.Errorf("publish: %w", refused)); got != refused {
		t.Errorf("got %v", got)
	}
	got := wire.AsError(errors.New("open /etc/secret: denied"))
	if got.Code != wire.CodeInternal || got.Retryable || strings.Contains(got.Message, "secret") {
		t.Errorf("got %v", got)
	}
}
