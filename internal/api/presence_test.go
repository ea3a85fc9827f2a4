package api

import (
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"

	magpiev1 "github.com/magpie-bridge/magpie/protocol/gen/magpie/v1"
)

const presenceURL = "/magpie.v1.GatewayService/Presence"

func TestPresenceAsCurlDoes(t *testing.T) {
	r := newRig(t, rigOptions{development: true, presence: true})
	got := r.send(request{noKey: true, path: presenceURL, body: `{"channel":"room.7","limit":10}`})
	if got.status != http.StatusOK || !strings.HasPrefix(got.body, `{"channel":"room.7","position":{"epoch":"`) || !strings.HasSuffix(got.body, `"offset":0},"count":0,"members":[]}`) {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	for _, limit := range []string{"1001", "-1"} {
		if got := r.send(request{noKey: true, path: presenceURL, body: `{"channel":"room.7","limit":` + limit + `}`}); got.status != http.StatusBadRequest {
			t.Errorf("a limit of %s: status %d: %s", limit, got.status, got.body)
		}
	}
}

func TestPresenceWithTheGeneratedClient(t *testing.T) {
	for name, opts := range protocols() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{development: true, presence: true})
			got, err := r.client("", opts...).Presence(t.Context(), connect.NewRequest(&magpiev1.PresenceRequest{Channel: "room.7"}))
			if err != nil {
				t.Fatal(err)
			}
			if got.Msg.GetChannel() != "room.7" || got.Msg.GetPosition().GetEpoch() == "" || len(got.Msg.GetMembers()) != 0 {
				t.Errorf("the page is %v", got.Msg)
			}
		})
	}
}

func TestPresenceOfAChannelWithoutIt(t *testing.T) {
	r := newRig(t, rigOptions{development: true})
	_, err := r.client("").Presence(t.Context(), connect.NewRequest(&magpiev1.PresenceRequest{Channel: "room.7"}))
	if connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Errorf("answered with %v", err)
	}
}
